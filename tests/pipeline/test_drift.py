"""How new images are compared with the champion's."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.drift import drift


def manifest(count=100, mean=100.0, labels=("a", "b"), side=32, seed=0, name=""):
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "sha256": [f"{name}{mean}{side}{number}" for number in range(count)],
            "mean": mean + draw.random(count),
            "std": 30 + draw.random(count),
            "width": pd.array([side] * count, dtype="Int64"),
            "height": pd.array([side] * count, dtype="Int64"),
            "label": [labels[number % len(labels)] for number in range(count)],
            "error": pd.array([None] * count, dtype="string"),
        }
    )


def by_feature(table):
    return table.set_index("feature")


def test_equal_images_have_not_drifted():
    table = drift(manifest(), manifest(), 0.1)
    assert table["feature"].tolist() == ["brightness", "contrast", "width", "height", "class shares (most: a)"]
    assert (table["distance"] == 0).all()
    assert not table["warning"].any()


def test_images_with_nothing_in_common_are_at_distance_one():
    table = by_feature(drift(manifest(), manifest(mean=200, side=64, labels=("c",)), 0.1))
    assert table["distance"].drop("contrast").tolist() == [1, 1, 1, 1]
    assert table["distance"]["contrast"] == 0
    assert table["warning"].drop("contrast").all()
    assert not table["warning"]["contrast"]
    assert table.loc["brightness", "candidate"] > 200 > table.loc["brightness", "champion"]


def test_the_distance_of_class_shares_is_half_of_all_that_moved():
    table = by_feature(drift(manifest(labels="aabb"), manifest(labels="aaab"), 0.3))
    assert table.loc["class shares (most: a)"].drop("p").tolist() == pytest.approx([0.5, 0.75, 0.25, False])


def test_a_distance_is_warned_of_from_the_threshold_on():
    half = pd.concat([manifest(50, name="new"), manifest(50, mean=200)])
    assert by_feature(drift(manifest(), half, 0.2))["warning"]["brightness"]
    assert not by_feature(drift(manifest(), half, 0.9))["warning"]["brightness"]


def test_rows_that_could_not_be_decoded_do_not_count():
    broken = manifest(20, mean=0, labels=("broken",)).assign(
        mean=np.nan, std=np.nan, width=pd.NA, height=pd.NA, error="no image"
    )
    pd.testing.assert_frame_equal(
        drift(manifest(), pd.concat([manifest(), broken]), 0.1), drift(manifest(), manifest(), 0.1)
    )


def test_features_that_never_vary_can_be_compared():
    grey = manifest().assign(mean=128.0, std=0.0)
    assert (drift(grey, grey, 0.1)["distance"] == 0).all()
    assert by_feature(drift(grey, grey.assign(mean=129.0), 0.1))["distance"]["brightness"] == 1


def test_the_table_can_be_written_as_json():
    table = drift(manifest(), manifest(mean=200), 0.1)
    assert pd.DataFrame(json.loads(json.dumps(table.to_dict("records"), allow_nan=False))).equals(table)


def test_new_images_are_compared_however_many_old_ones_are_beside_them():
    table = by_feature(drift(manifest(1000), pd.concat([manifest(1000), manifest(30, mean=0, labels="a")]), 0.1))
    assert table["warning"].to_dict() == {
        "brightness": True,
        "contrast": False,
        "width": False,
        "height": False,
        "class shares (most: a)": True,
    }
    assert table.loc["brightness", "candidate"] < 1


@pytest.mark.parametrize(("new", "which"), [(0, ""), (1, ", all images")])
def test_images_that_are_gone_are_missed_whether_others_are_new_or_not(new, which):
    stays, gone, comes = manifest(), manifest(100, mean=50, labels="c"), manifest(new, name="new")
    table = by_feature(drift(pd.concat([stays, gone]), pd.concat([stays, comes]), 0.1))
    assert table["warning"][[f"brightness{which}", f"class shares{which} (most: c)"]].all()
    assert len(table) == 5 + 5 * new


def test_few_images_that_differ_by_chance_are_not_warned_of():
    draw = np.random.default_rng(0)
    shares = 1 / np.arange(1, 51)

    def drawn(count, name):
        labels = [f"class {number}" for number in draw.choice(50, count, p=shares / shares.sum())]
        return manifest(count, labels=labels, seed=draw.integers(2**32), name=name)

    tables = [drift(drawn(500, "old"), drawn(5 + number, "new"), 0.1) for number in range(60)]
    assert (pd.concat(tables)["distance"] > 0.1).sum() > 100
    # One in a hundred would be by chance.
    assert sum(table["warning"].any() for table in tables) <= 3
