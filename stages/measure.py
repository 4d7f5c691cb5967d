"""From raw images to pixels and to rows of the manifest, a chunk at a time."""

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

from resnet.images import MOST_BYTES, UnreadableImage, read_picture, to_rgb, to_square
from stages.sources.source import RawImage

HASH_FREQUENCIES = 8
HASH_IMAGE_SIDE = 32


@dataclass
class Measurement:
    """What the manifest says of one image; all but the first two are missing where it cannot be decoded.

    Attributes:
        bytes: Of the file, or of the pixels where there is none.
        perceptual_hash: 64 bits, see `perceptual_hashes`.
        mean_color: Of the prepared pixels, as `rrggbb` in hexadecimal.
        mean, std: Brightness and contrast of the prepared pixels, 0 to 255.
    """

    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    format: str | None = None
    perceptual_hash: str | None = None
    mean_color: str | None = None
    mean: float | None = None
    std: float | None = None
    error: str | None = None


def measure(images: list[RawImage], size: int) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    """Decode and measure a chunk of images.

    Returns:
        A row for each image, and the pixels of those that could be decoded, (M, size, size, 3).
    """
    rows: list[dict[str, Any]] = []
    decoded: list[NDArray[np.uint8]] = []
    for image in images:
        row, pixels = _measure_file(image, size) if isinstance(image, str) else _measure_array(image, size)
        rows.append(row)
        if pixels is not None:
            decoded.append(pixels)
    if not decoded:
        return rows, np.empty((0, size, size, 3), np.uint8)
    pixels = np.stack(decoded)
    good = [row for row in rows if row["error"] is None]
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    colors = pixels.mean(axis=(1, 2)).round().astype(np.uint8)
    measured = zip(good, flat.mean(axis=1), flat.std(axis=1), perceptual_hashes(pixels), colors, strict=True)
    for row, mean, std, code, color in measured:
        row |= {"mean": float(mean), "std": float(std), "perceptual_hash": code, "mean_color": color.tobytes().hex()}
    return rows, pixels


def perceptual_hashes(pixels: NDArray[np.uint8]) -> list[str]:
    """Hash what a picture looks like: which of its lowest frequencies are above their median.

    Shapes:
        (N, S, S, 3) to N hexadecimal strings of 64 bits.

    Source: Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", section 3.2.1.
    """
    count, side = pixels.shape[:2]
    # One below the other they are one picture, which is sooner turned grey than many small ones.
    grey = np.asarray(Image.fromarray(pixels.reshape(count * side, side, 3)).convert("L")).reshape(count, side, side)
    if side != HASH_IMAGE_SIDE:
        small = (HASH_IMAGE_SIDE, HASH_IMAGE_SIDE)
        grey = np.stack([np.asarray(Image.fromarray(image).resize(small)) for image in grey])
    lowest = fft.dctn(grey.astype(np.float32), axes=(1, 2))[:, :HASH_FREQUENCIES, :HASH_FREQUENCIES]
    frequencies = lowest.reshape(count, -1)
    bits = frequencies > np.median(frequencies, axis=1, keepdims=True)
    return [row.tobytes().hex() for row in np.packbits(bits, axis=1)]


def _measure_file(path: str, size: int) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            # Reading a pipe or a device might never end.
            return vars(Measurement(0, "", error="cannot be read: not a file")), None
        if status.st_size > MOST_BYTES:
            return vars(Measurement(status.st_size, "", error=f"more than {MOST_BYTES:,} bytes")), None
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        return vars(Measurement(0, "", error=f"cannot be read: {error.strerror}")), None
    digest = hashlib.sha256(content).hexdigest()
    try:
        picture = read_picture(io.BytesIO(content), size)
    except UnreadableImage as error:
        return vars(Measurement(len(content), digest, error=str(error))), None
    found = Measurement(len(content), digest, picture.width, picture.height, picture.channels, picture.format)
    return vars(found), picture.pixels


def _measure_array(image: NDArray[np.uint8], size: int) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
    height, width = image.shape[:2]
    channels = 1 if image.ndim == 2 else image.shape[2]
    found = Measurement(image.nbytes, hashlib.sha256(image.tobytes()).hexdigest(), width, height, channels, "array")
    return vars(found), np.asarray(to_square(to_rgb(Image.fromarray(image)), size))
