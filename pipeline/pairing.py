"""Which test images two models are held against each other on; the gate and the comparison share it."""

import pandas as pd

from stages.splits import TRAIN, VALIDATION

IMAGE = ["sha256", "label"]


def once(predictions: pd.DataFrame) -> pd.DataFrame:
    """Keep each image's first row, as a test set may hold an image twice."""
    return predictions.drop_duplicates(IMAGE)


def new_to_both(both: pd.DataFrame, *manifests: pd.DataFrame) -> pd.DataFrame:
    """Leave out the images that either model was trained on, as the manifests of their data say."""
    # Validation images choose the epoch that is kept, so they are part of training.
    seen = [rows.loc[rows["split"].isin([TRAIN, VALIDATION]), "sha256"] for rows in manifests]
    return both[~both["sha256"].isin(pd.concat(seen))].reset_index(drop=True)
