"""The test images that a person should look at, as a page shows them."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.thumbnails import data_uri

Picture = dict[Hashable, Any]


def mistakes(predictions: pd.DataFrame, images: NDArray[np.uint8], most: int) -> list[Picture]:
    """The wrong predictions, the most confident first."""
    wrong = predictions[~predictions["correct"]]
    return _shown(wrong.sort_values(["confidence", "path"], ascending=[False, True]).head(most), images)


def mislabelled(predictions: pd.DataFrame, classes: list[str], images: NDArray[np.uint8], most: int) -> list[Picture]:
    """The images whose label is probably wrong, the least believed label first."""
    suspects = predictions[predictions["mislabelled"]]
    numbers = suspects["label"].map(classes.index)
    own = [row[number] for row, number in zip(suspects["probabilities"], numbers, strict=True)]
    ranked = suspects.assign(believed=np.array(own, float)).sort_values(["believed", "path"])
    return _shown(ranked.head(most), images)


def _shown(rows: pd.DataFrame, images: NDArray[np.uint8]) -> list[Picture]:
    pixels = [data_uri(images[place]) for place in rows.index]
    return rows.assign(image=pixels).drop(columns="probabilities").to_dict("records")
