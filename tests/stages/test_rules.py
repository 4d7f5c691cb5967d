import pandas as pd
import pytest

NEAR = {"tolerated": 1.0}


@pytest.fixture
def broken(validate):
    """The number of rows that break each rule, and its examples."""

    def check(manifest, thresholds):
        batches = validate.make_batches(validate.tables(manifest, thresholds))
        outcomes = [validate.outcome(rule, batches[rule.table]) for rule in validate.checks(thresholds)]
        return {found["rule"]: (found["broken"], found["examples"]) for found in outcomes if found["outcome"] != "pass"}

    return check


def changed(manifest, changes):
    """The manifest with some cells changed: {column: {row: value}}."""
    for column, values in changes.items():
        for row, value in values.items():
            manifest.loc[row, column] = value
    return manifest


def of(manifest, column, row, flipped=0):
    """A value of another row; a hash may have some of its lowest bits flipped."""
    value = manifest.loc[row, column]
    return f"{int(value, 16) ^ flipped:016x}" if flipped else value


def test_good_images_break_no_rule(broken, manifest, thresholds):
    assert broken(manifest, thresholds()) == {}


def test_shares_are_told_as_they_were_set(validate, thresholds):
    shares = {"train": 0.125, "validation": 0.1, "test": 0.07}
    rules = validate.checks(thresholds(class_balance={"at_least": 0.005}, split_shares=shares))
    told = {check.rule: check.means for check in rules}
    assert told["class_balance"] == "every class has 0.5 % or more of the largest one's training images"
    assert told["split_shares"].startswith("train, validation and test have 12.5 %, 10 % and 7 % or more of all")


UNREADABLE = {
    name: {3: None} for name in ("split", "width", "height", "channels", "perceptual_hash", "mean_color", "mean", "std")
}


@pytest.mark.parametrize(
    ("rule", "changes", "relaxed", "count", "examples"),
    [
        ("decodable", UNREADABLE | {"error": {3: "no image"}}, {}, 1, ["03.png"]),
        ("side (width)", {"width": {5: 101, 6: 7}}, {}, 2, ["05.png", "06.png"]),
        ("side (height)", {"height": {39: 7}}, {}, 1, ["39.png"]),
        ("channels", {"channels": {0: 4}}, {}, 1, ["00.png"]),
        (
            "known_labels",
            {"label": {16: "eel"}},
            {"smallest_class": {"at_least": 0}, "class_balance": {"at_least": 0}},
            1,
            ["16.png"],
        ),
        ("smallest_class", {}, {"smallest_class": {"at_least": 12.5}}, 2, ["cat", "dog"]),
        (
            "class_balance",
            {"label": dict.fromkeys(range(20, 27), "cat")},
            {"smallest_class": {"at_least": 5}},
            1,
            ["dog"],
        ),
        ("split_shares", {"split": dict.fromkeys([12, 13, 14, 15, 32], "train")}, {}, 1, ["validation"]),
        ("brightness", {"mean": {7: 4.9, 8: 250.1}}, {}, 2, ["07.png", "08.png"]),
        ("contrast", {"std": {7: 2.9, 8: 128.1}}, {}, 2, ["07.png", "08.png"]),
    ],
)
def test_a_rule_breaks_on_what_it_is_about_and_nothing_else_does(
    broken, manifest, thresholds, rule, changes, relaxed, count, examples
):
    assert broken(changed(manifest, changes), thresholds(**relaxed)) == {rule: (count, examples)}


@pytest.mark.parametrize(
    ("rule", "column", "row", "flipped", "relaxed"),
    [
        ("duplicates_within_split", "sha256", 1, 0, {}),
        ("duplicates_across_splits", "sha256", 12, 0, {}),
        ("near_duplicates_within_split", "perceptual_hash", 1, 0b11, {}),
        ("near_duplicates_across_splits", "perceptual_hash", 12, 0b11, {}),
        ("label_conflicts_within_split", "perceptual_hash", 20, 0b11, {"near_duplicates_within_split": NEAR}),
        ("label_conflicts_across_splits", "perceptual_hash", 32, 0b11, {"near_duplicates_across_splits": NEAR}),
    ],
)
def test_both_images_of_a_pair_are_counted_and_named(broken, manifest, thresholds, rule, column, row, flipped, relaxed):
    pair = changed(manifest, {column: {row: of(manifest, column, 0, flipped)}})
    found = broken(pair, thresholds(**relaxed))
    assert found == {rule: (2, [f"00.png = {row:02}.png", f"{row:02}.png = 00.png"])}


@pytest.mark.parametrize(("row", "where"), [(20, "within_split"), (32, "across_splits")])
@pytest.mark.parametrize(("color", "conflict"), [("788078", True), ("788178", False), ("6f7878", False)])
def test_pictures_of_other_colours_look_alike_and_may_have_two_labels(
    broken, manifest, thresholds, row, where, color, conflict
):
    near = of(manifest, "perceptual_hash", 0, 0b11)
    found = broken(changed(manifest, {"perceptual_hash": {row: near}, "mean_color": {row: color}}), thresholds())
    assert set(found) == {f"near_duplicates_{where}"} | ({f"label_conflicts_{where}"} if conflict else set())


def test_pictures_further_apart_than_the_distance_are_different(broken, manifest, thresholds):
    pair = changed(manifest, {"perceptual_hash": {1: of(manifest, "perceptual_hash", 0, 0b111)}})
    assert broken(pair, thresholds()) == {}
    assert list(broken(pair, thresholds(near_duplicates={"distance": 3}))) == ["near_duplicates_within_split"]


def test_an_image_that_cannot_be_read_is_nobodys_duplicate(broken, manifest, thresholds):
    sha256 = of(manifest, "sha256", 0)
    unreadable = changed(manifest, UNREADABLE | {"error": {3: "no image"}, "sha256": {3: sha256}})
    assert list(broken(unreadable, thresholds())) == ["decodable"]


def test_twins_are_named_rightly_behind_images_that_cannot_be_read(broken, manifest, thresholds):
    rows = UNREADABLE | {"error": {3: "no image"}, "sha256": {11: of(manifest, "sha256", 10)}}
    found = broken(changed(manifest, rows), thresholds())
    assert found["duplicates_within_split"] == (2, ["10.png = 11.png", "11.png = 10.png"])


@pytest.mark.parametrize(("tolerated", "held"), [(0.0, False), (0.05, False), (0.1, True), (0.2, True), (1.0, True)])
def test_a_share_may_be_tolerated(broken, manifest, thresholds, tolerated, held):
    dark = changed(manifest, {"mean": dict.fromkeys(range(4), 1.0)})
    assert (broken(dark, thresholds(brightness={"tolerated": tolerated})) == {}) == held


@pytest.mark.parametrize(("count", "bad"), [(10, 7), (50, 9), (100, 41)])
def test_exactly_the_tolerated_share_holds(broken, manifest, thresholds, count, bad):
    many = pd.concat([manifest] * 3, ignore_index=True).head(count)
    dark = changed(many, {"mean": dict.fromkeys(range(bad), 1.0)})
    assert "brightness" not in broken(dark, thresholds(brightness={"tolerated": bad / count}))
    assert "brightness" in broken(dark, thresholds(brightness={"tolerated": (bad - 1) / count}))


def test_bounds_themselves_are_allowed(broken, manifest, thresholds):
    edge = changed(manifest, {"width": {0: 8, 1: 100}, "mean": {0: 5.0, 1: 250.0}, "std": {0: 3.0, 1: 128.0}})
    assert broken(edge, thresholds(smallest_class={"at_least": 12}, class_balance={"at_least": 1})) == {}


def test_five_examples_are_enough(broken, manifest, thresholds):
    dark = changed(manifest, {"mean": dict.fromkeys(range(30), 1.0)})
    assert broken(dark, thresholds()) == {"brightness": (30, [f"{number:02}.png" for number in range(5)])}


def test_labels_and_paths_of_any_kind_are_named_as_they_are(broken, manifest, thresholds):
    odd = changed(manifest, {"path": {0: "<b>, 'q\".png"}, "mean": {0: 1.0}})
    odd["label"] = odd["label"].replace({"cat": "NA", "dog": "<i>\n"})
    assert broken(odd, thresholds()) == {"brightness": (1, ["<b>, 'q\".png"])}


def test_all_of_params_validate_has_a_rule(validate, thresholds):
    named = {rule.rule.split()[0] for rule in validate.checks(thresholds())}
    assert named == set(type(thresholds()).model_fields) - {"near_duplicates"}
