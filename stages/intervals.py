"""How far a measurement would move if other test images had been drawn."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Counts = NDArray[np.int64]
Statistics = dict[str, float]


def bootstrap(
    statistic: Callable[[Counts], Statistics], images: int, resamples: int, level: float, seed: int
) -> dict[str, dict[str, float]]:
    """Give the percentile interval of each statistic over resamples of the images.

    Args:
        statistic: Measures a resample, given how often each image is in it.
        level: The share of resamples that an interval covers.

    Source: Efron 1979, "Bootstrap Methods: Another Look at the Jackknife".
    """
    draw = np.random.default_rng(seed)
    measured = [statistic(np.bincount(draw.integers(0, images, images), minlength=images)) for _ in range(resamples)]
    tails = [(1 - level) / 2, (1 + level) / 2]
    bounds = {name: np.quantile([row[name] for row in measured], tails) for name in measured[0]}
    return {name: {"low": float(low), "high": float(high)} for name, (low, high) in bounds.items()}


def share_interval(hits: int, images: int, level: float) -> tuple[float, float]:
    """Wilson's interval of a share, which also has a width where all or none are hits.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    found = binomtest(hits, images).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)
