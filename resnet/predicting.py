"""Predict the classes of image files of any number: read, predicted and handed on batch by batch."""

import itertools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet.classifier import Classifier
from resnet.errors import BadInput
from resnet.images import UnreadableImage, read_picture
from resnet.picture_files import Failure

Pixels = NDArray[np.uint8]
# More of them would take Python's lock in turns and keep the predictions waiting for it.
READERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Prediction:
    """The probabilities of an image's classes.

    Shapes:
        probabilities: (K,).
    """

    path: Path
    probabilities: NDArray[np.float32]


def predict_files(
    classifier: Classifier, found: Iterable[Path | Failure], batch_size: int = 32
) -> Iterator[Prediction | Failure]:
    """Yield a prediction or a failure for each file, in the order in which they came.

    Raises:
        BadInput: The model answers with what is no probability.
    """
    full = False
    for batch in _read_ahead(found, classifier.side, batch_size):
        images = [pixels for _, pixels in batch if not isinstance(pixels, Failure)]
        # A batch of another size would be compiled anew.
        padding = batch_size - len(images) if full else 0
        full = full or len(images) == batch_size
        rows = iter(())
        if images:
            answers = classifier.model.predict_on_batch(np.stack(images + images[:1] * padding))
            if not np.isfinite(answers).all():
                raise BadInput("the model predicts NaN or infinity, as after a training that diverged; use another one")
            rows = iter(answers)
        for path, pixels in batch:
            yield pixels if isinstance(pixels, Failure) else Prediction(path, next(rows))


def _read_ahead(
    found: Iterable[Path | Failure], side: int, batch_size: int
) -> Iterator[list[tuple[Path, Pixels | Failure]]]:
    """Read the next batch while the last one is being predicted."""
    waiting: list[Future[tuple[Path, Pixels | Failure]]] = []
    remaining = iter(found)
    with ThreadPoolExecutor(READERS) as pool:
        while chunk := list(itertools.islice(remaining, batch_size)):
            coming = [pool.submit(_read, item, side) for item in chunk]
            if waiting:
                yield [future.result() for future in waiting]
            waiting = coming
        if waiting:
            yield [future.result() for future in waiting]


def _read(item: Path | Failure, side: int) -> tuple[Path, Pixels | Failure]:
    if isinstance(item, Failure):
        return item.path, item
    try:
        return item, read_picture(item, side).pixels
    except UnreadableImage as error:
        return item, Failure(item, str(error))
