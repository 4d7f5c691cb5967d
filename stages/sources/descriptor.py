"""A data set that a library brings, named by a small YAML file that pins it by sha256."""

import os
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from resnet.lean_import import lean_import
from stages.errors import BadInput
from stages.provenance import sha256
from stages.sections import Section, checked
from stages.sources.source import Entry
from stages.splits import TEST, TRAIN
from stages.yaml_files import read_yaml


class PinnedFile(Section):
    """A file that a set is made of, and where it can be had."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    url: str | None = None


class Descriptor(Section):
    """A file of datasets/.

    Attributes:
        source: The function that loads the set.
        files: What it reads, by name: in Keras' cache folder, or within scikit-learn.
        classes: Names in the order of the labels.
    """

    source: Literal[
        "sklearn.datasets.load_digits",
        "keras.datasets.mnist",
        "keras.datasets.fashion_mnist",
        "keras.datasets.cifar10",
        "keras.datasets.cifar100",
    ]
    files: Annotated[dict[str, PinnedFile], Field(min_length=1)]
    classes: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=2)]

    @field_validator("classes")
    @classmethod
    def _differ(cls, classes: list[str]) -> list[str]:
        if twice := [name for name, count in Counter(classes).items() if count > 1]:
            raise ValueError(f"{twice[0]!r} stands twice")
        return classes


def read_descriptor(path: Path) -> list[Entry]:
    """Load the set that a descriptor names.

    Raises:
        BadInput: No valid descriptor, no network, or content that is not what the descriptor pins.
    """
    try:
        descriptor = checked(Descriptor, read_yaml(path), path)
    except BadInput as error:
        raise BadInput(f"{error}; datasets/digits.yaml is an example of a data set's description") from error
    if descriptor.source == "sklearn.datasets.load_digits":
        return list(_digits(descriptor, path))
    return list(_keras_dataset(descriptor, path))


def _digits(descriptor: Descriptor, path: Path) -> Iterator[Entry]:
    from sklearn.datasets import load_digits

    with resources.as_file(resources.files("sklearn.datasets") / "data") as folder:
        _check(descriptor, path, folder)
    digits = load_digits()
    _check_classes(descriptor, path, len(digits.target_names))
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    for number, (image, label) in enumerate(zip(images, digits.target, strict=True)):
        yield Entry(f"{number:04}", descriptor.classes[label], image)


def _keras_dataset(descriptor: Descriptor, path: Path) -> Iterator[Entry]:
    name = descriptor.source.rsplit(".", 1)[1]
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    cache = home / "datasets" / ("fashion-mnist" if name == "fashion_mnist" else "")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with lean_import():
        import keras
    try:
        # Before Keras looks into a file: its readers put no limit to what they unpack, and for CIFAR they unpickle.
        for file_name, file in descriptor.files.items():
            if file.url and not (cache / file_name).exists():
                keras.utils.get_file(file_name, file.url, file_hash=file.sha256, cache_subdir=cache, cache_dir=home)
        _check(descriptor, path, cache)
        parts = getattr(keras.datasets, name).load_data()
    except BadInput:
        raise
    except Exception as error:  # Keras raises plain Exception when a download fails
        wanted = "; ".join(f"{file.url} as {cache / name}" for name, file in descriptor.files.items())
        raise BadInput(f"{descriptor.source} cannot be loaded ({error}); without network, save {wanted}") from error
    _check_classes(descriptor, path, 1 + max(int(labels.max()) for _, labels in parts))
    for split, (images, labels) in zip((TRAIN, TEST), parts, strict=True):
        for number, (image, label) in enumerate(zip(images, labels.ravel(), strict=True)):
            yield Entry(f"{split}/{number:05}", descriptor.classes[label], image, split)


def _check(descriptor: Descriptor, path: Path, folder: Path) -> None:
    for name, file in descriptor.files.items():
        try:
            found = sha256(folder / name)
        except OSError as error:
            raise BadInput(f"{folder / name}, which {path} pins, cannot be read: {error.strerror}") from error
        if found != file.sha256:
            raise BadInput(f"{folder / name} has sha256 {found}, but {path} pins {file.sha256}; fetch the file again")


def _check_classes(descriptor: Descriptor, path: Path, labels: int) -> None:
    if len(descriptor.classes) != labels:
        raise BadInput(f"{path} names {len(descriptor.classes)} classes, but {descriptor.source} has {labels} labels")
