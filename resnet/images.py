"""From an image file to the array that a network takes: the one way, for training and for serving."""

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

RESAMPLING = Image.Resampling.BICUBIC
# What data sets of photographs and scans come in, each decoded within this process; Pillow would start Ghostscript for
# an EPS, and knows thirty formats more, whose decoders hardly anyone has attacked yet. MPO comes with JPEG.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# To decode: two gigabytes at the worst, from 34 bytes of WebP. Pillow's own limit is twice that, and remains for JPEG,
# which is decoded at a fraction of its size.
MOST_PIXELS = 89_478_485
# So many pixels take no more when nothing is compressed and each has four channels of 16 bits.
MOST_BYTES = 8 * 2 * MOST_PIXELS
# Real progressive JPEGs have about ten, and each can cost a pass over all pixels for a few bytes.
MOST_SCANS = 100
_SCAN = b"\xff\xda"


class UnreadableImage(ValueError):
    """A file that is no image that we can read; the message says why."""


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Attributes:
        pixels: (size, size, 3) uint8, RGB.
        width, height, channels: Of the file, in pixels, as stored.
        format: PIL's name of the file format.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    channels: int
    format: str


def read_picture(file: Path | str | BinaryIO, size: int) -> Picture:
    """Decode an image of any size and mode to RGB uint8, cropped centrally to a square and resized.

    The first frame of an animation is taken, EXIF rotation applied, transparency laid on white, and 16 bits
    a channel reduced to 8.

    Raises:
        UnreadableImage: Not an image, truncated, or of more pixels, bytes or scans than is safe to decode, which is
            seen before anything is decoded.
    """
    try:
        content = _read(file)
        # Pillow warns of odd but readable files; what it cannot read, it raises.
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(content), formats=FORMATS) as image,
        ):
            width, height, channels = image.width, image.height, len(image.getbands())
            # JPEG decodes at a half, a quarter or an eighth of its size in a fraction of the time.
            image.draft(None, (2 * size, 2 * size))
            _check_costs(image, content)
            ImageOps.exif_transpose(image, in_place=True)
            pixels = to_square(to_rgb(image), size)
            return Picture(np.asarray(pixels), width, height, channels, image.format or "")
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"too many pixels to be safe to decode: {error}") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"not an image in any format that is read here ({', '.join(FORMATS)})") from error
    except MemoryError:
        # Of this machine, not of the image.
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            # Of the system, which would name the whole path, and that is another one elsewhere.
            raise UnreadableImage(f"cannot be read: {error.strerror}") from error
        # Pillow's many decoders raise whatever they like on damaged files.
        raise UnreadableImage(f"cannot be decoded: {str(error) or type(error).__name__}") from error


def _read(file: Path | str | BinaryIO) -> bytes:
    if isinstance(file, Path | str):
        with open(file, "rb") as opened:
            return _read(opened)
    size = file.seek(0, os.SEEK_END)
    if size > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    # From its beginning, wherever whoever wrote it has stopped, and no more than that: a device has no end.
    file.seek(0)
    return file.read(size)


def _check_costs(image: Image.Image, content: bytes) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise Image.DecompressionBombError(f"{image.width} x {image.height}, and {MOST_PIXELS:,} are allowed")
    # Within coded data the mark cannot occur.
    if image.format in ("JPEG", "MPO") and (scans := content.count(_SCAN)) > MOST_SCANS:
        raise ValueError(f"it has {scans:,} scans; expected {MOST_SCANS} at most")


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring any of Pillow's modes to 8-bit RGB."""
    if image.mode.startswith("I"):
        values = np.clip(np.asarray(image), 0, 65535)
        # 32-bit files hold 8 bits or 16; a 16-bit file says so itself.
        eight_bit = image.mode == "I" and values.max() <= 255
        image = Image.fromarray((values // (1 if eight_bit else 257)).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no known range; save it with 8 or 16 bits a channel")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def to_square(image: Image.Image, size: int) -> Image.Image:
    """Crop centrally to a square and resize it to `size` pixels."""
    return image if image.size == (size, size) else ImageOps.fit(image, (size, size), RESAMPLING)
