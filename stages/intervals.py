"""How far a measurement would move if other test images had been drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Statistics = dict[str, float]


def clusters(groups: "pd.Series[Any]") -> NDArray[np.int64]:
    """Number what is drawn as one: all images of a group, and each image that has none.

    Images of one group are alike, so that to draw them one by one would make intervals too narrow.
    """
    numbers = pd.factorize(groups)[0]
    alone = numbers < 0
    numbers[alone] = numbers.max(initial=-1) + 1 + np.arange(alone.sum())
    return numbers


def bootstrap(
    statistic: Callable[[Counts], Statistics], cluster: NDArray[np.int64], resamples: int, level: float, seed: int
) -> dict[str, dict[str, float]]:
    """Give the percentile interval of each statistic over resamples of the images.

    Args:
        statistic: Measures a resample, given how often each image is in it.
        cluster: What each image is drawn with, as `clusters` numbers it.
        level: The share of resamples that an interval covers.

    Source: Efron 1979, "Bootstrap Methods: Another Look at the Jackknife".
    """
    draw, count = np.random.default_rng(seed), int(cluster.max()) + 1
    drawn = (np.bincount(draw.integers(0, count, count), minlength=count) for _ in range(resamples))
    measured = [statistic(times[cluster]) for times in drawn]
    tails = [(1 - level) / 2, (1 + level) / 2]
    bounds = {name: np.quantile([row[name] for row in measured], tails) for name in measured[0]}
    return {name: {"low": float(low), "high": float(high)} for name, (low, high) in bounds.items()}


def share_interval(hits: int, images: int, level: float) -> tuple[float, float]:
    """Wilson's interval of a share, which also has a width where all or none are hits.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    # SciPy's statistics take a second to import, which a first model need not wait for in the gate.
    from scipy.stats import binomtest

    found = binomtest(hits, images).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)
