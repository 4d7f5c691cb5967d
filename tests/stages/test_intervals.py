import numpy as np
import pandas as pd
import pytest

from stages.intervals import bootstrap, clusters, share_interval
from stages.scores import scores_of_resamples

CERTAIN = np.eye(4)[np.arange(200) % 4]


def accuracy_of(correct):
    return lambda counts: {"accuracy": float(counts @ correct / counts.sum())}


def test_the_interval_of_an_accuracy_is_as_wide_as_theory_says():
    correct = np.arange(400) % 10 < 8
    found = bootstrap(accuracy_of(correct), np.arange(400), 4000, 0.95, seed=0)["accuracy"]
    # 0.8 plus and minus 1.96 standard errors of 0.02.
    assert found["low"] == pytest.approx(0.8 - 0.0392, abs=0.004)
    assert found["high"] == pytest.approx(0.8 + 0.0392, abs=0.004)


def test_the_same_seed_gives_the_same_interval_and_another_one_a_slightly_different_one():
    statistic = accuracy_of(np.arange(37) % 3 > 0)
    one, again, other = (bootstrap(statistic, np.arange(37), 200, 0.9, seed) for seed in (1, 1, 2))
    assert one == again != other


def test_a_larger_level_is_a_wider_interval():
    statistic = accuracy_of(np.arange(50) % 2)
    widths = [bootstrap(statistic, np.arange(50), 500, level, 0)["accuracy"] for level in (0.5, 0.8, 0.99)]
    widths = [found["high"] - found["low"] for found in widths]
    assert widths == sorted(widths)
    assert len(set(widths)) == 3


def test_a_model_without_mistakes_has_an_interval_without_width():
    found = bootstrap(scores_of_resamples(CERTAIN, np.arange(200) % 4), np.arange(200), 100, 0.95, 0)
    assert found["accuracy"] == {"low": 1.0, "high": 1.0}
    assert found["macro_f1"] == {"low": 1.0, "high": 1.0}


def test_five_images_have_a_wide_interval():
    found = bootstrap(accuracy_of(np.array([1, 1, 1, 1, 0])), np.arange(5), 1000, 0.95, 0)["accuracy"]
    assert found["high"] - found["low"] >= 0.6


def test_images_of_a_group_are_drawn_together_and_others_by_themselves():
    numbers = clusters(pd.Series(["a", None, "b", "a", pd.NA, "image\x001"], index=[5, 4, 3, 2, 1, 0], dtype="string"))
    assert numbers.tolist() == [0, 3, 1, 0, 4, 2]
    # Forty groups of ten images each, all of a group right or all wrong: as wide as of forty images.
    right = np.repeat(np.arange(40) % 5 > 0, 10)
    found = bootstrap(accuracy_of(right), np.repeat(np.arange(40), 10), 4000, 0.95, 0)["accuracy"]
    assert found["low"] == pytest.approx(0.8 - 0.124, abs=0.02)
    assert found["high"] == pytest.approx(0.8 + 0.124, abs=0.02)


@pytest.mark.parametrize(("hits", "images"), [(0, 5), (5, 5), (1, 1), (3, 10), (990, 1000)])
def test_the_interval_of_a_share_holds_the_share_and_always_has_a_width(hits, images):
    low, high = share_interval(hits, images, 0.95)
    assert 0 <= low <= hits / images <= high <= 1
    assert high - low > 0.01


def test_the_interval_of_a_share_is_wilsons():
    # Newcombe 1998, table I: 81 of 263.
    assert share_interval(81, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=1e-4)
