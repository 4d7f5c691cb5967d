"""The gradient of a convolution's filters as one matrix product, where that is faster, for training.

oneDNN's own takes up to five times as long as the convolution itself where images are small and filters many, as in the
last group of a network (benchmarks/LOG.md). The values are those of the stock layer; tests hold it to that.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

Tensor = Any

# Of an image; with more of them, to lay out every filter's view of the image costs more than is gained.
MOST_PIXELS = 7 * 7


@keras.saving.register_keras_serializable("resnet")
class QuickConv2D(layers.Conv2D):
    """Keras' layer with a quicker gradient: of few pixels, without stride, in bfloat16, on TensorFlow and a CPU.

    Shapes:
        (N, H, W, C) to (N, H / stride, W / stride, filters).
    """

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """Convolve; Keras' layer adds the bias."""
        if not self._pays(inputs):
            return super().convolution_op(inputs, kernel)
        import tensorflow as tf

        # Cast by Keras, if need be, and then read, as a variable of its own would be none of ours to differentiate.
        return tf.custom_gradient(_convolution)(inputs, tf.convert_to_tensor(ops.convert_to_tensor(kernel)))

    def _pays(self, inputs: Tensor) -> bool:
        if keras.backend.backend() != "tensorflow" or self.compute_dtype != "bfloat16":
            return False
        import tensorflow as tf

        _, height, width, _ = inputs.shape
        few = height is not None and width is not None and height * width <= MOST_PIXELS
        plain = self.strides == self.dilation_rate == (1, 1) and self.groups == 1 and self.padding == "same"
        return few and plain and not tf.config.get_visible_devices("GPU")


def _convolution(images: Tensor, kernel: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    import tensorflow as tf

    def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
        of_images = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images), filter=kernel, out_backprop=upstream, strides=[1, 1, 1, 1], padding="SAME"
        )
        height, width, channels, filters = kernel.shape
        views = tf.reshape(_views(images, height, width), (-1, height * width * channels))
        of_kernel = tf.linalg.matmul(views, tf.reshape(upstream, (-1, filters)), transpose_a=True)
        return of_images, tf.reshape(of_kernel, kernel.shape)

    return tf.nn.conv2d(images, kernel, 1, "SAME"), gradients


def _views(images: Tensor, height: int, width: int) -> Tensor:
    """Lay out, for every pixel, all that a filter there sees: (N, H, W, C) to (N, H, W, height * width * C)."""
    import tensorflow as tf

    if height == width == 1:
        return images
    rows, columns = images.shape[1:3]
    around = [((side - 1) // 2, side // 2) for side in (height, width)]
    padded = tf.pad(images, [(0, 0), *around, (0, 0)])
    return tf.concat(
        [padded[:, top : top + rows, left : left + columns] for top in range(height) for left in range(width)], axis=-1
    )
