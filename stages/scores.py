"""How good a classifier's probabilities are."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score, log_loss, precision_recall_fscore_support, top_k_accuracy_score

Probabilities = NDArray[np.float64]
Labels = NDArray[np.integer]


def scores(probabilities: Probabilities, labels: Labels, bins: int) -> dict[str, float]:
    """Measure a classifier.

    Shapes:
        probabilities: (N, K), rows that sum to 1. labels: (N,).

    Returns:
        accuracy, loss (mean negative log-likelihood, in nats), top5_accuracy, macro_f1 (over the classes that
        occur) and ece.
    """
    known = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    return {
        "accuracy": float((predicted == labels).mean()),
        "loss": float(log_loss(labels, probabilities, labels=known)),
        "top5_accuracy": float(top_k_accuracy(probabilities, labels, 5)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "ece": calibration_error(calibration(probabilities, labels, bins)),
    }


def top_k_accuracy(probabilities: Probabilities, labels: Labels, k: int) -> float:
    """The share of images whose class is among the k most probable; 1 where there are no more classes."""
    classes = probabilities.shape[1]
    if classes <= k:
        return 1.0
    return float(top_k_accuracy_score(labels, probabilities, k=k, labels=np.arange(classes)))


def calibration(probabilities: Probabilities, labels: Labels, bins: int) -> pd.DataFrame:
    """Compare confidence with accuracy, in bins of equal width.

    Returns:
        A row for each bin that has images: mean confidence, accuracy, images.

    Source: Guo et al. 2017 (arXiv 1706.04599), section 2.
    """
    confidence = probabilities.max(axis=1)
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    table = pd.DataFrame({"bin": number, "confidence": confidence, "accuracy": probabilities.argmax(axis=1) == labels})
    grouped = table.groupby("bin").agg(
        confidence=("confidence", "mean"), accuracy=("accuracy", "mean"), images=("bin", "size")
    )
    return grouped.reset_index(drop=True)


def calibration_error(table: pd.DataFrame) -> float:
    """The expected calibration error: the mean gap between confidence and accuracy, 0 to 1."""
    gaps = (table["confidence"] - table["accuracy"]).abs()
    return float((gaps * table["images"]).sum() / table["images"].sum())


def per_class(probabilities: Probabilities, labels: Labels, classes: list[str]) -> pd.DataFrame:
    """Precision, recall and F1 of every class, and its images; 0 where nothing was predicted or nothing is there."""
    precision, recall, f1, images = precision_recall_fscore_support(
        labels, probabilities.argmax(axis=1), labels=np.arange(len(classes)), zero_division=0
    )
    return pd.DataFrame({"class": classes, "precision": precision, "recall": recall, "f1": f1, "images": images})
