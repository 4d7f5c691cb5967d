"""A data set that a library brings, named by a small YAML file that pins it by sha256."""

import hashlib
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import BadInput
from stages.sources.source import Entry
from stages.splits import TEST, TRAIN


class PinnedFile(BaseModel):
    """A file that a set is made of, and where it can be had."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    url: str | None = None


class Descriptor(BaseModel):
    """A file of datasets/.

    Attributes:
        source: The function that loads the set.
        files: What it reads, by name: in Keras' cache folder, or within scikit-learn.
        classes: Names in the order of the labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    source: Literal[
        "sklearn.datasets.load_digits",
        "keras.datasets.mnist",
        "keras.datasets.fashion_mnist",
        "keras.datasets.cifar10",
        "keras.datasets.cifar100",
    ]
    files: dict[str, PinnedFile]
    classes: list[str]


def read_descriptor(path: Path) -> list[Entry]:
    """Load the set that a descriptor names.

    Raises:
        BadInput: No valid descriptor, no network, or content that is not what the descriptor pins.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        descriptor = Descriptor.model_validate(content)
    except (YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(
            f"{path} does not describe a data set: {problems}; datasets/digits.yaml is an example"
        ) from error
    if descriptor.source == "sklearn.datasets.load_digits":
        return list(_digits(descriptor, path))
    return list(_keras_dataset(descriptor, path))


def _digits(descriptor: Descriptor, path: Path) -> Iterator[Entry]:
    from sklearn.datasets import load_digits

    with resources.as_file(resources.files("sklearn.datasets") / "data") as folder:
        _check(descriptor, path, folder)
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    for number, (image, label) in enumerate(zip(images, digits.target, strict=True)):
        yield Entry(f"{number:04}", descriptor.classes[label], image)


def _keras_dataset(descriptor: Descriptor, path: Path) -> Iterator[Entry]:
    name = descriptor.source.rsplit(".", 1)[1]
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    cache = home / "datasets" / ("fashion-mnist" if name == "fashion_mnist" else "")
    # Loading needs none of Keras' backends; NumPy's is the one that starts at once.
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    import keras

    try:
        parts = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises plain Exception when a download fails
        wanted = "; ".join(f"{file.url} as {cache / name}" for name, file in descriptor.files.items())
        raise BadInput(f"{descriptor.source} cannot be loaded ({error}); without network, save {wanted}") from error
    _check(descriptor, path, cache)
    for split, (images, labels) in zip((TRAIN, TEST), parts, strict=True):
        for number, (image, label) in enumerate(zip(images, labels.ravel(), strict=True)):
            yield Entry(f"{split}/{number:05}", descriptor.classes[label], image, split)


def _check(descriptor: Descriptor, path: Path, folder: Path) -> None:
    for name, file in descriptor.files.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != file.sha256:
            raise BadInput(f"{folder / name} has sha256 {found}, but {path} pins {file.sha256}; fetch the file again")
