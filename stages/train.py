"""Stage 3: train the network of params.yaml on the prepared images.

Reads data/prepared/ and reports/validation.json; writes models/model.keras, metrics/train.json and
plots/history.csv.
"""

import dataclasses
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from resnet.recipe import Recipe
from stages import backend, command, runlog
from stages.errors import BadInput
from stages.outputs import replacing, write_json
from stages.params import Params, TrainParams
from stages.prepared import Labelled, load_classes, load_split
from stages.splits import TRAIN, VALIDATION

VALIDATION_JSON = Path("reports/validation.json")
MODEL = Path("models/model.keras")
METRICS = Path("metrics/train.json")
HISTORY = Path("plots/history.csv")
TENSORBOARD = runlog.LOGS / "tensorboard"
log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Train and save the model.

    Raises:
        BadInput: The images failed their validation, are missing, or too few; or the training diverged.
    """
    check_validation(VALIDATION_JSON)
    train, validation, classes = load_split(TRAIN), load_split(VALIDATION), load_classes()
    settings = params.train
    if not len(validation.images) and (settings.keep == "best" or settings.patience):
        raise BadInput(
            "train.keep: best and train.patience need validation images, and none was drawn; "
            "raise data.validation_fraction, or set train.keep: last and train.patience: null"
        )
    backend.start(
        threads=settings.threads,
        device=settings.device,
        deterministic=settings.deterministic,
        seed=params.seed,
    )
    # TensorFlow takes seconds to import, which `--help` and bad input should not wait for.
    from resnet.saving import save
    from resnet.training_form import create_for_training

    model = create_for_training(
        params.model.name,
        precision=settings.precision,
        input_shape=train.images.shape[1:],
        classes=len(classes),
        shortcut=params.model.shortcut,
        stem=params.model.stem,
    )
    log.info("training %s on %s images of %d classes", model.name, f"{len(train.images):,}", len(classes))
    history = fit_network(model, train, validation, settings, params.seed)
    with replacing(MODEL) as new:
        save(model, new, classes)
    with replacing(HISTORY) as new:
        history.to_csv(new, index=False, float_format="%.6g")
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    write_json(METRICS, summary(history, settings, parameters))


def fit_network(model: Any, train: Labelled, validation: Labelled, settings: TrainParams, seed: int) -> pd.DataFrame:
    """Train the model in place; return a row an epoch."""
    from resnet.callbacks import TrainingDiverged
    from resnet.training import fit

    # Two trainings in one folder would be drawn as one zigzag.
    shutil.rmtree(TENSORBOARD, ignore_errors=True)
    with runlog.timed("train") as record:
        try:
            history = fit(
                model,
                *train,
                make_recipe(settings, seed),
                validation=validation if len(validation.images) else None,
                tensorboard=TENSORBOARD if settings.tensorboard else None,
            )
        except TrainingDiverged as error:
            raise BadInput(str(error)) from error
        record["images"] = len(train.images) * len(history.epoch)
    return pd.DataFrame({"epoch": [epoch + 1 for epoch in history.epoch], **history.history})


def check_validation(path: Path) -> None:
    """Refuse images that did not pass."""
    try:
        passed = json.loads(path.read_text(encoding="utf-8"))["success"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"cannot read {path} ({error!r}); run `dvc repro validate` first") from error
    if passed is not True:
        raise BadInput(f"the images failed their validation, so nothing is trained on them; see {path}")


def make_recipe(settings: TrainParams, seed: int) -> Recipe:
    """Pick from the params what shapes the training itself."""
    named = {field.name for field in dataclasses.fields(Recipe)} - {"seed"}
    values = {name: getattr(settings, name) for name in named}
    return Recipe(**values | {"milestones": tuple(settings.milestones), "seed": seed})


def summary(history: pd.DataFrame, settings: TrainParams, parameters: int) -> dict[str, Any]:
    """What the training came to in the epoch that was kept, and what it ran on as far as that shapes the result."""
    kept = history.iloc[-1]
    if settings.keep == "best":
        kept = history.sort_values(["val_accuracy", "val_loss"], ascending=[False, True], kind="stable").iloc[0]
    measured = sorted(str(name) for name in history if name not in ("epoch", "learning_rate"))
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    return {
        "epochs": len(history),
        "kept_epoch": int(kept["epoch"]),
        **{name: round(float(kept[name]), 6) for name in measured},
        "parameters": parameters,
        "resolved": {
            "device": settings.device,
            "precision": settings.precision,
            "threads": settings.threads,
            "instruction_set": [*simd.get("baseline", []), *simd.get("found", [])],
        },
    }


if __name__ == "__main__":
    command.main(run, __doc__)
