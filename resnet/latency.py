"""How long a model takes, and how much longer than another, on a machine that is busy with other things too."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BATCH = 32
# With fewer rounds there is no 95 % interval of their median.
LEAST_ROUNDS = 6
_WARM_UP_CALLS = 3


@dataclass(frozen=True)
class Ratio:
    """How many times as long one thing takes as another: the median, and its 95 % interval."""

    median: float
    low: float
    high: float


def time_rounds(calls: Sequence[Callable[[], object]], seconds: float) -> NDArray[np.float64]:
    """Call each thing once a round, in changing order, until the time is up.

    What disturbs a machine for longer than a round disturbs all calls of that round alike, so that the ratios
    within rounds tell far more than the times themselves.

    Shapes:
        (rounds, calls).
    Units:
        Milliseconds.
    """
    for call in calls:
        for _ in range(_WARM_UP_CALLS):
            call()
    rounds: list[list[float]] = []
    end = time.perf_counter() + seconds
    while len(rounds) < LEAST_ROUNDS or time.perf_counter() < end:
        taken = [0.0] * len(calls)
        # Whoever comes second may find the caches warm, or full.
        for index in sorted(range(len(calls)), reverse=len(rounds) % 2 == 1):
            start = time.perf_counter()
            calls[index]()
            taken[index] = 1000 * (time.perf_counter() - start)
        rounds.append(taken)
    return np.array(rounds)


def paired_ratio(first: NDArray[np.float64], second: NDArray[np.float64]) -> Ratio:
    """Compare the times of two things that were timed side by side.

    The interval is that of order statistics, which supposes nothing of how the times are distributed.

    Shapes:
        (rounds,) each, at least LEAST_ROUNDS.
    """
    ratios = np.sort(first / second)
    outside = _ranks_outside(len(ratios))
    return Ratio(float(np.median(ratios)), float(ratios[outside]), float(ratios[-1 - outside]))


def _ranks_outside(rounds: int) -> int:
    """How many order statistics lie outside, at each end, of the median's interval of 95 % or more."""
    # Of so many fair coins: in how many ways `rank + 1` of them show heads, and in how many no more do.
    rank, ways, cases = 0, rounds, 1 + rounds
    while 40 * cases <= 2**rounds:
        rank += 1
        ways = ways * (rounds - rank) // (rank + 1)
        cases += ways
    return rank


def random_images(count: int, side: int) -> NDArray[np.uint8]:
    """Draw images to time a model with; what they show changes nothing."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
