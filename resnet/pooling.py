"""Max-pooling whose gradient is quick on a GPU, for training."""

from functools import reduce
from typing import Any

import keras
from keras import layers, ops

Tensor = Any


@keras.saving.register_keras_serializable("resnet")
class QuickMaxPooling2D(layers.MaxPooling2D):
    """Keras' layer as maxima of shifted views, rows first, except on TensorFlow.

    XLA scatters the gradient of the operation that Keras takes, pixel by pixel; that of maxima is arithmetic. Of equal
    values the first does not get all of a gradient: each comparison halves it between the two.

    Shapes:
        (N, H, W, C) to (N, H', W', C), of whole windows.
    """

    def call(self, inputs: Tensor) -> Tensor:
        if keras.backend.backend() == "tensorflow" or self.padding != "valid" or self.data_format != "channels_last":
            return super().call(inputs)
        (high, wide), (down, right) = self.pool_size, self.strides
        rows = 1 + (inputs.shape[1] - high) // down
        columns = 1 + (inputs.shape[2] - wide) // right
        tallest = reduce(ops.maximum, (inputs[:, top : top + down * rows : down] for top in range(high)))
        return reduce(ops.maximum, (tallest[:, :, left : left + right * columns : right] for left in range(wide)))
