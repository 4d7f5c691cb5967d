"""Export a classifier, and put the export in place only when it answers as the classifier does."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.classifier import Classifier
from resnet.errors import BadInput
from resnet.export_formats import FORMATS, Run
from resnet.export_libraries import check_libraries
from resnet.native_messages import held_back

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Exported:
    """What was put in place.

    Attributes:
        difference: The largest one between any two probabilities.
        run: The function that it holds.
    """

    difference: float
    run: Run


def export(classifier: Classifier, form: str, path: Path, images: NDArray[np.uint8]) -> Exported:
    """Write a classifier in another form; a former file at `path` stays unless the new one is right.

    Args:
        form: A name of `resnet.export_formats.FORMATS`.
        images: To compare the answers on.

    Shapes:
        images: (N, H, W, 3).

    Raises:
        BadInput: A library is missing, the place is taken by something else, or the answers differ.
    """
    check_libraries(form)
    chosen = FORMATS[form]
    if keras.backend.backend() != "tensorflow":
        raise BadInput(f"an export needs Keras on TensorFlow, and it runs on {keras.backend.backend()}")
    expected = classifier.model.predict(images, verbose=0)
    with _replacing(path, folder=form == "savedmodel") as new:
        with held_back():
            chosen.write(classifier, new)
            run = chosen.load(new)
            difference = float(np.abs(run(images) - expected).max())
        # Not `>`: a NaN is above nothing.
        if not difference <= TOLERANCE:
            raise BadInput(
                f"the {form} export answers {difference:.2g} away from the Keras model, and {TOLERANCE} is allowed; "
                f"{path} was left as it was"
            )
    return Exported(difference, run)


def size_on_disk(path: Path) -> int:
    """Add up a file, or all files of a folder.

    Units:
        Bytes.
    """
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def _replacing(path: Path, *, folder: bool) -> Iterator[Path]:
    if path.exists() and path.is_dir() != folder:
        raise BadInput(f"{path} is a {'folder' if path.is_dir() else 'file'}, which this export would not replace")
    if path.exists() and not folder and not (path.is_file() and path.suffix in (".onnx", ".tflite")):
        raise BadInput(f"{path} is there and no former export (.onnx, .tflite); name another file")
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise BadInput(f"{path} is a folder with other things in it; name one that is empty or does not exist")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as beside:
        new = Path(beside, path.name)
        yield new
        if path.is_dir():
            # A folder cannot be replaced in one step: set the former one aside first.
            os.replace(path, Path(beside, "former"))
        os.replace(new, path)
