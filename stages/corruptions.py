"""What befalls pictures on their way to a model: five corruptions, each at five strengths.

Strengths that are lengths are shares of the image's side, so that they mean the same at every size.

Shapes:
    Each takes (N, S, S, 3) uint8 images and gives as many.

Source: after Hendrycks and Dietterich 2019 (arXiv 1903.12261); strengths are our own, so that no number here
    compares with one of ImageNet-C.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

Images = NDArray[np.uint8]
Corruption = Callable[[Images, float, np.random.Generator], Images]


def noise(images: Images, deviation: float, draw: np.random.Generator) -> Images:
    """Add Gaussian noise of a standard deviation, a share of white."""
    return _to_uint8(images + draw.normal(0, 255 * deviation, images.shape))


def blur(images: Images, radius: float, draw: np.random.Generator) -> Images:
    """Blur by a Gaussian whose standard deviation is a share of the side."""
    spread = radius * images.shape[1]
    return _to_uint8(gaussian_filter(images.astype(np.float32), (0, spread, spread, 0)))


def contrast(images: Images, kept: float, draw: np.random.Generator) -> Images:
    """Keep a share of each image's differences from its mean."""
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return _to_uint8(mean + kept * (images - mean))


def jpeg(images: Images, quality: float, draw: np.random.Generator) -> Images:
    """Compress and decompress."""
    return np.stack([_recompressed(image, int(quality)) for image in images])


def shift(images: Images, distance: float, draw: np.random.Generator) -> Images:
    """Move each image along both axes by a share of its side, its border smeared into the gap."""
    side = images.shape[1]
    # Drawn image by image, so that it does not matter how many come at once.
    directions = draw.choice([-1, 1], (len(images), 2)).T[:, :, None]
    rows, columns = np.clip(np.arange(side) + directions * max(1, round(distance * side)), 0, side - 1)
    return images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


CORRUPTIONS: dict[str, tuple[Corruption, tuple[float, ...]]] = {
    "noise": (noise, (0.04, 0.08, 0.12, 0.18, 0.26)),
    "blur": (blur, (0.015, 0.025, 0.035, 0.05, 0.07)),
    "contrast": (contrast, (0.7, 0.5, 0.35, 0.2, 0.1)),
    "jpeg": (jpeg, (50, 30, 20, 12, 7)),
    "shift": (shift, (0.04, 0.08, 0.12, 0.16, 0.2)),
}


def _to_uint8(values: NDArray[np.floating]) -> Images:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _recompressed(image: Images, quality: int) -> Images:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
