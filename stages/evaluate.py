"""Stage 4: measure the saved model on the test images.

Reads models/model.keras, data/prepared/ and data/manifest.parquet; writes metrics/evaluate.json,
data/predictions.parquet and the tables of plots/. With --out, everything is written below that folder.
"""

from stages import arguments

if __name__ == "__main__":
    arguments.read_of_evaluate(__doc__)

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages import backend, checkpoints, command, runlog
from stages.chance import learned_nothing
from stages.classifier import open_model, predict
from stages.gradients import compare_gradients
from stages.intervals import bootstrap, clusters, share_interval
from stages.outputs import replacing, write_json
from stages.params import EvaluateParams, load
from stages.predictions import rows_of_test, tabulate
from stages.prepared import MANIFEST, check_manifest_hash, load_classes, load_split
from stages.provenance import sha256
from stages.robustness import robustness
from stages.scores import calibration, per_class, scores, scores_of_resamples
from stages.slices import slices
from stages.splits import TEST, TRAIN, VALIDATION
from stages.temperature import fit_temperature, scale

METRICS = Path("metrics/evaluate.json")
PREDICTIONS = Path("data/predictions.parquet")
PLOTS = Path("plots")
log = logging.getLogger(__name__)
Probabilities = NDArray[np.float64]
Labels = NDArray[np.integer]


class Measured(NamedTuple):
    """What a model was asked, as far as TensorFlow was needed for it.

    Shapes:
        probabilities: (N, K), of the test images. on_validation: (V, K), V may be 0.
    """

    probabilities: Probabilities
    on_validation: Probabilities
    corrupted: pd.DataFrame
    gradients: pd.DataFrame


def run(settings: EvaluateParams, distance: int, seed: int, model_file: Path, out: Path) -> None:
    """Measure a model and write what was found below `out`.

    Args:
        distance: Bits in which the perceptual hashes of one picture may differ.

    Raises:
        BadInput: The model or the images are missing or do not belong together, what the model answers is no number,
            or memory ran out.
    """
    train, validation, test = (load_split(split) for split in (TRAIN, VALIDATION, TEST))
    classes = load_classes()
    check_manifest_hash(sha256(MANIFEST))
    tested = rows_of_test(MANIFEST, test, distance)
    with runlog.timed("evaluate", out) as record:
        # Inference is deterministic by itself, and so are a few steps; op determinism would only slow them.
        # What a model is worth should not depend on the CPU that it is asked on.
        backend.start(threads=settings.threads, device="cpu", deterministic=False, seed=seed, instruction_set="avx2")
        with backend.enough_memory(settings.batch_size, "lower evaluate.batch_size"):
            model = open_model(model_file, test.images, classes)
            measured = Measured(
                predict(model, test.images, settings.batch_size),
                predict(model, validation.images, settings.batch_size),
                robustness(model, test, settings.corrupted_images, settings.batch_size, seed),
                compare_gradients(model, train, settings.gradients, seed),
            )
        record["images"] = len(test.images)
    write_results(out, settings, seed, measured, tested, test.labels, validation.labels, classes)


def write_results(
    out: Path,
    settings: EvaluateParams,
    seed: int,
    measured: Measured,
    tested: pd.DataFrame,
    labels: Labels,
    validation_labels: Labels,
    classes: list[str],
) -> None:
    """Draw metrics, predictions and tables from what was measured."""
    probabilities, bins, level = measured.probabilities, settings.calibration_bins, settings.bootstrap.level
    temperature = fit_temperature(measured.on_validation, validation_labels) if len(validation_labels) else None
    scaled = scale(probabilities, temperature or 1.0)
    predictions = tabulate(tested, probabilities, labels, classes)
    cluster = clusters(tested["group"])
    right = int(predictions["correct"].sum())
    scored = scores(probabilities, labels, bins)
    if learned_nothing(scored["accuracy"], scored["chance"]):
        # Such a model has no say in what a label should be.
        predictions["mislabelled"] = False
    found = {
        **scored,
        "images": len(labels),
        "clusters": int(cluster.max()) + 1,
        "intervals": bootstrap(
            scores_of_resamples(probabilities, labels), cluster, settings.bootstrap.resamples, level, seed
        ),
        "wilson": dict(zip(("low", "high"), share_interval(right, len(labels), level), strict=True)),
        "calibrated": {"temperature": temperature, **calibrated_scores(scaled, labels, bins)},
        "without_repeated": without_repeated(predictions, level),
        "corrupted": {"images": min(settings.corrupted_images, len(labels)), **mean_accuracies(measured.corrupted)},
        "mislabelled": int(predictions["mislabelled"].sum()),
    }
    write_json(out / METRICS, rounded(found))
    with replacing(out / PREDICTIONS) as new:
        predictions.to_parquet(new, index=False)
    for name, table in {
        "calibration": calibration(probabilities, labels, bins),
        "calibration_scaled": calibration(scaled, labels, bins),
        "classes": per_class(probabilities, labels, classes),
        "confusion": predictions[["label", "predicted"]].set_axis(["actual", "predicted"], axis="columns"),
        "gradients": measured.gradients,
        "robustness": measured.corrupted,
        "slices": slices(tested, predictions["correct"].to_numpy(bool), level),
    }.items():
        write_csv(out / PLOTS / f"{name}.csv", table)
    for name in ("accuracy", "loss", "top5_accuracy", "macro_f1", "ece"):
        log.info("%s %.4f", name, found[name])


def calibrated_scores(scaled: Probabilities, labels: Labels, bins: int) -> dict[str, float]:
    """What a temperature changes; no image's most probable class is among that."""
    found = scores(scaled, labels, bins)
    return {name: found[name] for name in ("loss", "ece")}


def without_repeated(predictions: pd.DataFrame, level: float) -> dict[str, float]:
    """The accuracy on images whose picture is nowhere else, the first of several in test included."""
    own = predictions.loc[~predictions["repeated"], "correct"]
    if own.empty:
        return {"images": 0}
    low, high = share_interval(int(own.sum()), len(own), level)
    return {"images": len(own), "accuracy": float(own.mean()), "low": low, "high": high}


def mean_accuracies(corrupted: pd.DataFrame) -> dict[str, float]:
    """The accuracy under each corruption, and under all of them, as means over their strengths."""
    each = corrupted[corrupted["strength"] > 0].drop(columns="strength").mean()
    return {"accuracy": float(each.mean()), **{str(name): float(value) for name, value in each.items()}}


def rounded(found: Any) -> Any:
    """Round every number in a tree to what can be told from chance."""
    if isinstance(found, dict):
        return {name: rounded(value) for name, value in found.items()}
    return round(found, 6) if isinstance(found, float) else found


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table of plots/."""
    with replacing(path) as new:
        table.to_csv(new, index=False, float_format="%.6g")


def main() -> None:
    """Run from the command line."""
    options = arguments.read_of_evaluate(__doc__)

    def work() -> None:
        params = load(options.params)
        checkpoints.forget_recorded()
        distance = params.validate_.near_duplicates.distance
        run(params.evaluate, distance, params.seed, options.model, options.out)

    command.run_and_exit(work)


if __name__ == "__main__":
    main()
