"""Weights of a former training as the start of another one; the head stays where the classes are the same."""

import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.classifier import load_classifier
from resnet.errors import BadInput
from resnet.training_form import portable_weights, set_portable_weights
from resnet.variants import IMAGENET_WEIGHTS

# The kernel and the bias of the last layer.
_OF_HEAD = 2

Weights = list[NDArray[np.generic]]


def start_from_file(model: keras.Model, path: Path, classes: Sequence[str]) -> bool:
    """Give a network the weights of a `.keras` file; say whether the head is among them, which needs equal classes.

    Raises:
        BadInput: The file holds no model, or that of another network.
    """
    source = load_classifier(path)
    if source.model.name != model.name:
        raise BadInput(f"{path} holds {source.model.name}; expected {model.name}, the network that is to be trained")
    weights = source.model.get_weights()
    same_classes = list(classes) == source.classes
    _give(model, weights if same_classes else [*weights[:-_OF_HEAD], *_head(model)], str(path))
    return same_classes


def start_from_imagenet(model: keras.Model) -> None:
    """Give a network the body that keras.applications has for it; downloaded by Keras at first, and pinned there.

    Raises:
        BadInput: There is none for it, it cannot be downloaded, or the network has another stem, shortcut or width.
    """
    _give(model, [*_of_imagenet(model.name, include_top=False), *_head(model)], "imagenet")


def whole_from_imagenet(model: keras.Model) -> None:
    """Give a network of ImageNet's classes, or one without top, all weights that keras.applications has for it.

    Raises:
        BadInput: As for `start_from_imagenet`.
    """
    _give(model, _of_imagenet(model.name, include_top=model.architecture.include_top), "imagenet")


def _of_imagenet(name: str, *, include_top: bool) -> Weights:
    if name not in IMAGENET_WEIGHTS:
        raise BadInput(f"keras.applications has no {name}; it has {', '.join(IMAGENET_WEIGHTS)}")
    constructor = getattr(keras.applications, name.replace("resnet", "ResNet").replace("v2", "V2"))
    try:
        weights: Weights = constructor(weights="imagenet", include_top=include_top).get_weights()
    except Exception as error:  # Keras raises plain Exception when a download fails
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        raise BadInput(
            f"the ImageNet weights of {name} cannot be loaded ({error}); without network, save that file in "
            f"{home / 'models'}, or start from a .keras file"
        ) from error
    return weights


def _head(model: keras.Model) -> Weights:
    return model.get_weights()[-_OF_HEAD:]


def _give(model: keras.Model, weights: Weights, origin: str) -> None:
    own, given = ([tuple(weight.shape) for weight in part] for part in (portable_weights(model), weights))
    if own != given:
        counts = (f"{len(own)} arrays", f"{len(given)}")
        expected, found = next((pair for pair in zip(own, given, strict=False) if pair[0] != pair[1]), counts)
        raise BadInput(
            f"the weights of {origin} do not fit this {model.name}: {found} where {expected} is expected; "
            "shortcut, stem and width must be those they were trained with (images below 64 pixels get the small stem, "
            "ImageNet's weights need the large one)"
        )
    set_portable_weights(model, weights)
