"""Residual networks in Keras, after He et al. 2015 and 2016.

    import resnet
    model = resnet.create("resnet20", input_shape=(32, 32, 3), classes=10)
    resnet.fit(model, images, labels, resnet.Recipe(epochs=10))

Keras is imported when it is first needed, so that the table of architectures costs nothing to read.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from resnet.variants import Variant, names, variant

# TensorFlow convolves by oneDNN only on CPUs with instructions made for networks, though it takes half the time on
# others too (benchmarks/LOG.md). What TensorFlow is told once it is imported comes too late.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

if TYPE_CHECKING:
    from resnet.checkpoints import Checkpoints
    from resnet.complexity import Complexity, describe
    from resnet.images import UnreadableImage, read_picture
    from resnet.loading import class_names, load
    from resnet.network import create
    from resnet.recipe import Recipe
    from resnet.saving import save
    from resnet.training import fit
    from resnet.training_form import create_for_training, portable, set_portable_weights
    from resnet.views import one_view, two_views

__all__ = [
    "Checkpoints",
    "Complexity",
    "Recipe",
    "UnreadableImage",
    "Variant",
    "class_names",
    "create",
    "create_for_training",
    "describe",
    "fit",
    "load",
    "names",
    "one_view",
    "portable",
    "read_picture",
    "save",
    "set_portable_weights",
    "two_views",
    "variant",
]

_HOMES = {
    "Checkpoints": "checkpoints",
    "Complexity": "complexity",
    "Recipe": "recipe",
    "UnreadableImage": "images",
    "class_names": "loading",
    "describe": "complexity",
    "create": "network",
    "create_for_training": "training_form",
    "fit": "training",
    "load": "loading",
    "one_view": "views",
    "portable": "training_form",
    "read_picture": "images",
    "save": "saving",
    "set_portable_weights": "training_form",
    "two_views": "views",
}
# ResNet50 and its kin, in the habit of keras.applications.
_CONSTRUCTORS = {
    name.replace("resnet", "ResNet").replace("v2", "V2"): name for name in names() if name.startswith("resnet")
}


def __getattr__(name: str) -> Any:
    if name in _CONSTRUCTORS:
        return importlib.import_module("resnet.applications").constructor(name, _CONSTRUCTORS[name])
    if name in _HOMES:
        return getattr(importlib.import_module(f"resnet.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'resnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_CONSTRUCTORS])
