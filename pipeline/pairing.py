"""Which test images two models are held against each other on; the gate and the comparison share it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.intervals import clusters
from stages.splits import TRAIN, VALIDATION

IMAGE = ["sha256", "label"]


def first_of_each_image(predictions: pd.DataFrame) -> pd.DataFrame:
    """Keep each image's first row, as a test set may hold an image twice."""
    return predictions.drop_duplicates(IMAGE)


def without_training_images(both: pd.DataFrame, *manifests: pd.DataFrame) -> pd.DataFrame:
    """Leave out the images that either model was trained on, as the manifests of their data say."""
    # Validation images choose the epoch that is kept, so they are part of training.
    seen = [rows.loc[rows["split"].isin([TRAIN, VALIDATION]), "sha256"] for rows in manifests]
    return both[~both["sha256"].isin(pd.concat(seen))].reset_index(drop=True)


def drawn_with(both: pd.DataFrame, manifest: pd.DataFrame) -> NDArray[np.int64]:
    """Number what each image is drawn with, by the groups of the manifest."""
    if "group" not in manifest:
        return np.arange(len(both))
    groups = manifest.drop_duplicates("sha256").set_index("sha256")["group"]
    return clusters(both["sha256"].map(groups))
