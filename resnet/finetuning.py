"""The two parts of a network that is trained further: its head, the last layer, and its body, all before it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

HEAD = "predictions"


def is_of_head(variable: Any) -> bool:
    """Whether a variable belongs to the last layer, which may be within a Sequential."""
    return HEAD in variable.path.split("/")[:-1]


@contextmanager
def body_frozen(model: keras.Model) -> Iterator[None]:
    """Keep the body as it is: its weights, and what its normalisations have averaged.

    A frozen normalisation must answer by its averages, as it does in inference. If it took those of each batch, the
    head would learn from features that nobody ever sees again, and the averages would drift from the weights.

    Source: keras issues 9214 and 12317, where either happened.
    """
    # Those within come after what they are in.
    before = [(layer, layer.trainable) for layer in model._flatten_layers(include_self=False)]
    for layer in model.layers:
        # Keras hands this on to all layers within, and takes it for inference in a normalisation.
        layer.trainable = layer.trainable and layer.name == HEAD
    try:
        yield
    finally:
        for layer, trainable in before:
            layer.trainable = trainable
