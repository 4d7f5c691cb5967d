"""A row for each test image: what is known of it, and what the model made of it."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.duplicates import same_picture
from stages.errors import BadInput
from stages.mislabelled import probably_mislabelled
from stages.prepared import Labelled
from stages.splits import TEST

# `repeated`: the picture is also in train or validation, or stands before it in test.
# `mislabelled`: confident learning takes the label for wrong.
COLUMNS = [
    "path",
    "label",
    "sha256",
    "predicted",
    "confidence",
    "correct",
    "probabilities",
    "repeated",
    "mislabelled",
]


def rows_of_test(manifest: Path, test: Labelled, distance: int) -> pd.DataFrame:
    """The manifest's rows of the test images in the arrays' order, and whether each is `repeated`.

    Args:
        distance: Bits in which the perceptual hashes of one picture may differ.

    Raises:
        BadInput: The manifest cannot be read, or is of other images.
    """
    try:
        rows = pd.read_parquet(manifest)
        rows = rows[rows["error"].isna()].reset_index(drop=True)
        pictures = pd.Series(same_picture(rows["perceptual_hash"], distance))
        tested = rows["split"] == TEST
        rows["repeated"] = pictures.isin(pictures[~tested]) | pictures.where(tested).duplicated()
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"cannot read {manifest} ({error}); run `dvc repro prepare`") from error
    if tested.sum() != len(test.images):
        raise BadInput(
            f"{manifest} has {tested.sum()} test images, but the arrays have {len(test.images)}; "
            "run `dvc repro prepare`"
        )
    return rows[tested].reset_index(drop=True)


def tabulate(
    tested: pd.DataFrame, probabilities: NDArray[np.float64], labels: NDArray[np.integer], classes: list[str]
) -> pd.DataFrame:
    """Put the predictions beside the images."""
    predicted = probabilities.argmax(axis=1)
    return tested.assign(
        predicted=np.array(classes)[predicted],
        confidence=probabilities.max(axis=1),
        correct=predicted == labels,
        probabilities=list(probabilities.astype(np.float32)),
        mislabelled=probably_mislabelled(probabilities, labels),
    )[COLUMNS]
