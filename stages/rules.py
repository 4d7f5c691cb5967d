"""What must hold of a manifest, as Great Expectations over four tables: files, images, classes and splits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation

from stages.duplicates import describe_pictures, same_colors, same_file, same_picture
from stages.params import RangeRule, Rule, Severity, ValidateParams
from stages.splits import SPLITS, TRAIN

TableName = Literal["files", "images", "classes", "splits"]


@dataclass(frozen=True)
class Check:
    """One rule, ready to be validated.

    Attributes:
        example: The column of the table that names a row, for the examples of a failure.
        twin: The column that names the other image of a pair, if the rule is about pairs.
    """

    rule: str
    means: str
    table: TableName
    expectation: Expectation
    severity: Severity
    example: str
    twin: str | None = None


def tables(manifest: pd.DataFrame, rules: ValidateParams) -> dict[TableName, pd.DataFrame]:
    """Derive from a manifest the tables that the rules look at: all files, and of those that can be read the rest."""
    images = manifest[manifest["error"].isna()].reset_index(drop=True)
    alike = same_picture(images["perceptual_hash"], rules.near_duplicates.distance)
    for name, picture in (
        ("duplicates", same_file(images["sha256"])),
        ("near_duplicates", alike),
        # Where colours are what classes differ in, pictures are alike without a label being wrong.
        ("same_pictures", same_colors(alike, images["mean_color"])),
    ):
        described = describe_pictures(picture, images["split"], images["label"])
        for column in described:
            images[f"{name}_{column}"] = _names(described[column], images["path"])
    trained = images.loc[images["split"] == TRAIN, "label"].value_counts()
    images["label_is_trained"] = images["label"].isin(trained.index)
    classes = pd.DataFrame({"label": sorted(manifest["label"].unique())})
    classes["training_images"] = classes["label"].map(trained).fillna(0).astype(int)
    classes["share_of_largest"] = classes["training_images"] / max(1, classes["training_images"].max())
    splits = pd.DataFrame({"split": SPLITS})
    splits["images"] = splits["split"].map(images["split"].value_counts()).fillna(0).astype(int)
    splits["share"] = splits["images"] / max(1, len(images))
    least = rules.split_shares
    splits["missing_share"] = np.maximum(0, [least.train, least.validation, least.test] - splits["share"])
    return {"files": manifest, "images": images, "classes": classes, "splits": splits}


def checks(rules: ValidateParams) -> list[Check]:
    """Turn the thresholds of params.yaml into expectations, in the order in which a person reads them."""
    return [*_of_files(rules), *_of_labels(rules), *_of_light(rules), *_of_duplicates(rules)]


def _of_files(rules: ValidateParams) -> Iterator[Check]:
    readable = gxe.ExpectColumnValuesToBeNull(column="error", mostly=_most(rules.decodable))
    means = "every file is an image that can be read"
    yield Check("decodable", means, "files", readable, rules.decodable.severity, "path")
    for side in ("width", "height"):
        means = f"the {side} is {rules.side.at_least:g} to {rules.side.at_most:g} pixels"
        yield _of_images(f"side ({side})", means, _between(side, rules.side), rules.side)
    allowed = rules.channels.allowed
    known = gxe.ExpectColumnValuesToBeInSet(column="channels", value_set=allowed, mostly=_most(rules.channels))
    yield _of_images("channels", f"files have {' or '.join(map(str, allowed))} channels", known, rules.channels)


def _of_labels(rules: ValidateParams) -> Iterator[Check]:
    trained = gxe.ExpectColumnValuesToBeInSet(
        column="label_is_trained", value_set=[True], mostly=_most(rules.known_labels)
    )
    yield _of_images("known_labels", "every label occurs among the training images", trained, rules.known_labels)
    least, balance, shares = rules.smallest_class, rules.class_balance, rules.split_shares
    yield Check(
        "smallest_class",
        f"every class has {least.at_least:g} training images or more",
        "classes",
        gxe.ExpectColumnValuesToBeBetween(column="training_images", min_value=least.at_least),
        least.severity,
        "label",
    )
    yield Check(
        "class_balance",
        f"every class has {_percent(balance.at_least)} or more of the largest one's training images",
        "classes",
        gxe.ExpectColumnValuesToBeBetween(column="share_of_largest", min_value=balance.at_least),
        balance.severity,
        "label",
    )
    yield Check(
        "split_shares",
        f"train, validation and test have {_percent(shares.train)}, {_percent(shares.validation)} and "
        f"{_percent(shares.test)} or more of all images",
        "splits",
        gxe.ExpectColumnValuesToBeInSet(column="missing_share", value_set=[0.0]),
        shares.severity,
        "split",
    )


def _of_light(rules: ValidateParams) -> Iterator[Check]:
    for name, column, statistic, rule in (
        ("brightness", "mean", "mean", rules.brightness),
        ("contrast", "std", "standard deviation", rules.contrast),
    ):
        means = f"an image's {statistic} is {rule.at_least:g} to {rule.at_most:g}, of 0 to 255"
        yield _of_images(name, means, _between(column, rule), rule)


def _of_duplicates(rules: ValidateParams) -> Iterator[Check]:
    for name, means, column in (
        ("duplicates_within_split", "no two files of a split are the same", "duplicates_twin_within_split"),
        ("duplicates_across_splits", "no two files of different splits are the same", "duplicates_twin_across_splits"),
        ("near_duplicates_within_split", "no two images of a split look the same", "near_duplicates_twin_within_split"),
        (
            "near_duplicates_across_splits",
            "no two images of different splits look the same",
            "near_duplicates_twin_across_splits",
        ),
        (
            "label_conflicts_within_split",
            "no picture of a split has two labels",
            "same_pictures_conflict_within_split",
        ),
        (
            "label_conflicts_across_splits",
            "no picture has another label in another split",
            "same_pictures_conflict_across_splits",
        ),
    ):
        rule = getattr(rules, name)
        alone = gxe.ExpectColumnValuesToBeNull(column=column, mostly=_most(rule))
        yield _of_images(name, means, alone, rule, twin=column)


def _most(rule: Rule) -> float:
    # 1 - 0.7 is a little above 0.3: seven of ten would be too many.
    return round(1 - rule.tolerated, 9)


def _between(column: str, rule: RangeRule) -> Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=rule.at_least, max_value=rule.at_most, mostly=_most(rule)
    )


def _of_images(name: str, means: str, expectation: Expectation, rule: Rule, twin: str | None = None) -> Check:
    return Check(name, means, "images", expectation, rule.severity, "path", twin)


def _percent(share: float) -> str:
    """A threshold as it was set: 0.005 becomes 0.5 %."""
    return f"{100 * share:g} %"


def _names(positions: pd.Series, paths: pd.Series) -> list[str | None]:
    """The path of each image's twin, or nothing."""
    return [paths[position] if position >= 0 else None for position in positions]
