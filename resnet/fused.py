"""Batch normalisation in one pass, for training.

Keras' own takes moments in two passes and then does arithmetic, all in float32. TensorFlow has one kernel for it, which
also takes and gives bfloat16; other backends are given sums that need one pass. Weights, values and gradients are those
of the stock layer but for rounding; tests hold it to that.
"""

from typing import Any

import keras
from keras import layers, ops

from resnet.convolutions import Convolutions
from resnet.filter_gradient import QuickConv2D
from resnet.pooling import QuickMaxPooling2D
from resnet.rectifier import AddReLU, QuickReLU

Tensor = Any


@keras.saving.register_keras_serializable("resnet")
class FusedBatchNormalization(layers.BatchNormalization):
    """Keras' layer, with TensorFlow's fused kernel where that is the backend, and one pass over the features elsewhere.

    Shapes:
        (N, H, W, C) to (N, H, W, C).
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        if not training or not self.trainable:
            return super().call(inputs, training=training, mask=mask)
        normalised = self._by_one_kernel if keras.backend.backend() == "tensorflow" else self._by_two_sums
        outputs, mean, variance = normalised(inputs)
        for average, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + new * (1 - self.momentum))
        return outputs

    def _by_one_kernel(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        import tensorflow as tf

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            ops.cast(self.gamma, "float32"),
            ops.cast(self.beta, "float32"),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel gives the unbiased variance; Keras averages the biased one.
        values = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
        return outputs, mean, variance * (values - 1) / values

    def _by_two_sums(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the means of values and of squares, which a compiler takes in one pass: E[x²] - E[x]² is the variance.

        Values are first shifted by the running mean: where that is near the mean, nothing cancels.
        """
        values = ops.cast(inputs, "float32")
        shift = ops.stop_gradient(ops.cast(self.moving_mean, "float32"))
        shifted = values - shift
        above = ops.mean(shifted, axis=(0, 1, 2))
        variance = ops.maximum(ops.mean(ops.square(shifted), axis=(0, 1, 2)) - ops.square(above), 0.0)
        mean = shift + above
        gamma, beta = ops.cast(self.gamma, "float32"), ops.cast(self.beta, "float32")
        outputs = ops.batch_normalization(values, mean, variance, -1, beta, gamma, self.epsilon)
        return ops.cast(outputs, self.compute_dtype), mean, variance


class FusedConvolutions(Convolutions):
    """What a network is built of while it trains."""

    convolution = QuickConv2D
    normalization = FusedBatchNormalization
    pooling = QuickMaxPooling2D
    rectifier = QuickReLU

    def add_relu(self, skipped: Tensor, learned: Tensor) -> Tensor:
        """As one layer, `out`."""
        return AddReLU(name="out")([skipped, learned])
