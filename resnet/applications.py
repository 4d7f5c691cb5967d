"""ResNet50 and its kin, called as those of keras.applications are."""

from collections.abc import Callable
from typing import Any

import keras

from resnet.network import Pooling, create
from resnet.pretrained import start_from_imagenet, whole_from_imagenet

IMAGENET_CLASSES = 1000


def constructor(called: str, row: str) -> Callable[..., keras.Model]:
    """Make the function that is called like an application of Keras and builds a row of the table."""

    def application(
        include_top: bool = True,
        weights: str | None = None,
        input_tensor: Any = None,
        input_shape: tuple[int | None, int | None, int] | None = None,
        pooling: Pooling | None = None,
        classes: int = IMAGENET_CLASSES,
        classifier_activation: str | None = "softmax",
        name: str | None = None,
        **further: Any,
    ) -> keras.Model:
        """Build the network, with ImageNet's weights if they are asked for.

        Args:
            weights: "imagenet" for those of keras.applications; with other than 1,000 classes the head is a new one.
            input_shape: By default 224 x 224 pixels, or of any size without top.
            **further: `shortcut`, `stem` and `width`, as for `resnet.create`.

        Raises:
            ValueError: As `resnet.create` does, or there are no such weights.

        Differs: keras.applications takes ImageNet's weights unless told otherwise, and its networks take images that
            were preprocessed; these take raw ones.
        """
        if weights not in (None, "imagenet"):
            raise ValueError(
                f"weights is {weights!r}; expected None or 'imagenet'; a file that resnet.save has written: resnet.load"
            )
        if input_tensor is not None:
            raise ValueError(f"input_tensor is not taken; call the network on it: resnet.{called}(...)(tensor)")
        if name not in (None, row):
            raise ValueError(
                f"name is {name!r}; expected {row!r}, by which its file is known again; beside another of that name: "
                f"model.name = {name!r}"
            )
        shape = input_shape or ((224, 224, 3) if include_top else (None, None, 3))
        model = create(
            row,
            shape,
            classes,
            include_top=include_top,
            pooling=pooling,
            classifier_activation=classifier_activation,
            **further,
        )
        if weights == "imagenet":
            new_head = include_top and classes != IMAGENET_CLASSES
            (start_from_imagenet if new_head else whole_from_imagenet)(model)
        return model

    application.__name__ = application.__qualname__ = called
    return application
