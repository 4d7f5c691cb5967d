"""The prepared data set as the later stages read it."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.errors import BadInput

PREPARED = Path("data/prepared")
MANIFEST = Path("data/manifest.parquet")


class Labelled(NamedTuple):
    """A split: (N, S, S, 3) uint8 images as a memory map, and their (N,) labels."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def images_file(folder: Path, split: str) -> Path:
    """Where a split's images are."""
    return folder / f"{split}_images.npy"


def labels_file(folder: Path, split: str) -> Path:
    """Where a split's labels are."""
    return folder / f"{split}_labels.npy"


def load_split(split: str, folder: Path = PREPARED) -> Labelled:
    """Open a split without reading it.

    Raises:
        BadInput: It is not there.
    """
    try:
        images = np.load(images_file(folder, split), mmap_mode="r", allow_pickle=False)
        labels = np.load(labels_file(folder, split), allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"cannot read the {split} images of {folder} ({error}); run `dvc repro prepare` or `dvc checkout`"
        ) from error
    return Labelled(images, labels)


def load_classes(folder: Path = PREPARED) -> list[str]:
    """Read the names of the classes, in the order of the labels."""
    try:
        return list(json.loads((folder / "classes.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {folder / 'classes.json'} ({error}); run `dvc repro prepare`") from error
