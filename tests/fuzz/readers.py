"""What is fed, and with what good files the fuzzer begins."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from resnet.images import FORMATS, UnreadableImage, read_picture
from stages.errors import BadInput
from stages.params import load
from stages.sources.descriptor import read_descriptor
from stages.sources.manifest import read_manifest

ROOT = Path(__file__).parents[2]


def picture(content: bytes, _: Path) -> None:
    """Read an image file."""
    read_picture(io.BytesIO(content), 8)


def pictures(folder: Path) -> list[bytes]:
    """One small picture in each format and some modes."""
    good = []
    for name in FORMATS:
        for mode in ("RGB", "L"):
            pixels = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
            Image.fromarray(pixels).convert(mode).save(file := io.BytesIO(), name)
            good.append(file.getvalue())
    return good


def csv(content: bytes, folder: Path) -> None:
    """Read a table of images as CSV."""
    (folder / "table.csv").write_bytes(content)
    read_manifest(folder / "table.csv", folder)


def csvs(folder: Path) -> list[bytes]:
    """Tables of pictures that exist."""
    (folder / "a.png").write_bytes(b"")
    return [b"path,label\na.png,cat\n", b'path,label,split,group,x\r\n"a.png",dog,train,g,1.5\r\na.png,"c,\n",,,\r\n']


def parquet(content: bytes, folder: Path) -> None:
    """Read a table of images as Parquet."""
    (folder / "table.parquet").write_bytes(content)
    read_manifest(folder / "table.parquet", folder)


def parquets(folder: Path) -> list[bytes]:
    """The same as Parquet."""
    tables = [pd.read_csv(io.BytesIO(content)) for content in csvs(folder)]
    return [table.to_parquet(None) for table in tables]


def params(content: bytes, folder: Path) -> None:
    """Read params.yaml."""
    (folder / "params.yaml").write_bytes(content)
    load(folder / "params.yaml")


def settings(_: Path) -> list[bytes]:
    """The project's own."""
    return [(ROOT / "params.yaml").read_bytes()]


def descriptor(content: bytes, folder: Path) -> None:
    """Read a file of datasets/."""
    (folder / "set.yaml").write_bytes(content)
    read_descriptor(folder / "set.yaml")


def descriptors(_: Path) -> list[bytes]:
    """One whose files are pinned to be others, so that nothing is loaded."""
    good = (ROOT / "datasets/digits.yaml").read_text()
    return [good.replace("sha256: ", "sha256: 0")[:-1].encode(), good.replace("0", "1").encode()]


READERS: dict[str, tuple[Callable[[bytes, Path], None], Callable[[Path], list[bytes]]]] = {
    "picture": (picture, pictures),
    "csv": (csv, csvs),
    "parquet": (parquet, parquets),
    "params": (params, settings),
    "descriptor": (descriptor, descriptors),
}


def feed(name: str, content: bytes, folder: Path) -> None:
    """Let a reader read, or refuse with a sentence.

    Raises:
        AssertionError: It refuses with whatever the file holds.
    """
    read, _ = READERS[name]
    try:
        read(content, folder)
    except (BadInput, UnreadableImage) as refusal:
        if len(str(refusal)) > 2000 or "\n" in str(refusal):
            raise AssertionError(f"no sentence: {str(refusal)[:300]!r}") from refusal
