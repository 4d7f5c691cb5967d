"""What a classifier gets right that has learned nothing."""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer]


def chance(labels: Labels) -> float:
    """The accuracy of always answering the most frequent class."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def learned_nothing(accuracy: float, chance: float) -> bool:
    """Whether an accuracy is next to chance: less than a tenth of the way from there to 1."""
    # Of a single class there is nothing to learn.
    return chance < 1 and accuracy <= chance + 0.1 * (1 - chance)
