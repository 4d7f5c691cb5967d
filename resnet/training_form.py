"""The form of a network that trains, and the way back to the one that is saved."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from resnet.fused import FusedConvolutions
from resnet.looped import LoopedBlocks, LoopedStack
from resnet.network import Form, create


def create_for_training(
    name: str, *, precision: str | None = None, rematerialize: bool = False, **arguments: Any
) -> keras.Model:
    """Build the form of a network that trains fast; `portable` turns it into the one to save.

    Args:
        name: A name of `resnet.names()`.
        precision: A Keras dtype policy, float32, mixed_bfloat16 or mixed_float16; by default the one that is set.
        rematerialize: Take less memory and more time: of equal blocks that follow each other, only every so manyth
            one's input is kept for the backward pass, and memory grows with the square root of their number.
        **arguments: As for `resnet.create`.

    Differs: it is trained, and not saved, cloned or loaded by Keras; `set_portable_weights` gives it the weights of a
        stock network. Blocks within a loop are frozen together, by the `trainable` of their group.
    """
    # Two blocks already take less memory in a loop that keeps no more than it must.
    stack = LoopedStack(least=2, rematerialize=True) if rematerialize else LoopedStack()
    with _dtype_policy(precision or keras.config.dtype_policy()):
        return create(name, form=Form(FusedConvolutions, stack), **arguments)


def portable(model: keras.Model) -> keras.Model:
    """Rebuild a network with its weights in stock float32 layers, uncompiled: what is saved and measured.

    Raises:
        ValueError: The model was not made by `create` or `create_for_training`, nor loaded by `load`.
    """
    architecture = getattr(model, "architecture", None)
    if architecture is None:
        raise ValueError(
            f"expected a model made by resnet.create, resnet.create_for_training or resnet.load, got {model.name!r}"
        )
    with _dtype_policy("float32"):
        twin = architecture.build()
    twin.set_weights(portable_weights(model))
    return twin


def portable_weights(model: keras.Model) -> list[NDArray[np.generic]]:
    """The weights of a network as its stock form has them."""
    return [
        weight
        for layer in _layers(model)
        for weight in (layer.unstacked() if isinstance(layer, LoopedBlocks) else layer.get_weights())
    ]


def set_portable_weights(model: keras.Model, weights: Sequence[NDArray[np.generic]]) -> None:
    """Give a network of any form weights as its stock form has them: those of `get_weights` of a stock network."""
    left = iter(weights)
    for layer in _layers(model):
        looped = isinstance(layer, LoopedBlocks)
        count = len(layer.weights) * (layer.repeats if looped else 1)
        own = list(itertools.islice(left, count))
        if looped:
            layer.stack(own)
        else:
            layer.set_weights(own)


def _layers(model: keras.Model) -> Iterator[layers.Layer]:
    """The layers that have weights of their own."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


@contextlib.contextmanager
def _dtype_policy(policy: str | keras.DTypePolicy) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
