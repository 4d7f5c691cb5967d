"""`.keras` files opened as if a stranger had sent them: nothing in them runs, and they take no more than they bring.

Keras itself refuses lambdas, links out of a file and the grossest bombs. Here a file may only name what an image
network is made of, and only such layers as it brings the weights for.
"""

import contextlib
import copy
import dataclasses
import json
import math
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras

from resnet.errors import NO_ROOM, BadInput
from resnet.views import one_view

_CONFIG, _WEIGHTS, _CLASSES = "config.json", "model.weights.h5", "classes.json"
_MEMBERS = {_CONFIG, _WEIGHTS, _CLASSES, "metadata.json"}
# Twice as much as ResNet-1202 has, and that takes minutes to build.
MOST_CONFIG_BYTES = 8_000_000
# A hundred thousand names of forty letters.
MOST_CLASSES_BYTES = 4_000_000
# What one layer may answer for one image: twice the widest of the ResNets at 1024 pixels.
MOST_VALUES = 2**27
_LAYERS = """
    Activation Add Average AveragePooling2D BatchNormalization Concatenate Conv2D Cropping2D Dense DepthwiseConv2D
    Dropout Flatten GlobalAveragePooling2D GlobalMaxPooling2D GroupNormalization InputLayer LayerNormalization
    LeakyReLU MaxPooling2D Multiply PReLU ReLU Rescaling Reshape SeparableConv2D Softmax Subtract ZeroPadding2D
"""
_INITIALIZERS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform Ones RandomNormal RandomUniform
    TruncatedNormal VarianceScaling Zeros
"""
# By the module that a config names them from; what has none is a mark of Keras' own.
_ALLOWED = {
    None: {"__keras_tensor__", "__tuple__"},
    "keras": {"DTypePolicy", "Functional", "Model", "Sequential"},
    "keras.src.models.functional": {"Functional"},
    "keras.layers": set(_LAYERS.split()),
    "keras.initializers": set(_INITIALIZERS.split()),
    "keras.regularizers": {"L1", "L1L2", "L2"},
    "keras.src.ops.numpy": {"Add", "Divide", "Flip", "Multiply", "Pad", "Subtract"},
}


@dataclasses.dataclass(frozen=True)
class Loaded:
    """The architecture of a model that was loaded, so that `resnet.save` can build it again when it was trained."""

    config: dict[str, Any]

    def build(self) -> keras.Model:
        """Build it with fresh weights."""
        return keras.Model.from_config(copy.deepcopy(self.config))


def load(path: Path | str) -> keras.Model:
    """Load an image network of stock layers, uncompiled; `resnet.fit` trains it further, and `resnet.save` saves it.

    Raises:
        BadInput: No `.keras` file, a damaged one, or one that holds what it should not.
    """
    with _opened(path) as archive, tempfile.TemporaryDirectory() as folder:
        # How it was compiled, which may name anything, is not looked at.
        config = json.loads(_read(archive, _CONFIG, MOST_CONFIG_BYTES)) | {"compile_config": None}
        _check_objects(config)
        weights = archive.extract(_WEIGHTS, folder)
        model = _build(config, _values_of_weights(weights))
        with warnings.catch_warnings():
            # Keras only warns of a layer that the file has no weights for.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(weights)
    for each in (model, one_view(model)):
        # Now, while nothing in it is compiled.
        each.architecture = Loaded(each.get_config())
    return model


def class_names(path: Path | str) -> list[str] | None:
    """Read the names that were stored beside a model, if any.

    Raises:
        BadInput: No `.keras` file, or no list of names in it.
    """
    with _opened(path) as archive:
        if _CLASSES not in archive.namelist():
            return None
        names = json.loads(_read(archive, _CLASSES, MOST_CLASSES_BYTES))
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValueError(f"its {_CLASSES} is no list of names")
        return names


@contextlib.contextmanager
def _opened(path: Path | str) -> Iterator[zipfile.ZipFile]:
    """Open a file of the parts that Keras and `resnet.save` write; what goes wrong with it becomes a sentence."""
    if os.path.isdir(path):
        raise BadInput(f"{path} is a folder; expected a .keras file")
    if not os.path.isfile(path):
        raise BadInput(f"there is no model at {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_parts(archive.infolist())
            yield archive
    except Exception as error:  # Keras, HDF5 and zipfile raise whatever they like on what is damaged or forged
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in NO_ROOM):
            # That is no fault of the file, which is unpacked to be read.
            raise
        # Keras tells the whole config before it tells what is wrong with it.
        reason = str(error).rpartition("Exception encountered: ")[2]
        reason = " ".join(reason.split())[:300] or type(error).__name__
        raise BadInput(
            f"{path} is no Keras model that can be loaded: {reason}; if it should be one, fetch it or train it again"
        ) from error


def _check_parts(parts: list[zipfile.ZipInfo]) -> None:
    names = {part.filename for part in parts}
    if strange := sorted(names - _MEMBERS):
        raise ValueError(f"it has a part {strange[0][:100]!r}; expected {', '.join(sorted(_MEMBERS))} alone")
    if len(names) < len(parts):
        raise ValueError("it has several parts of one name")
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        # So no part can be larger than the file.
        raise ValueError("its parts are compressed, which those that Keras writes are not")


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if (size := archive.getinfo(name).file_size) > most:
        raise ValueError(f"its {name} has {size:,} bytes; expected {most:,} at most")
    return archive.read(name)


def _check_objects(config: Any) -> None:
    """Refuse a config that names anything but parts of image networks."""
    waiting = [config]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and "class_name" in node:
            module, name = node.get("module"), node["class_name"]
            if not (isinstance(name, str) and name in _ALLOWED.get(module, ())):
                raise ValueError(
                    f"it holds {f'{module}.{name}'[:100]!r}; only stock layers of image networks are loaded, as others "
                    "may run code or read files"
                )
            # Keras would take what is registered under this name, whatever the class's own.
            node.pop("registered_name", None)
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []


def _values_of_weights(file: str) -> int:
    """Count what a weights file brings; it may not claim more than it holds."""
    arrays: list[h5py.Dataset] = []
    with h5py.File(file) as content:
        content.visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        if any(array.external or array.is_virtual for array in arrays):
            raise ValueError(f"its {_WEIGHTS} leads to other files")
        if (claimed := sum(array.nbytes for array in arrays)) > os.path.getsize(file):
            raise ValueError(f"its {_WEIGHTS} claims arrays of {claimed:,} bytes, and has {os.path.getsize(file):,}")
        return sum(array.size for array in arrays)


class _AtOnce:
    """What a Sequential is made by. Keras adds its layers one by one and goes through all of them each time."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.Sequential:
        """Make a Sequential of what its own get_config gave."""
        layers = [keras.saving.deserialize_keras_object(layer, safe_mode=True) for layer in config["layers"]]
        return keras.Sequential(layers, name=config["name"])


def _build(config: Any, brought: int) -> keras.Model:
    """Build a network, and give it memory only if it needs no more than the file brings."""
    with keras.StatelessScope() as scope:
        try:
            model = keras.saving.deserialize_keras_object(config, {"Sequential": _AtOnce}, safe_mode=True)
            if not isinstance(model, keras.Model):
                raise ValueError(f"it holds a {type(model).__name__} and no model")
            if (needed := sum(math.prod(weight.shape) for weight in model.variables)) > brought:
                raise ValueError(f"its layers need {needed:,} weights, and it brings {brought:,}")
            if (widest := max(map(_values, _answers(model)))) > MOST_VALUES:
                raise ValueError(f"a layer answers each image with {widest:,} values; expected {MOST_VALUES:,} at most")
        except BaseException:
            # Leaving the scope would take the memory after all, and so would Keras later on.
            scope.initialize_variables = False
            keras.utils.clear_session()
            raise
    return model


def _answers(model: keras.Model) -> Iterator[tuple[int | None, ...]]:
    """The shape of whatever a model and the models within it work out on the way."""
    for operation in getattr(model, "operations", model.layers):
        yield from (tensor.shape for tensor in keras.tree.flatten(operation.output))
        if isinstance(operation, keras.Model):
            yield from _answers(operation)


def _values(shape: tuple[int | None, ...]) -> int:
    return math.prod(side for side in shape if side is not None)
