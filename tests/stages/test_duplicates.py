import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.duplicates import describe_pictures, same_colors, same_file, same_picture
from stages.splits import SPLITS

reproducibly = settings(derandomize=True, database=None, deadline=None, max_examples=60)


def codes(values):
    return pd.Series([f"{value:016x}" for value in values], dtype="string")


def grouped(numbers):
    """Which positions share a number."""
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in numbers}


def compared_one_by_one(values, distance):
    """The groups that chains of near pairs make, found by comparing every two."""
    number = list(range(len(values)))
    for first, second in itertools.combinations(range(len(values)), 2):
        if (values[first] ^ values[second]).bit_count() <= distance:
            number = [number[first] if own == number[second] else own for own in number]
    return grouped(np.array(number))


@st.composite
def hashes_with_near_pairs(draw):
    """Random hashes, and copies of some of them that differ in a few bits, in any order."""
    values = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12))
    copies = draw(st.lists(st.tuples(st.integers(0, 99), st.sets(st.integers(0, 63), max_size=10)), max_size=25))
    for of, bits in copies:
        values.append(values[of % len(values)] ^ sum(1 << bit for bit in bits))
    return draw(st.permutations(values))


@reproducibly
@given(hashes_with_near_pairs(), st.integers(0, 8))
def test_near_pairs_are_those_that_comparing_every_two_finds(values, distance):
    assert grouped(same_picture(codes(values), distance)) == compared_one_by_one(values, distance)


@pytest.mark.parametrize("distance", range(9))
def test_bits_that_differ_are_found_wherever_they_are(distance):
    draw = np.random.default_rng(distance)
    for _ in range(50):
        bits = [int(bit) for bit in draw.permutation(64)[: distance + 1]]
        near, far = sum(1 << bit for bit in bits[:distance]), sum(1 << bit for bit in bits)
        assert len(grouped(same_picture(codes([0, near]), distance))) == 1
        assert len(grouped(same_picture(codes([0, far]), distance))) == 2


def test_chains_count_as_one_picture():
    assert grouped(same_picture(codes([0b0, 0b11, 0b1111, 0b111111 << 20]), 2)) == {
        frozenset({0, 1, 2}),
        frozenset({3}),
    }


def test_a_thousand_images_that_share_most_bits_are_compared_rightly():
    values = [int(value) for value in np.random.default_rng(0).integers(0, 2**20, 300)]
    assert grouped(same_picture(codes(values), 2)) == compared_one_by_one(values, 2)


@pytest.mark.parametrize("values", [[], [7], [7] * 1000])
def test_no_image_one_image_and_a_thousand_equal_ones_are_no_special_case(values):
    assert len(grouped(same_picture(codes(values), 4))) == len(set(values))


def test_files_are_the_same_by_their_content():
    assert grouped(same_file(pd.Series(["a", "b", "a", "c"]))) == {frozenset({0, 2}), frozenset({1}), frozenset({3})}


def test_pictures_are_told_apart_by_the_mean_of_any_channel_and_chains_count_as_one():
    colors = ["500000", "580000", "600000", "690000", "005000", "000050", "000058", "500000"]
    assert grouped(same_colors(np.array([7] * 7 + [3]), pd.Series(colors))) == {
        *(frozenset(group) for group in ({0, 1, 2}, {3}, {4}, {5, 6}, {7})),
    }


def described(rows):
    """What is said of images given as (picture, split, label)."""
    pictures, splits, labels = zip(*rows, strict=True)
    return describe_pictures(np.array(pictures), pd.Series(splits), pd.Series(labels))


def test_images_that_are_alone_have_no_twin():
    assert (described([(0, "train", "cat"), (1, "train", "cat"), (2, "test", "dog")]) == -1).all(axis=None)


def test_twins_and_conflicts_are_told_within_and_across_splits():
    found = described([(5, "train", "cat"), (5, "train", "cat"), (5, "test", "dog"), (9, "test", "dog")])
    assert found.to_dict("list") == {
        "twin_within_split": [1, 0, -1, -1],
        "twin_across_splits": [2, 2, 0, -1],
        "conflict_within_split": [-1, -1, -1, -1],
        "conflict_across_splits": [2, 2, 0, -1],
    }
    found = described([(5, "train", "cat"), (5, "train", "dog"), (5, "test", "cat")])
    assert found.to_dict("list") == {
        "twin_within_split": [1, 0, -1],
        "twin_across_splits": [2, 2, 0],
        "conflict_within_split": [1, 0, -1],
        "conflict_across_splits": [-1, 2, 1],
    }


@reproducibly
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(SPLITS), st.sampled_from(["cat", "dog", "eel"])), min_size=1)
)
def test_a_twin_is_the_first_image_that_looking_at_every_two_finds(rows):
    def first(position, matches):
        own = rows[position]
        others = ((other, row) for other, row in enumerate(rows) if other != position and row[0] == own[0])
        return next((other for other, row in others if matches(row, own)), -1)

    matching = {
        "twin_within_split": lambda row, own: row[1] == own[1],
        "twin_across_splits": lambda row, own: row[1] != own[1],
        "conflict_within_split": lambda row, own: row[1] == own[1] and row[2] != own[2],
        "conflict_across_splits": lambda row, own: row[1] != own[1] and row[2] != own[2],
    }
    assert described(rows).to_dict("list") == {
        column: [first(position, matches) for position in range(len(rows))] for column, matches in matching.items()
    }
