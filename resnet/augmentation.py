"""Augmentation of a batch, each image by its own draw; whole batches at a time in NumPy."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]


def pad_and_crop(images: Images, offsets: NDArray[np.integer], padding: int) -> Images:
    """Cut from each padded image a window of its former size, at its own offset.

    Shapes:
        images: (N, H, W, C). offsets: (N, 2), rows and columns, from 0 to 2 * padding.

    Source: He et al. 2015, section 4.2.
    Differs: the border is mirrored and not filled with the mean, so it looks like the image it belongs to.
    """
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)), mode="reflect")
    windows = np.moveaxis(sliding_window_view(padded, (height, width), axis=(1, 2)), 3, -1)
    return windows[np.arange(len(images)), offsets[:, 0], offsets[:, 1]]


def flip(images: Images, chosen: NDArray[np.bool_]) -> Images:
    """Mirror the chosen images left to right."""
    flipped = images.copy()
    flipped[chosen] = images[chosen][:, :, ::-1]
    return flipped


def mixup(images: Images, targets: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Blend each image and its target with those of the batch's opposite end.

    Shapes:
        images: (N, H, W, C) to float32. targets: (N, K). shares: (N,), of the image itself.

    Source: Zhang et al. 2018 (arXiv 1710.09412).
    """
    of_image = shares[:, None, None, None]
    blended = of_image * images + (1 - of_image) * images[::-1]
    return blended.astype(np.float32), shares[:, None] * targets + (1 - shares[:, None]) * targets[::-1]
