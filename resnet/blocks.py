"""The residual blocks, and the plain one that they are held against.

Each takes its input, the filters of its 3x3 convolutions, the stride with which it halves the image, the
shortcut (`resnet.shortcuts`) and the network's convolutions. Within a block the shortcut's layers are
numbered 0 and the residual's 1 to 3.

Shapes:
    (N, H, W, C) to (N, H / stride, W / stride, filters), with four times the filters for bottlenecks.
"""

from collections.abc import Callable
from typing import Any

from keras import layers

from resnet.convolutions import Convolutions
from resnet.shortcuts import Shortcut

Tensor = Any
Block = Callable[[Tensor, int, int, Shortcut, Convolutions], Tensor]

EXPANSION = 4


def plain(x: Tensor, filters: int, stride: int, shortcut: Shortcut, conv: Convolutions) -> Tensor:
    """Two 3x3 convolutions and no shortcut: what gets worse with depth (2015, figure 1)."""
    x = conv.norm_relu(conv.normalised(x, filters, 3, stride, name="1_conv"), name="1")
    return conv.norm_relu(conv.normalised(x, filters, 3, name="2_conv"), name="2")


def basic(x: Tensor, filters: int, stride: int, shortcut: Shortcut, conv: Convolutions) -> Tensor:
    """Two 3x3 convolutions and a shortcut around them (2015, figure 5 left)."""
    skipped = shortcut(x, filters, stride, lambda: _projection(x, filters, stride, conv))
    y = conv.norm_relu(conv.normalised(x, filters, 3, stride, name="1_conv"), name="1")
    y = conv.norm(conv.normalised(y, filters, 3, name="2_conv"), name="2_bn")
    return conv.add_relu(skipped, y)


def bottleneck(x: Tensor, filters: int, stride: int, shortcut: Shortcut, conv: Convolutions) -> Tensor:
    """1x1 to reduce, 3x3, 1x1 to restore (2015, figure 5 right); the first one strides."""
    wide = EXPANSION * filters
    skipped = shortcut(x, wide, stride, lambda: _projection(x, wide, stride, conv))
    y = conv.norm_relu(conv.normalised(x, filters, 1, stride, name="1_conv"), name="1")
    y = conv.norm_relu(conv.normalised(y, filters, 3, name="2_conv"), name="2")
    y = conv.norm(conv.normalised(y, wide, 1, name="3_conv"), name="3_bn")
    return conv.add_relu(skipped, y)


def preactivation(x: Tensor, filters: int, stride: int, shortcut: Shortcut, conv: Convolutions) -> Tensor:
    """A bottleneck that activates before it convolves, so that the shortcut stays clear (2016, figure 4e).

    Differs: the 3x3 strides, as in keras.applications; the authors' code strides in the first 1x1.
    """
    wide = EXPANSION * filters
    activated = conv.norm_relu(x, name="preact")
    skipped = shortcut(x, wide, stride, lambda: conv.bare(activated, wide, 1, stride, name="0_conv"))
    y = conv.norm_relu(conv.normalised(activated, filters, 1, name="1_conv"), name="1")
    y = conv.norm_relu(conv.normalised(y, filters, 3, stride, name="2_conv"), name="2")
    y = conv.bare(y, wide, 1, name="3_conv")
    return layers.Add(name="out")([skipped, y])


def _projection(x: Tensor, filters: int, stride: int, conv: Convolutions) -> Tensor:
    return conv.norm(conv.normalised(x, filters, 1, stride, name="0_conv"), name="0_bn")


BLOCKS: dict[str, Block] = {
    "plain": plain,
    "basic": basic,
    "bottleneck": bottleneck,
    "preactivation": preactivation,
}
