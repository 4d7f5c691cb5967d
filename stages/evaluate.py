"""Stage 4: measure the saved model on the test images.

Reads models/model.keras, data/prepared/ and data/manifest.parquet; writes metrics/evaluate.json,
data/predictions.parquet and the tables of plots/. With --out, everything is written below that folder.
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages import backend, command, runlog
from stages.errors import BadInput
from stages.outputs import replacing, write_json
from stages.params import EvaluateParams, load
from stages.prepared import MANIFEST, Labelled, load_classes, load_split
from stages.scores import calibration, per_class, scores
from stages.splits import TEST

MODEL = Path("models/model.keras")
METRICS = Path("metrics/evaluate.json")
PREDICTIONS = Path("data/predictions.parquet")
CONFUSION = Path("plots/confusion.csv")
CALIBRATION = Path("plots/calibration.csv")
CLASSES = Path("plots/classes.csv")
log = logging.getLogger(__name__)


def run(settings: EvaluateParams, seed: int, model_file: Path, out: Path) -> None:
    """Measure a model and write what was found below `out`.

    Raises:
        BadInput: The model or the images are missing or do not belong together.
    """
    test, classes = load_split(TEST), load_classes()
    tested = test_rows(MANIFEST, test)
    with runlog.timed("evaluate") as record:
        probabilities = predict(settings, seed, model_file, test, classes)
        record["images"] = len(test.images)
    found = scores(probabilities, test.labels, settings.calibration_bins)
    write_json(out / METRICS, {name: round(value, 6) for name, value in found.items()} | {"images": len(tested)})
    names = np.array(classes)
    predicted = probabilities.argmax(axis=1)
    table = tested.assign(
        predicted=names[predicted],
        confidence=probabilities.max(axis=1),
        correct=predicted == test.labels,
        probabilities=list(probabilities.astype(np.float32)),
    )
    with replacing(out / PREDICTIONS) as new:
        table.to_parquet(new, index=False)
    pairs = pd.DataFrame({"actual": names[test.labels], "predicted": names[predicted]})
    write_csv(out / CONFUSION, pairs)
    write_csv(out / CALIBRATION, calibration(probabilities, test.labels, settings.calibration_bins))
    write_csv(out / CLASSES, per_class(probabilities, test.labels, classes))
    for name, value in found.items():
        log.info("%s %.4f", name, value)


def predict(
    settings: EvaluateParams, seed: int, model_file: Path, test: Labelled, classes: list[str]
) -> NDArray[np.float64]:
    """Run the model over the test images.

    Shapes:
        (N, K), rows that sum to 1.
    """
    # Inference is deterministic by itself; op determinism would only slow it.
    backend.start(threads=settings.threads, device="cpu", deterministic=False, seed=seed)
    import keras

    from resnet.evaluation import EvaluationBatches

    if not model_file.is_file():
        raise BadInput(f"there is no model at {model_file}; run `dvc repro train` or `dvc checkout`")
    try:
        model = keras.saving.load_model(model_file, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise BadInput(f"{model_file} is no Keras model that can be loaded: {error}") from error
    # Keras would choose XLA wherever a GPU is plugged in, although the CPU is what measures here.
    model.jit_compile = False
    expected, found = (test.images.shape[1:], len(classes)), (model.input_shape[1:], model.output_shape[-1])
    if expected != found:
        raise BadInput(
            f"{model_file} takes images of {found[0]} and knows {found[1]} classes, but the prepared ones have "
            f"{expected[0]} and {expected[1]}; run `dvc repro` so that both come from the same data"
        )
    batches = EvaluationBatches(test.images, test.labels, len(classes), settings.batch_size)
    probabilities = model.predict(batches, verbose=0).astype(np.float64)
    # float32 rows sum to 1 within its rounding only.
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def test_rows(manifest: Path, test: Labelled) -> pd.DataFrame:
    """The manifest's rows of the test images, in the arrays' order."""
    try:
        rows = pd.read_parquet(manifest, columns=["path", "label", "sha256", "split"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"cannot read {manifest} ({error}); run `dvc repro prepare`") from error
    rows = rows[rows["split"] == TEST].drop(columns="split").reset_index(drop=True)
    if len(rows) != len(test.images):
        raise BadInput(
            f"{manifest} has {len(rows)} test images, but the arrays have {len(test.images)}; run `dvc repro prepare`"
        )
    return rows


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table of plots/."""
    with replacing(path) as new:
        table.to_csv(new, index=False, float_format="%.6g")


def main() -> None:
    """Run from the command line."""
    parser = command.parser(__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, metavar="FILE", help=f"the model (default: {MODEL})")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER", help="where metrics/, plots/ and data/ go (default: here)"
    )
    options = parser.parse_args()

    def work() -> None:
        params = load(options.params)
        run(params.evaluate, params.seed, options.model, options.out)

    command.run_and_exit(work)


if __name__ == "__main__":
    main()
