"""Rectifiers that are quick in bfloat16 on a CPU, for training.

TensorFlow's own kernels are slow in bfloat16; XLA compiles what belongs together into one pass, for the CPU at hand
(benchmarks/LOG.md). Values and gradients are those of the stock layers; tests hold them to that.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

Tensor = Any
Elementwise = Callable[..., Tensor]
Gradient = Callable[[Tensor], Any]


@keras.saving.register_keras_serializable("resnet")
class QuickReLU(layers.ReLU):
    """Keras' layer with a quick gradient; the rectifier itself TensorFlow fuses with the normalisation before it.

    Shapes:
        Any, and the same.
    """

    def call(self, inputs: Tensor) -> Tensor:
        if not _pays(self.compute_dtype):
            return super().call(inputs)
        import tensorflow as tf

        return tf.custom_gradient(_rectified)(inputs)


@keras.saving.register_keras_serializable("resnet")
class AddReLU(layers.Add):
    """The sum of two and its rectifier in one pass, forwards and backwards.

    A NaN may become 0, as in the normalisation that TensorFlow fuses with a rectifier.

    Shapes:
        Two of any, and the same.
    """

    def call(self, inputs: list[Tensor]) -> Tensor:
        if not _pays(self.compute_dtype):
            return keras.ops.relu(super().call(inputs))
        import tensorflow as tf

        return tf.custom_gradient(_added_and_rectified)(*inputs)


def _pays(dtype: str) -> bool:
    if keras.backend.backend() != "tensorflow" or dtype != "bfloat16":
        return False
    import tensorflow as tf

    return not tf.config.get_visible_devices("GPU")


def _rectified(features: Tensor) -> tuple[Tensor, Gradient]:
    import tensorflow as tf

    outputs = tf.nn.relu(features)
    return outputs, functools.partial(_gradient, outputs)


def _added_and_rectified(skipped: Tensor, learned: Tensor) -> tuple[Tensor, Gradient]:
    outputs = _in_one_pass(_positive_sum)(skipped, learned)

    def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
        of_sum = _gradient(outputs, upstream)
        return of_sum, of_sum

    return outputs, gradients


def _gradient(outputs: Tensor, upstream: Tensor) -> Tensor:
    return _in_one_pass(_sum_where_positive)(outputs, *_summands(upstream))


def _summands(gradient: Tensor) -> list[Tensor]:
    """What TensorFlow adds up where two layers used the features: added here, it needs no pass of its own.

    TensorFlow leaves out of a graph what nothing uses, so that its sum is not taken beside ours.
    """
    import tensorflow as tf

    if tf.is_symbolic_tensor(gradient) and gradient.op.type == "AddN" and len(gradient.op.inputs) == 2:
        return list(gradient.op.inputs)
    return [gradient]


@functools.cache
def _in_one_pass(function: Elementwise) -> Elementwise:
    """Compile what is done to each number by itself."""
    import tensorflow as tf

    compiled = tf.function(function, jit_compile=True)

    def run(*features: Tensor) -> Tensor:
        # As one row: XLA's vectors lie along the last axis, and channels can be too few to fill one.
        return tf.reshape(compiled(*(tf.reshape(each, [-1]) for each in features)), tf.shape(features[0]))

    return run


# Read as int16, floats from 0 up keep their order and those below stay negative: ReLU is then a maximum of whole
# numbers, which needs no rounding.


def _positive_sum(skipped: Tensor, learned: Tensor) -> Tensor:
    import tensorflow as tf

    added = tf.bitcast(skipped + learned, tf.int16)
    return tf.bitcast(tf.maximum(added, tf.zeros_like(added)), skipped.dtype)


def _sum_where_positive(outputs: Tensor, *gradients: Tensor) -> Tensor:
    import tensorflow as tf

    bits = tf.bitcast(sum(gradients[1:], gradients[0]), tf.int16)
    return tf.bitcast(tf.where(tf.bitcast(outputs, tf.int16) > 0, bits, tf.zeros_like(bits)), outputs.dtype)
