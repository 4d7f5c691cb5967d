"""What a person should be told of the measurements, picked out of the tables."""

from collections.abc import Hashable
from typing import Any

import pandas as pd

Row = dict[Hashable, Any]
# The chance at which a part is called weaker than the whole although it is not, over all parts together.
RISK = 0.05


def cells(pairs: pd.DataFrame) -> pd.DataFrame:
    """Count how often each class was taken for each.

    Args:
        pairs: A row an image: actual, predicted.

    Returns:
        A row a pair that occurs: actual, predicted, images, share (of the actual class).
    """
    counts = pairs.value_counts(["actual", "predicted"]).rename("images").reset_index()
    counts = counts.sort_values(["actual", "predicted"], ignore_index=True)
    return counts.assign(share=counts["images"] / counts.groupby("actual")["images"].transform("sum"))


def confusions(counts: pd.DataFrame) -> pd.DataFrame:
    """The mistakes, most frequent first."""
    wrong = counts[counts["actual"] != counts["predicted"]]
    return wrong.sort_values(["images", "actual", "predicted"], ascending=[False, True, True], ignore_index=True)


def most_confused(mistakes: pd.DataFrame, classes: list[str], most: int) -> list[str]:
    """The classes with most mistakes, in their own order; all of them where they are few enough."""
    if len(classes) <= most:
        return classes
    involved = pd.concat([mistakes["actual"], mistakes["predicted"]], ignore_index=True)
    totals = pd.concat([mistakes["images"]] * 2, ignore_index=True).groupby(involved).sum()
    ranked = totals.reset_index(name="images").set_axis(["class", "images"], axis="columns")
    chosen = set(ranked.sort_values(["images", "class"], ascending=[False, True]).head(most)["class"])
    return [name for name in classes if name in chosen]


def weak_parts(slices: pd.DataFrame) -> list[Row]:
    """The parts that are weaker than the rest by more than chance, worst first.

    With many parts, one of them looks weak by chance alone: the risk is shared among them (Bonferroni).
    """
    clear = slices[slices["p"].astype(float) < RISK / max(1, len(slices))]
    return clear.sort_values(["accuracy", "property", "value"]).to_dict("records")


def weakest_corruption(corrupted: dict[str, float]) -> tuple[str, float]:
    """The corruption under which the model is right least often, and how often."""
    kinds = {name: value for name, value in corrupted.items() if name not in ("images", "accuracy")}
    return min(kinds.items(), key=lambda item: item[1])


def spread(norms: pd.Series) -> float:
    """How many times the strongest gradient is the weakest one."""
    return float(norms.max() / norms.min())
