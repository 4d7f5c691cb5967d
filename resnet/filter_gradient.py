"""The gradients of a convolution's filters and biases as matrix products, where that is faster, for training.

oneDNN's own takes ten times as long as the convolution itself and more where images are small and filters many, as in
the last groups of a network, and with Intel's AMX two to four times as long as the product for most 1 x 1 convolutions
(benchmarks/LOG.md). The values are those of the stock layer; tests hold it to that.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

Tensor = Any
Gradients = Callable[[Tensor], tuple[Tensor, Tensor]]


@keras.saving.register_keras_serializable("resnet")
class QuickConv2D(layers.Conv2D):
    """Keras' layer with quicker gradients: of few pixels or 1 x 1 filters, on TensorFlow and a CPU.

    Shapes:
        (N, H, W, C) to (N, H / stride, W / stride, filters).
    """

    def call(self, inputs: Tensor) -> Tensor:
        if not self._pays(inputs):
            return super().call(inputs)
        import tensorflow as tf

        convolution = tf.custom_gradient(_convolution(self.strides[0], self.padding.upper()))
        outputs = convolution(inputs, _read(self.kernel))
        if self.use_bias:
            outputs = tf.custom_gradient(_add_bias)(outputs, _read(self.bias))
        return self.activation(outputs)

    def _pays(self, inputs: Tensor) -> bool:
        if keras.backend.backend() != "tensorflow":
            return False
        import tensorflow as tf

        _, rows, columns, _ = self.compute_output_shape(inputs.shape)
        few = None not in (rows, columns) and rows * columns <= self._most_pixels(inputs.shape[-1])
        plain = self.dilation_rate == (1, 1) and self.groups == 1
        return few and plain and not tf.config.get_visible_devices("GPU")

    def _most_pixels(self, channels: int) -> float:
        """The most output pixels for which it pays on every kind of CPU: im2col copies the window of each."""
        match self.compute_dtype, self.kernel_size, self.strides:
            # The window is one pixel: little is to be copied, or nothing.
            case "bfloat16", (1, 1), (1, 1) | (2, 2):
                return math.inf
            case "bfloat16", _, (1, 1):
                return 7 * 7
            case "bfloat16", _, (2, 2):
                return channels
            case "float32", (1, 1), (2, 2):
                return 0
            case "float32", _, (1, 1) | (2, 2):
                return 2 * 2
        return 0


def _read(weight: keras.Variable) -> Tensor:
    """The variable's value, cast by Keras if need be: `tf.custom_gradient` treats variables apart."""
    import tensorflow as tf

    return tf.convert_to_tensor(ops.convert_to_tensor(weight))


def _convolution(stride: int, padding: str) -> Callable[[Tensor, Tensor], tuple[Tensor, Gradients]]:
    import tensorflow as tf

    def convolution(images: Tensor, kernel: Tensor) -> tuple[Tensor, Gradients]:
        outputs = tf.nn.conv2d(images, kernel, stride, padding)

        def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
            sizes, strides = tf.shape(images), [1, stride, stride, 1]
            of_images = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=sizes, filter=kernel, out_backprop=upstream, strides=strides, padding=padding
            )
            *seen, filters = kernel.shape
            views = tf.reshape(_im2col(images, seen[:2], outputs.shape[1:3], stride), (-1, math.prod(seen)))
            of_kernel = tf.linalg.matmul(views, tf.reshape(upstream, (-1, filters)), transpose_a=True)
            return of_images, tf.reshape(of_kernel, kernel.shape)

        return outputs, gradients

    return convolution


def _add_bias(features: Tensor, bias: Tensor) -> tuple[Tensor, Gradients]:
    import tensorflow as tf

    def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
        pixels = tf.reshape(upstream, (-1, bias.shape[0]))
        of_bias = tf.linalg.matmul(tf.ones((1, tf.shape(pixels)[0]), pixels.dtype), pixels)
        return upstream, tf.reshape(of_bias, bias.shape)

    return tf.nn.bias_add(features, bias), gradients


def _im2col(images: Tensor, window: tuple[int, int], grid: tuple[int, int], stride: int) -> Tensor:
    """Lay out, for every place of a grid, all that a filter there sees.

    Shapes:
        (N, H, W, C) to (N, *grid, window height * window width * C).
    """
    import tensorflow as tf

    channels = images.shape[-1]
    around = [_padding(*sizes, stride) for sizes in zip(images.shape[1:3], window, grid, strict=True)]
    padded = tf.pad(images, [(0, 0), *around, (0, 0)])
    # To take every other pixel is slow in TensorFlow: put the pixels of a step behind one another, and slice.
    cells = padded if stride == 1 else tf.nn.space_to_depth(padded, stride)
    pieces = []
    for row, column in itertools.product(*map(range, window)):
        top, left = row // stride, column // stride
        first = (row % stride * stride + column % stride) * channels
        pieces.append(cells[:, top : top + grid[0], left : left + grid[1], first : first + channels])
    return tf.concat(pieces, axis=-1)


def _padding(side: int, window: int, places: int, stride: int) -> tuple[int, int]:
    """What TensorFlow pads before and after, and as much more after as makes whole steps."""
    missing = max(0, (places - 1) * stride + window - side)
    before = missing // 2
    return before, missing - before + -(side + missing) % stride
