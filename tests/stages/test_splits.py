import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.splits import SPLITS, TEST, TRAIN, VALIDATION, place

fractions = st.floats(0, 0.5, exclude_max=True)
reproducibly = settings(derandomize=True, database=None, deadline=None, max_examples=200)


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.2), (0.0, 0.5), (0.3, 0.0), (0.0, 0.0), (0.49, 0.5)])
def test_each_split_gets_its_share(validation, test):
    counts = Counter(place(0, f"image\0cat\0{number}", validation, test) for number in range(20_000))
    expected = {TRAIN: 1 - validation - test, VALIDATION: validation, TEST: test}
    for split in SPLITS:
        # Five standard deviations of a fair draw.
        assert counts[split] / 20_000 == pytest.approx(expected[split], abs=0.018)
        assert (counts[split] == 0) == (expected[split] == 0)


def test_the_rule_is_the_one_that_former_runs_used():
    # A pipeline that splits otherwise tests tomorrow on what it trained on yesterday.
    keys = [f"image\0cat\0{hashlib.sha256(bytes([number])).hexdigest()}" for number in range(8)]
    expected = [TEST, TRAIN, TEST, TEST, TEST, VALIDATION, TEST, TRAIN]
    assert [place(0, key, 0.25, 0.25) for key in keys] == expected


def test_another_seed_draws_another_split():
    keys = [str(number) for number in range(100)]
    assert [place(0, key, 0.1, 0.4) for key in keys] != [place(1, key, 0.1, 0.4) for key in keys]


@reproducibly
@given(st.integers(0, 2**32 - 1), st.text(), fractions, fractions, fractions)
def test_more_test_images_are_never_taken_from_what_was_kept_for_training(seed, key, validation, small, large):
    small, large = sorted((small, large))
    if place(seed, key, validation, small) == TEST:
        assert place(seed, key, validation, large) == TEST
    assert place(seed, key, validation, small) in SPLITS


def test_a_key_that_is_no_utf_8_has_its_place():
    assert place(0, "image\0\udcff", 0.1, 0.2) in SPLITS
