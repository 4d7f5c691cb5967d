"""How good a classifier's probabilities are."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score, log_loss, precision_recall_fscore_support, top_k_accuracy_score

from stages.chance import chance

Probabilities = NDArray[np.float64]
Labels = NDArray[np.integer]


def scores(probabilities: Probabilities, labels: Labels, bins: int) -> dict[str, float]:
    """Measure a classifier.

    Shapes:
        probabilities: (N, K), rows that sum to 1. labels: (N,).

    Returns:
        accuracy, loss (mean negative log-likelihood, in nats), top5_accuracy, macro_f1 (over the classes that
        occur among the labels or the predictions), ece and chance.
    """
    known = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    return {
        "accuracy": float((predicted == labels).mean()),
        "loss": float(log_loss(labels, probabilities, labels=known)),
        "top5_accuracy": float(top_k_accuracy(probabilities, labels, 5)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "ece": calibration_error(calibration(probabilities, labels, bins)),
        "chance": chance(labels),
    }


def scores_of_resamples(
    probabilities: Probabilities, labels: Labels
) -> Callable[[NDArray[np.int64]], dict[str, float]]:
    """Prepare to measure a classifier on many resamples of the same images.

    Returns:
        A function that takes how often each image counts, (N,), and gives accuracy, loss, top5_accuracy and
        macro_f1 as `scores` would for images so repeated.
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    correct = predicted == labels
    own = probabilities[np.arange(len(labels)), labels]
    losses = -np.log(np.maximum(own, np.finfo(np.float64).eps))
    # Of equal probabilities the same ones come first as for scikit-learn, or an interval could miss its score.
    first = np.argsort(probabilities, axis=1, kind="stable")[:, -5:]
    in_top_5 = (first == labels[:, None]).any(axis=1)

    def measure(counts: NDArray[np.int64]) -> dict[str, float]:
        total = counts.sum()
        hits = np.bincount(labels[correct], counts[correct], classes)
        either = np.bincount(labels, counts, classes) + np.bincount(predicted, counts, classes)
        return {
            "accuracy": float(counts @ correct / total),
            "loss": float(counts @ losses / total),
            "top5_accuracy": float(counts @ in_top_5 / total),
            "macro_f1": float((2 * hits[either > 0] / either[either > 0]).mean()),
        }

    return measure


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
