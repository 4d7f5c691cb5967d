"""Accuracy under corruptions, on a sample of the test images."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.classifier import predict
from stages.corruptions import CORRUPTIONS
from stages.prepared import Labelled


def robustness(model: Any, test: Labelled, images: int, batch_size: int, seed: int) -> pd.DataFrame:
    """Measure a model on the same sample of images, whole and under every corruption.

    Returns:
        A row a strength, 0 (none) to 5, and under each corruption's name the accuracy.
    """
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.permutation(len(test.images))[:images])
    sample, labels = test.images[chosen], test.labels[chosen]

    def accuracy(pixels: NDArray[np.uint8]) -> float:
        return float((predict(model, pixels, batch_size).argmax(axis=1) == labels).mean())

    whole = accuracy(sample)
    table = pd.DataFrame(
        {
            name: [whole, *(accuracy(corrupt(sample, size, draw)) for size in strengths)]
            for name, (corrupt, strengths) in CORRUPTIONS.items()
        }
    )
    return table.rename_axis("strength").reset_index()
