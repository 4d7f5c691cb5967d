"""Accuracy under corruptions, on a sample of the test images."""

from typing import Any

import numpy as np
import pandas as pd

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
    sample = Labelled(np.asarray(test.images[chosen]), test.labels[chosen])

    def accuracy(split: Labelled) -> float:
        return float((predict(model, split, batch_size).argmax(axis=1) == split.labels).mean())

    whole = accuracy(sample)
    table = pd.DataFrame(
        {
            name: [
                whole,
                *(accuracy(Labelled(corrupt(sample.images, size, draw), sample.labels)) for size in strengths),
            ]
            for name, (corrupt, strengths) in CORRUPTIONS.items()
        }
    )
    return table.rename_axis("strength").reset_index()
