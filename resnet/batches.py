"""The order and the form in which a network meets its images: a pure function of (seed, epoch, index)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from resnet import augmentation, balance
from resnet.recipe import Recipe
from resnet.targets import smoothed_targets

# Images, targets and, where classes are weighed, a weight an image.
Batch = tuple[NDArray[np.generic], *tuple[NDArray[np.float32], ...]]


def steps_per_epoch(images: int, recipe: Recipe) -> int:
    """Whole batches in an epoch; the images left over differ from epoch to epoch."""
    return max(1, images // recipe.batch_size)


def training_batches(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    classes: int,
    recipe: Recipe,
    first_epoch: int = 0,
    first_step: int = 0,
) -> Iterator[Batch]:
    """Yield batches without end, epoch after epoch, shuffled and augmented; begin with any of them.

    Shapes:
        images: (N, H, W, 3), an array or a memory map. labels: (N,).
        Yields (B, H, W, 3), uint8 or (with mixup) float32, targets (B, K) and, with class weights, (B,).
    """
    epoch, step = first_epoch, first_step
    while True:
        yield from _epoch(images, labels, classes, recipe, epoch, step)
        epoch, step = epoch + 1, 0


def _epoch(
    images: NDArray[np.uint8], labels: NDArray[np.integer], classes: int, recipe: Recipe, epoch: int, first_step: int
) -> Iterator[Batch]:
    count = len(images)
    draw = np.random.default_rng([recipe.seed, epoch])
    # All of an epoch's chance is drawn before its first batch, an entry a place: an image may come more than once.
    order = balance.ORDERS[recipe.sampling](labels, draw)
    offsets = draw.integers(0, 2 * recipe.crop_padding + 1, (count, 2))
    flipped = _mirrored(count, recipe.seed, epoch)[order]
    shares = draw.beta(recipe.mixup, recipe.mixup, count).astype(np.float32) if recipe.mixup else None
    weights = balance.balanced_weights(labels, classes) if recipe.class_weights == "balanced" else None
    for step in range(first_step, steps_per_epoch(count, recipe)):
        places = slice(step * recipe.batch_size, (step + 1) * recipe.batch_size)
        chosen = order[places]
        batch = images[chosen]
        targets = smoothed_targets(labels[chosen], classes, recipe.label_smoothing)
        if weights is not None:
            targets = balance.weighted_targets(targets, weights[labels[chosen]])
        if recipe.crop_padding:
            batch = augmentation.pad_and_crop(batch, offsets[places], recipe.crop_padding)
        if recipe.horizontal_flip:
            batch = augmentation.flip(batch, flipped[places])
        if shares is not None:
            batch, targets = augmentation.mixup(batch, targets, shares[places])
        yield (batch, targets) if weights is None else (batch, *balance.target_and_weight(targets))


def _mirrored(count: int, seed: int, epoch: int) -> NDArray[np.bool_]:
    """Flip half of the images in the first epoch, the other half in the next, and so on (alternating flip).

    By independent draws, half of the images would look the same in two epochs running.

    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv 2404.00498, section 3.6.
    """
    # A generator of its own: what differs from epoch to epoch is drawn from [seed, epoch].
    first = np.random.default_rng([seed, 0, 1]).random(count) < 0.5
    return first ^ bool(epoch % 2)
