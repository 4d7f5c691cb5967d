"""How strongly each layer of a network is taught: the norm of its gradient, with and without shortcuts."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from resnet.targets import smoothed_targets

MOMENTUM = 0.9


class ResidualAlone(layers.Add):
    """An addition without its first term, which in every residual block is the shortcut."""

    def call(self, inputs: Any) -> Any:
        return inputs[1]


def untrained_copy(model: keras.Model) -> keras.Model:
    """Build a network again with fresh weights, drawn from Keras' global seed."""
    return keras.models.clone_model(model, clone_function=_fresh, recursive=True)


def plain_twin(model: keras.Model) -> keras.Model:
    """Build a network again, weight for weight, with every shortcut cut.

    Differs: the plain nets of He et al. 2015 are built without projections; here those remain, connected to nothing.
    """
    twin = keras.models.clone_model(model, clone_function=_without_shortcut, recursive=True)
    twin.set_weights(model.get_weights())
    for _, layer in _walk(twin):
        if _is_of_a_shortcut(layer):
            # It has no gradient, of which Keras would warn.
            layer.trainable = False
    return twin


def has_shortcuts(model: keras.Model) -> bool:
    """Whether there is anything that `plain_twin` would cut."""
    return any(isinstance(layer, layers.Add) and not isinstance(layer, ResidualAlone) for _, layer in _walk(model))


def gradient_norms(model: keras.Model, images: NDArray[np.uint8], labels: NDArray[np.integer]) -> dict[str, float]:
    """Measure the gradient of the cross-entropy with respect to the kernel of each convolution, first to last.

    Shapes:
        images: (N, H, W, 3). labels: (N,).

    Returns:
        Frobenius norms by the layers' names; convolutions of shortcuts are left out.
    """
    import tensorflow as tf

    kernels = {name: layer.kernel for name, layer in _walk(model) if _is_on_the_way(layer)}
    targets = smoothed_targets(labels, model.output_shape[-1])
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.losses.categorical_crossentropy(targets, model(images, training=True)))
    gradients = tape.gradient(loss, [kernel.value for kernel in kernels.values()])
    return {name: float(tf.norm(gradient)) for name, gradient in zip(kernels, gradients, strict=True)}


def take_steps(
    model: keras.Model, batches: Iterator[tuple[NDArray[np.uint8], NDArray[np.integer]]], learning_rate: float
) -> None:
    """Train a network in place, a step a batch, by plain SGD with momentum."""
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, MOMENTUM),
        loss="categorical_crossentropy",
        # To trace a graph for a few steps takes longer than they do.
        run_eagerly=True,
    )
    for images, labels in batches:
        model.train_on_batch(images, smoothed_targets(labels, model.output_shape[-1]))


def _fresh(layer: layers.Layer) -> layers.Layer:
    return type(layer).from_config(layer.get_config())


def _without_shortcut(layer: layers.Layer) -> layers.Layer:
    kind = ResidualAlone if isinstance(layer, layers.Add) else type(layer)
    return kind.from_config(layer.get_config())


def _walk(model: keras.Model, within: str = "") -> Iterator[tuple[str, layers.Layer]]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _walk(layer, f"{layer.name}/")
        else:
            yield within + layer.name, layer


def _is_on_the_way(layer: layers.Layer) -> bool:
    return isinstance(layer, layers.Conv2D) and not _is_of_a_shortcut(layer)


def _is_of_a_shortcut(layer: layers.Layer) -> bool:
    # Within a block the shortcut's layers are numbered 0.
    return bool(layer.name.startswith("0_"))
