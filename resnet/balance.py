"""Classes of very unequal size: the rare ones weighed more, or shown more often."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Order = NDArray[np.integer]


def balanced_weights(labels: NDArray[np.integer], classes: int) -> Floats:
    """Weigh each class by how rare it is, so that all weigh alike together and the mean weight of an image is 1.

    Shapes:
        (N,) to (K,); 0 for a class without images.

    Source: scikit-learn's class_weight="balanced", after King and Zeng 2001.
    """
    counts = np.bincount(labels, minlength=classes)
    weights = np.zeros(classes, np.float32)
    np.divide(len(labels) / np.count_nonzero(counts), counts, out=weights, where=counts > 0, casting="same_kind")
    return weights


def weighted_targets(targets: Floats, weights: Floats) -> Floats:
    """Scale each target by its image's weight, to be mixed with others and then divided into `target_and_weight`.

    It is the whole target that is scaled, and not the probability of each class by that class's own weight: the share
    that label smoothing gives to all classes would make a rare class likelier than the image's own.

    Shapes:
        targets: (N, K). weights: (N,), of each image's label.
    """
    return targets * weights[:, None]


def target_and_weight(scaled: Floats) -> tuple[Floats, Floats]:
    """Divide scaled targets into probabilities and sample weights, under which cross-entropy is what it was.

    TensorFlow's gradient of the cross-entropy is wrong for targets that do not sum to 1.

    Shapes:
        (N, K) to (N, K) and (N,).
    """
    weights = scaled.sum(axis=1)
    return scaled / weights[:, None], weights


def shuffled_order(labels: NDArray[np.integer], draw: np.random.Generator) -> Order:
    """Every image once.

    Shapes:
        (N,) to (N,).
    """
    return draw.permutation(len(labels))


def balanced_order(labels: NDArray[np.integer], draw: np.random.Generator) -> Order:
    """As many images, but equally many of every class: those of a rare one again and again, all before any anew.

    Shapes:
        (N,) to (N,).
    """
    present = draw.permutation(np.unique(labels))
    # What is left over goes to other classes in every epoch.
    quotas = np.full(len(present), len(labels) // len(present))
    quotas[: len(labels) % len(present)] += 1
    chosen = [
        _again_and_again(np.flatnonzero(labels == label), n, draw) for label, n in zip(present, quotas, strict=True)
    ]
    return draw.permutation(np.concatenate(chosen))


def _again_and_again(members: Order, count: int, draw: np.random.Generator) -> Order:
    rounds = [draw.permutation(members) for _ in range(-(-count // len(members)))]
    return np.concatenate(rounds)[:count] if rounds else members[:0]


ORDERS = {"shuffled": shuffled_order, "balanced": balanced_order}
