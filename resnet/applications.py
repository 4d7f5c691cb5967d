"""ResNet50 and its kin, called as those of keras.applications are."""

from typing import Any

import keras

from resnet.network import create
from resnet.pretrained import start_from_imagenet, whole_from_imagenet

IMAGENET_CLASSES = 1000


def application(name: str, *, weights: str | None = None, **arguments: Any) -> keras.Model:
    """Build a network, with ImageNet's weights if they are asked for.

    Args:
        name: A name of `resnet.names()`.
        weights: "imagenet" for those of keras.applications; with other than 1,000 classes the head is a new one.
        **arguments: As for `resnet.create`.

    Raises:
        ValueError: As `resnet.create` does, or there are no such weights.

    Differs: keras.applications takes ImageNet's weights unless told otherwise, and its networks take images that were
        preprocessed; these take raw ones.
    """
    if weights not in (None, "imagenet"):
        raise ValueError(
            f"weights is {weights!r}; expected None or 'imagenet'; a file that resnet.save has written: resnet.load"
        )
    model = create(name, **arguments)
    if weights == "imagenet":
        new_head = model.architecture.include_top and model.architecture.classes != IMAGENET_CLASSES
        (start_from_imagenet if new_head else whole_from_imagenet)(model)
    return model
