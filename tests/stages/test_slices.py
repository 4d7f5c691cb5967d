import math

import numpy as np
import pandas as pd
import pytest

from stages.slices import slices


@pytest.fixture
def rows():
    """Forty test images: the bright half is right; columns can be added or changed."""

    def make(**columns):
        table = pd.DataFrame(
            {
                "path": [f"{number}.png" for number in range(40)],
                "label": ["cat", "dog"] * 20,
                "split": "test",
                "group": pd.array([None] * 40, "string"),
                "width": pd.array([30] * 40, "Int32"),
                "height": pd.array([20] * 40, "Int32"),
                "channels": pd.array([3] * 40, "Int8"),
                "format": pd.array(["PNG"] * 40, "string"),
                "bytes": 1000,
                "sha256": [f"{number:064x}" for number in range(40)],
                "perceptual_hash": "0" * 16,
                "mean": np.linspace(10, 250, 40),
                "std": 50.0,
                "error": pd.array([None] * 40, "string"),
            }
        )
        return table.assign(**columns)

    return make


DAYS = [(101, 106), (106, 110), (110, 115), (115, 120)]


def measured(table):
    return slices(table, np.arange(40) >= 20, 0.95)


def test_brightness_is_cut_into_quarters_from_dark_to_bright(rows):
    found = measured(rows()).query("property == 'brightness'")
    assert found["images"].tolist() == [10, 10, 10, 10]
    assert found["accuracy"].tolist() == [0, 0, 1, 1]
    assert found["value"].tolist() == ["10 to 70", "70 to 130", "130 to 190", "190 to 250"]
    assert ((found["low"] <= found["accuracy"]) & (found["accuracy"] <= found["high"])).all()


def test_each_class_is_a_slice_and_what_all_images_share_is_none(rows):
    found = measured(rows())
    assert found["property"].unique().tolist() == ["brightness", "class"]
    assert found.query("property == 'class'")["slice"].tolist() == ["class: cat", "class: dog"]


@pytest.mark.parametrize(
    ("name", "values", "parts"),
    [
        ("channels", pd.array([1, 3] * 20, "Int8"), ["1", "3"]),
        ("camera", ["old", "new"] * 20, ["new", "old"]),
        ("night", [True, False] * 20, ["False", "True"]),
        ("age", np.arange(40), ["0 to 9.75", "9.75 to 19.5", "19.5 to 29.25", "29.25 to 39"]),
        ("flag", [0.0, 1.0] * 20, ["0", "1"]),
        ("day", [20240101, 20240102] * 20, ["20240101", "20240102"]),
        ("site", [1234567.0, 1234568.0] * 20, ["1234567", "1234568"]),
        ("date", 20240101 + np.arange(40) % 20, [f"{20240000 + low:,} to {20240000 + high:,}" for low, high in DAYS]),
        ("star", ["a", None] * 20, None),
        ("group", [f"group {number}" for number in range(40)], None),
    ],
)
def test_any_further_column_is_a_property_if_it_divides_the_images_into_few_parts(rows, name, values, parts):
    found = measured(rows(**{name: values})).query("property == @name")
    assert found["value"].tolist() == (parts or [])
    assert found["images"].sum() == (40 if parts else 0)


def test_few_sizes_are_named_and_many_are_cut_into_quarters(rows):
    few = measured(rows(width=pd.array([30, 8] * 20, "Int32"))).query("property == 'size'")
    assert few["value"].tolist() == ["8 x 20", "30 x 20"]
    many = measured(rows(width=pd.array(range(20, 60), "Int32"))).query("property == 'size'")
    assert many["images"].tolist() == [10, 10, 10, 10]


@pytest.mark.parametrize("name", ["age", "bytes", "width"])
def test_of_few_images_each_with_a_number_of_its_own_quarters_are_compared_and_not_the_images(rows, name):
    few = rows(**{name: np.arange(20, 60)}).head(8)
    found = slices(few, np.arange(8) >= 4, 0.95).query("property == @name or property == 'size'")
    assert found["images"].tolist() == [2, 2, 2, 2]


def test_images_of_unknown_value_are_in_no_part(rows):
    found = measured(rows(camera=["old", "new", None, "new"] * 10)).query("property == 'camera'")
    assert found["images"].tolist() == [20, 10]


def test_five_images_have_slices_too(rows):
    found = slices(rows().head(5), np.array([True] * 4 + [False]), 0.95)
    assert found.query("property == 'brightness'")["images"].sum() == 5
    assert (found["high"] - found["low"] > 0.3).all()


def test_a_column_of_the_name_of_what_is_measured_anyway_is_a_slice_of_its_own(rows):
    found = measured(rows(**{"class": ["first", "second"] * 20, "brightness": ["low", "high"] * 20}))
    names = ["brightness", "class (given)", "brightness (given)", "class"]
    assert sorted(found["property"].unique()) == sorted(names)
    assert found.query("property == 'class'")["value"].tolist() == ["cat", "dog"]


def test_a_part_is_held_against_the_rest_and_not_against_a_whole_that_it_is_half_of(rows):
    found = measured(rows(camera=["old"] * 19 + ["new"] * 21)).query("property == 'camera'").set_index("value")
    # Of 40 images 20 are right, of these 19 none: of all ways to choose 19 of 40, those that miss all 20.
    assert found["p"]["old"] == pytest.approx(math.comb(20, 19) / math.comb(40, 19))
    assert found["p"]["new"] == pytest.approx(1)
