"""Stage 3: train the network of params.yaml on the prepared images.

Reads data/prepared/ and reports/validation.json; writes models/model.keras, metrics/train.json and
plots/history.csv.
"""

from stages import arguments

if __name__ == "__main__":
    arguments.read(__doc__)

import dataclasses
import json
import logging
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from resnet.recipe import Recipe
from stages import backend, checkpoints, command, runlog
from stages.chance import chance, learned_nothing
from stages.errors import BadInput
from stages.fingerprint import fingerprint, ingredients
from stages.outputs import replacing, write_json, write_text
from stages.params import Params, TrainParams
from stages.prepared import PREPARED, Labelled, check_manifest_hash, images_file, labels_file, load_classes, load_split
from stages.same_bits import instruction_set
from stages.splits import TRAIN, VALIDATION

VALIDATION_JSON = Path("reports/validation.json")
MODEL = Path("models/model.keras")
METRICS = Path("metrics/train.json")
HISTORY = Path("plots/history.csv")
TENSORBOARD = runlog.LOGS / "tensorboard"
DIVERGED = "diverged.txt"
SMALLER = (
    "lower train.batch_size (and train.learning_rate in proportion) or data.image_size, or take a smaller model.name"
)
log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Train and save the model.

    Raises:
        BadInput: The images failed their validation, are missing, or too few; memory ran out; or the training diverged.
    """
    check_validation(VALIDATION_JSON)
    train, validation, classes = load_split(TRAIN), load_split(VALIDATION), load_classes()
    settings = backend.resolved(params.train)
    if not len(validation.images) and (settings.keep == "best" or settings.patience):
        raise BadInput(
            "train.keep: best and train.patience need validation images, and none was drawn; "
            "raise data.validation_fraction, or set train.keep: last and train.patience: null"
        )
    check_shares(settings, len(train.images), len(validation.images))
    backend.start(
        threads=settings.threads,
        device=settings.device,
        devices=settings.devices,
        deterministic=settings.deterministic,
        seed=params.seed,
        instruction_set=settings.instruction_set,
    )
    if backend.is_emulated(settings.precision, settings.device, instruction_set()):
        log.warning(
            "this CPU has no AVX-512, and without it half precision is many times slower than float32; "
            "set train.precision: float32, unless that is what you want to try"
        )
    # TensorFlow takes seconds to import, which `--help` and bad input should not wait for.
    from resnet import saving, training  # noqa: F401 - for the fingerprint, which is of all that is loaded
    from resnet.views import two_views
    from stages import pretrained

    with backend.enough_memory(settings.batch_size, SMALLER), backend.devices(settings.device, settings.devices):
        model = new_network(params, settings, train.images.shape[1:], len(classes))
        pretrained.start(model, params.model, classes)
        log.info("training %s on %s images of %d classes", model.name, f"{len(train.images):,}", len(classes))
        checkpoints.forget_recorded()
        shaping = ingredients(params, training_files())
        with checkpoints.claimed(fingerprint(shaping)) as folder:
            # For a person who asks whose checkpoints these are.
            write_json(folder / "ingredients.json", shaping)
            history = fit_network(model, train, validation, settings, params.seed, folder)
            finished = two_views(model) if params.model.two_views else model
            metrics = write_results(finished, classes, history, settings)
            checkpoints.remember_model(folder, MODEL)
    warn_of_chance(metrics, validation if len(validation.labels) else train)


def new_network(params: Params, settings: TrainParams, image: tuple[int, ...], classes: int) -> Any:
    """Make the network in the form that trains.

    Raises:
        BadInput: It is not for images like those that were prepared.
    """
    from resnet.training_form import create_for_training

    try:
        return create_for_training(
            params.model.name,
            precision=settings.precision,
            rematerialize=settings.rematerialize,
            input_shape=image,
            classes=classes,
            shortcut=params.model.shortcut,
            stem=params.model.stem,
            width=params.model.width,
        )
    except ValueError as error:
        raise BadInput(
            f"{params.model.name} does not go with the images in {PREPARED} ({error}); run `dvc repro`, which prepares "
            "them anew where params.yaml has changed"
        ) from error


def check_shares(settings: TrainParams, images: int, validation: int) -> None:
    """Refuse what several devices cannot share among them."""
    devices = settings.devices
    if 0 < validation < devices:
        raise BadInput(
            f"{validation} validation images cannot be shared among train.devices, {devices}; raise "
            "data.validation_fraction, set it to 0, or lower train.devices"
        )
    if images < settings.batch_size and images % devices:
        raise BadInput(
            f"the {images} images to train on are fewer than train.batch_size, {settings.batch_size}, and as one batch "
            f"cannot be shared equally among train.devices, {devices}; lower either"
        )


def write_results(model: Any, classes: list[str], history: pd.DataFrame, settings: TrainParams) -> dict[str, Any]:
    """Write the model, its history and its metrics; return these."""
    from resnet.saving import save

    with replacing(MODEL) as new:
        save(model, new, classes)
    with replacing(HISTORY) as new:
        history.to_csv(new, index=False, float_format="%.6g")
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    metrics = summary(history, settings, parameters)
    write_json(METRICS, metrics)
    return metrics


def fit_network(
    model: Any, train: Labelled, validation: Labelled, settings: TrainParams, seed: int, folder: Path
) -> pd.DataFrame:
    """Train the model in place, from the newest checkpoint of the folder on; return a row an epoch.

    Raises:
        BadInput: The training diverged, now or before.
    """
    from resnet.batches import steps_per_epoch
    from resnet.callbacks import TrainingDiverged
    from resnet.checkpoints import Checkpoints
    from resnet.training import fit

    refuse_to_diverge_again(folder / DIVERGED)
    kept = Checkpoints(folder, settings.checkpoint_seconds)
    before = kept.position()
    if before is None:
        # Two trainings in one folder would be drawn as one zigzag.
        shutil.rmtree(TENSORBOARD, ignore_errors=True)
    recipe = make_recipe(settings, seed)
    with runlog.timed("train") as record:
        try:
            history = fit(
                model,
                *train,
                recipe,
                validation=validation if len(validation.images) else None,
                checkpoints=kept,
                tensorboard=TENSORBOARD if settings.tensorboard else None,
            )
        except TrainingDiverged as error:
            write_text(folder / DIVERGED, str(error))
            raise BadInput(f"{error}. No model is written") from error
        except (KeyboardInterrupt, SystemExit):
            log.warning("%s", resumption(kept.position()))
            raise
        # What is left over of an epoch is not trained on.
        steps, (epochs, step) = steps_per_epoch(len(train.images), recipe), before or (0, 0)
        record["images"] = (steps * (len(history.epoch) - epochs) - step) * min(recipe.batch_size, len(train.images))
    return pd.DataFrame({"epoch": [epoch + 1 for epoch in history.epoch], **history.history})


def refuse_to_diverge_again(note: Path) -> None:
    """Refuse a training that diverged before, as from the same checkpoint it most likely would again."""
    if note.exists():
        former = note.read_text(encoding="utf-8")
        raise BadInput(
            f"this training diverged before, and nothing that shapes it has changed since: {former}. To try again from "
            f"its last good checkpoint all the same, remove {note}"
        )


def warn_of_chance(metrics: dict[str, Any], measured_on: Labelled) -> None:
    """Warn of a network that has learned nothing."""
    accuracy, by_chance = metrics.get("val_accuracy", metrics["accuracy"]), chance(measured_on.labels)
    if learned_nothing(accuracy, by_chance):
        log.warning(
            "the network learned next to nothing: its accuracy is %.3f, and always answering the most frequent class "
            "would give %.3f; train for more epochs, change train.learning_rate, or look at the labels",
            accuracy,
            by_chance,
        )


def resumption(position: tuple[int, int] | None) -> str:
    """Say where an interrupted training will go on."""
    if position is None:
        return "there is no checkpoint yet: the next run starts from the beginning"
    epoch, step = position
    return f"the next run resumes after epoch {epoch}" + (f", step {step}" if step else "")


def training_files() -> list[Path]:
    """All that is read of data/prepared."""
    arrays = [file(PREPARED, split) for split in (TRAIN, VALIDATION) for file in (images_file, labels_file)]
    return [*arrays, PREPARED / "classes.json"]


def check_validation(path: Path) -> None:
    """Refuse images that did not pass, or are others than those that did."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        passed, manifest = found["success"], found["manifest"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"cannot read {path} ({error!r}); run `dvc repro validate` first") from error
    if passed is not True:
        raise BadInput(f"the images failed their validation, so nothing is trained on them; see {path}")
    check_manifest_hash(manifest)


def make_recipe(settings: TrainParams, seed: int) -> Recipe:
    """Pick from the params what shapes the training itself."""
    named = {field.name for field in dataclasses.fields(Recipe)} - {"seed"}
    values = {name: getattr(settings, name) for name in named}
    return Recipe(**values | {"milestones": tuple(settings.milestones), "seed": seed})


def summary(history: pd.DataFrame, settings: TrainParams, parameters: int) -> dict[str, Any]:
    """What the training came to in the epoch that was kept, and what it ran on as far as that shapes the result."""
    kept = history.iloc[-1]
    if settings.keep == "best":
        # As while it was chosen: one loss that is no number is as bad as another.
        ranked = history.assign(val_loss=history["val_loss"].fillna(math.inf))
        best = ranked.sort_values(["val_accuracy", "val_loss"], ascending=[False, True], kind="stable").index[0]
        kept = history.loc[best]
    measured = sorted(str(name) for name in history if name not in ("epoch", "learning_rate"))
    return {
        "epochs": len(history),
        "kept_epoch": int(kept["epoch"]),
        # A validation loss may be infinite while the running averages of a very deep network are young.
        **{name: round(float(kept[name]), 6) if math.isfinite(kept[name]) else None for name in measured},
        "parameters": parameters,
        "resolved": {
            "device": settings.device,
            "devices": settings.devices,
            "precision": settings.precision,
            "jit": settings.jit,
            "threads": settings.threads,
            "instruction_set": instruction_set(),
        },
    }


if __name__ == "__main__":
    command.main(run, arguments.read(__doc__).params)
