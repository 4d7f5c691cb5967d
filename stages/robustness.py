"""Accuracy under corruptions, on a sample of the test images."""

from typing import Any

import numpy as np
import pandas as pd

from stages.classifier import predict
from stages.corruptions import CORRUPTIONS, Corruption
from stages.prepared import Labelled


def robustness(model: Any, test: Labelled, images: int, batch_size: int, seed: int) -> pd.DataFrame:
    """Measure a model on the same sample of images, whole and under every corruption.

    Returns:
        A row a strength, 0 (none) to 5, and under each corruption's name the accuracy.
    """
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.permutation(len(test.images))[:images])
    sample, labels = test.images[chosen], test.labels[chosen]

    def accuracy(corrupt: Corruption, strength: float) -> float:
        # A batch at a time, as some corruptions take 24 bytes for each of a picture's.
        starts = range(0, len(sample), batch_size)
        batches = (corrupt(sample[start : start + batch_size], strength, draw) for start in starts)
        answers = np.concatenate([predict(model, batch, batch_size).argmax(axis=1) for batch in batches])
        return float((answers == labels).mean())

    whole = accuracy(lambda images, *_: images, 0)
    table = pd.DataFrame(
        {
            name: [whole, *(accuracy(corrupt, strength) for strength in strengths)]
            for name, (corrupt, strengths) in CORRUPTIONS.items()
        }
    )
    return table.rename_axis("strength").reset_index()
