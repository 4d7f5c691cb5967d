"""Batch normalisation in one pass, for training.

Keras' own takes moments and then does arithmetic, all in float32. TensorFlow has one kernel for it, which also takes
and gives bfloat16. Weights, values and gradients are those of the stock layer; tests hold it to that.
"""

from typing import Any

import keras
from keras import layers, ops

from resnet.convolutions import Convolutions
from resnet.filter_gradient import QuickConv2D

Tensor = Any


@keras.saving.register_keras_serializable("resnet")
class FusedBatchNormalization(layers.BatchNormalization):
    """Keras' layer, with TensorFlow's fused kernel where that is the backend.

    Shapes:
        (N, H, W, C) to (N, H, W, C).
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        if keras.backend.backend() != "tensorflow" or not training or not self.trainable:
            return super().call(inputs, training=training, mask=mask)
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
        for average, new in ((self.moving_mean, mean), (self.moving_variance, variance * (values - 1) / values)):
            average.assign(average * self.momentum + new * (1 - self.momentum))
        return outputs


class FusedConvolutions(Convolutions):
    """What a network is built of while it trains."""

    convolution = QuickConv2D
    normalization = FusedBatchNormalization
