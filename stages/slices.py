"""Accuracy on parts of the test images: the dark and the bright, the small and the large, and every other property."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import hypergeom

from stages.intervals import share_interval

# What the manifest holds for other ends than to describe a picture, or in another form.
NOT_A_PROPERTY = (
    "path",
    "split",
    "sha256",
    "perceptual_hash",
    "mean_color",
    "error",
    "label",
    "mean",
    "std",
    "width",
    "height",
    "repeated",
)
MOST_VALUES = 12
# As many to a value, on average.
FEWEST_IMAGES = 2
PARTS = 4


def slices(rows: pd.DataFrame, correct: NDArray[np.bool_], level: float) -> pd.DataFrame:
    """Measure the accuracy of each part.

    Args:
        rows: The manifest's rows of the images.
        level: The share that the intervals cover.

    Returns:
        A row a part: slice (its name), property, value, images, accuracy, low, high, and p, how likely so few or
        fewer of it would be right if it were no weaker than the rest (Fisher's exact test, to one side).
    """
    found = [
        (name, str(value), int(inside.sum()), int(correct[inside].sum()))
        for name, parts in properties(rows)
        for value in parts.cat.categories
        if (inside := (parts == value).to_numpy()).any()
    ]
    table = [
        (f"{name}: {value}", name, value, images, hits / images, *share_interval(hits, images, level), hits)
        for name, value, images, hits in found
    ]
    columns = ["slice", "property", "value", "images", "accuracy", "low", "high", "hits"]
    measured = pd.DataFrame(table, columns=columns)
    p = hypergeom.cdf(measured.pop("hits"), len(correct), correct.sum(), measured["images"])
    return measured.assign(p=p)


def properties(rows: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Yield what is known of the images, as categories in order; a property that all share says nothing."""
    known: list[tuple[str, pd.Series | None]] = [
        ("brightness", _quarters(rows["mean"])),
        ("contrast", _quarters(rows["std"])),
        ("size", _sizes(rows)),
    ]
    measured = {*(name for name, _ in known), "class"}
    given = [name for name in rows if name not in NOT_A_PROPERTY]
    known += [(f"{name} (given)" if name in measured else str(name), _parts(rows[name])) for name in given]
    for name, parts in known:
        if parts is not None and parts.nunique() > 1:
            yield name, parts
    yield "class", _categories(rows["label"].astype(str))


def _sizes(rows: pd.DataFrame) -> pd.Series:
    """Width by height where there are few of them, else the side of a square of that area."""
    names = rows["width"].astype(str) + " x " + rows["height"].astype(str)
    area = (rows["width"] * rows["height"]).astype(float)
    if not _has_few_values(names):
        return _quarters(area**0.5)
    return pd.Series(pd.Categorical(names, names[area.sort_values(kind="stable").index].unique()), rows.index)


def _parts(values: pd.Series) -> pd.Series | None:
    """Each value of what has few, quarters of other numbers; None for texts of many values, as a name of each image."""
    if _has_few_values(values):
        return _categories(values)
    return _quarters(values.astype(float)) if pd.api.types.is_numeric_dtype(values) else None


def _has_few_values(values: pd.Series) -> bool:
    """Of few images, each may have a value of its own, and a part of one image tells nothing."""
    return values.nunique() <= min(MOST_VALUES, values.count() / FEWEST_IMAGES)


def _categories(values: pd.Series) -> pd.Series:
    def name(value: Any) -> str:
        return repr(float(value)).removesuffix(".0") if isinstance(value, float) else str(value)

    known = [name(value) for value in sorted(values.dropna().unique())]
    return pd.Series(pd.Categorical(values.map(name, na_action="ignore"), known), values.index)


def _quarters(values: pd.Series) -> pd.Series:
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, PARTS + 1))).tolist()
    if len(edges) < 2:
        return _categories(values)
    names = [f"{low} to {high}" for low, high in itertools.pairwise(_named(edges))]
    return pd.Series(pd.cut(values, edges, labels=names, include_lowest=True, ordered=False), values.index)


def _named(edges: list[float]) -> list[str]:
    """Numbers in four digits, or in as many as tell them apart."""
    named = ([f"{edge:,.{digits}g}" for edge in edges] for digits in range(4, 18))
    return next(names for names in named if len(set(names)) == len(names))
