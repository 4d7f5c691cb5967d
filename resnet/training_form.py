"""The form of a network that trains, and the way back to the one that is saved."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from resnet.fused import FusedConvolutions
from resnet.network import create


def create_for_training(name: str, *, precision: str = "float32", **arguments: Any) -> keras.Model:
    """Build the form of a network that trains fast; `portable` turns it into the one to save.

    Args:
        name: A name of `resnet.names()`.
        precision: A Keras dtype policy: float32, mixed_bfloat16 or mixed_float16.
        **arguments: As for `resnet.create`.
    """
    with _dtype_policy(precision):
        return create(name, convolutions=FusedConvolutions, **arguments)


def portable(model: keras.Model) -> keras.Model:
    """Rebuild a network with its weights in stock float32 layers, uncompiled: what is saved and measured.

    Raises:
        ValueError: The model was not made by `create` or `create_for_training`.
    """
    architecture = getattr(model, "architecture", None)
    if architecture is None:
        raise ValueError(f"expected a model made by resnet.create or resnet.create_for_training, got {model.name!r}")
    with _dtype_policy("float32"):
        twin = architecture.build()
    twin.set_weights(model.get_weights())
    return twin


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
