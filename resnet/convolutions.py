"""The layers of a network, with all that a network shares bound once."""

from dataclasses import dataclass
from typing import Any, ClassVar

from keras import layers

from resnet.variants import Bias

Tensor = Any


@dataclass(frozen=True)
class Convolutions:
    """What blocks are built of.

    Source: He initialisation is of arXiv 1502.01852; epsilon is keras.applications'.
    Differs: batch normalisation's running averages move by 0.1 a step, as in the authors' Torch code;
        Keras' own 0.01 needs more steps than a short training has.
    """

    bias: Bias
    convolution: ClassVar[type[layers.Conv2D]] = layers.Conv2D
    normalization: ClassVar[type[layers.BatchNormalization]] = layers.BatchNormalization
    pooling: ClassVar[type[layers.MaxPooling2D]] = layers.MaxPooling2D
    rectifier: ClassVar[type[layers.ReLU]] = layers.ReLU

    def normalised(self, x: Tensor, filters: int, kernel: int, stride: int = 1, *, name: str) -> Tensor:
        """A convolution that a normalisation follows."""
        return self._convolution(x, filters, kernel, stride, self.bias == "all", name)

    def bare(self, x: Tensor, filters: int, kernel: int, stride: int = 1, *, name: str) -> Tensor:
        """A convolution that no normalisation follows."""
        return self._convolution(x, filters, kernel, stride, self.bias != "none", name)

    def norm(self, x: Tensor, *, name: str) -> Tensor:
        """Batch normalisation."""
        return self.normalization(momentum=0.9, epsilon=1.001e-5, name=name)(x)

    def norm_relu(self, x: Tensor, *, name: str) -> Tensor:
        """Batch normalisation and the rectifier, `NAME_bn` and `NAME_relu`."""
        return self.rectifier(name=f"{name}_relu")(self.norm(x, name=f"{name}_bn"))

    def add_relu(self, skipped: Tensor, learned: Tensor) -> Tensor:
        """The sum of a shortcut and a residual, `add`, and the rectifier, `out`."""
        return layers.ReLU(name="out")(layers.Add(name="add")([skipped, learned]))

    def _convolution(self, x: Tensor, filters: int, kernel: int, stride: int, bias: bool, name: str) -> Tensor:
        padding = "same"
        if stride > 1 and kernel > 1:
            # TensorFlow's "same" would pad the right and the bottom alone; the papers pad all sides.
            x = layers.ZeroPadding2D(kernel // 2, name=name.replace("_conv", "_pad"))(x)
            padding = "valid"
        return self.convolution(
            filters, kernel, stride, padding, use_bias=bias, kernel_initializer="he_normal", name=name
        )(x)
