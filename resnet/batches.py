"""The order and the form in which a network meets its images: a pure function of (seed, epoch, index)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from resnet import augmentation
from resnet.recipe import Recipe
from resnet.targets import smoothed_targets

Batch = tuple[NDArray[np.generic], NDArray[np.float32]]


def steps_per_epoch(images: int, recipe: Recipe) -> int:
    """Whole batches in an epoch; the images left over differ from epoch to epoch."""
    return max(1, images // recipe.batch_size)


def training_batches(
    images: NDArray[np.uint8], labels: NDArray[np.integer], classes: int, recipe: Recipe, first_epoch: int = 0
) -> Iterator[Batch]:
    """Yield batches without end, epoch after epoch, shuffled and augmented.

    Shapes:
        images: (N, H, W, 3), an array or a memory map. labels: (N,).
        Yields (B, H, W, 3), uint8 or (with mixup) float32, and targets (B, K).
    """
    epoch = first_epoch
    while True:
        yield from _epoch(images, labels, classes, recipe, epoch)
        epoch += 1


def _epoch(
    images: NDArray[np.uint8], labels: NDArray[np.integer], classes: int, recipe: Recipe, epoch: int
) -> Iterator[Batch]:
    count = len(images)
    draw = np.random.default_rng([recipe.seed, epoch])
    # All of an epoch's chance is drawn before its first batch, an entry an image.
    order = draw.permutation(count)
    offsets = draw.integers(0, 2 * recipe.crop_padding + 1, (count, 2))
    flipped = draw.random(count) < 0.5
    shares = draw.beta(recipe.mixup, recipe.mixup, count).astype(np.float32) if recipe.mixup else None
    for step in range(steps_per_epoch(count, recipe)):
        chosen = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        batch = images[chosen]
        targets = smoothed_targets(labels[chosen], classes, recipe.label_smoothing)
        if recipe.crop_padding:
            batch = augmentation.pad_and_crop(batch, offsets[chosen], recipe.crop_padding)
        if recipe.horizontal_flip:
            batch = augmentation.flip(batch, flipped[chosen])
        if shares is not None:
            yield augmentation.mixup(batch, targets, shares[chosen])
        else:
            yield batch, targets
