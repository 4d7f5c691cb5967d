"""The prepared data set as the later stages read it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from stages.errors import BadInput
from stages.provenance import sha256

PREPARED = Path("data/prepared")
MANIFEST = Path("data/manifest.parquet")
_MANIFEST_HASH = "manifest.sha256"


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
    """Open a split without reading its images.

    Raises:
        BadInput: It is not there, or not what prepare writes.
    """
    try:
        # Memory maps hold no pickles, and files that claim to be larger than they are take no memory.
        images = open_memmap(images_file(folder, split), mode="r")
        labels = open_memmap(labels_file(folder, split), mode="r")
        _check_arrays(images, labels, len(load_classes(folder)))
    except (OSError, ValueError, OverflowError) as error:
        raise BadInput(
            f"cannot read the {split} images of {folder} ({error}); run `dvc repro prepare` or `dvc checkout`"
        ) from error
    return Labelled(images, np.array(labels))


def load_classes(folder: Path = PREPARED) -> list[str]:
    """Read the names of the classes, in the order of the labels."""
    try:
        names = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValueError("it is no list of names")
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"cannot read {folder / 'classes.json'} ({error}); run `dvc repro prepare`") from error
    return names


def note_manifest(manifest: Path, folder: Path) -> None:
    """Write into prepared arrays which manifest they belong to: the two are put in place one after the other."""
    (folder / _MANIFEST_HASH).write_text(sha256(manifest) + "\n", encoding="ascii")


def check_manifest_hash(found: object, folder: Path = PREPARED) -> None:
    """Refuse arrays and a manifest that do not come from one run of prepare.

    Raises:
        BadInput: prepare was killed between the two, or one of them was edited or exchanged.
    """
    try:
        expected = (folder / _MANIFEST_HASH).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {folder / _MANIFEST_HASH} ({error}); run `dvc repro prepare`") from error
    if found != expected:
        raise BadInput(
            f"{MANIFEST} and {folder} do not belong together: prepare was ended between the two, or one was changed "
            "since; run `dvc repro`, or `python -m stages.prepare` and the stages after it"
        )


def _check_arrays(images: NDArray[np.generic], labels: NDArray[Any], classes: int) -> None:
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[1] != images.shape[2] or images.shape[3] != 3:
        raise ValueError(f"square RGB images of uint8 were expected, and these are {images.dtype} {images.shape}")
    if labels.shape != images.shape[:1] or labels.dtype != np.int64:
        raise ValueError(f"{len(images)} labels of int64 were expected, and these are {labels.dtype} {labels.shape}")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"labels from 0 to {classes - 1} were expected, and these go to {labels.max()}")
