"""A row of the table becomes a Keras model.

Every block is a small model, and every group a Sequential of its blocks: so depth is a loop to Keras, which
walks a functional graph by recursion and ends a plain thousand-layer one in RecursionError.
"""

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterator
from typing import Any, Literal

import keras
from keras import layers, ops

from resnet.blocks import BLOCKS
from resnet.convolutions import Convolutions
from resnet.shortcuts import SHORTCUTS
from resnet.variants import Shortcut, Stem, Variant, stem_for, variant, widened

Tensor = Any
Pooling = Literal["avg", "max"]

# ResNet-152 has 36 blocks in a group.
MOST_IN_A_ROW = 40
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Everything that `create` was told, so that the same network can be built again."""

    variant: Variant
    input_shape: tuple[int | None, int | None, int]
    classes: int
    include_top: bool
    pooling: Pooling | None
    classifier_activation: str | None

    def build(self, form: "Form | None" = None) -> keras.Model:
        """Build the network with fresh weights, of stock layers unless told otherwise."""
        form = form or STOCK
        row = self.variant
        conv = form.convolutions(row.bias)
        inputs = keras.Input(self.input_shape, name="image")
        x = preprocessing(inputs, row)
        x = stem(x, row, conv)
        for number, group in enumerate(groups(row), start=2):
            x = form.stack(x, group, row, conv, f"conv{number}")
        if row.block == "preactivation":
            x = conv.norm_relu(x, name="post")
        model = keras.Model(inputs, self._head(x), name=row.name)
        model.architecture = self
        return model

    def _head(self, x: Tensor) -> Tensor:
        if not self.include_top:
            pool = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, None: None}[self.pooling]
            return pool(name=f"{self.pooling}_pool")(x) if pool else x
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        # Probabilities stay float32 under mixed precision.
        return layers.Dense(int(self.classes), self.classifier_activation, dtype="float32", name="predictions")(x)


def create(
    name: str,
    input_shape: tuple[int | None, int | None, int] = (224, 224, 3),
    classes: int = 1000,
    *,
    include_top: bool = True,
    pooling: Pooling | None = None,
    classifier_activation: str | None = "softmax",
    shortcut: Shortcut | None = None,
    stem: Stem | None = None,
    width: float = 1.0,
    form: "Form | None" = None,
) -> keras.Model:
    """Build a residual network that takes raw RGB images of values 0 to 255.

    Args:
        name: A name of `resnet.names()`.
        pooling: What ends a network without top; None leaves the feature map.
        shortcut: Option A, B or C instead of the row's own.
        stem: `large` (7x7, stride 2, max-pool) or `small` (3x3) instead of the one for this image size.
        width: Filters of every group, as a multiple of the row's own (Zagoruyko and Komodakis 2016, arXiv 1605.07146).
        form: What the network is built of; stock layers unless told otherwise.

    Shapes:
        (N, H, W, 3) uint8 or float to (N, classes); without top (N, H / s, W / s, C), or (N, C) pooled;
        s doubles with each group after the first, and is four times as much with the large stem.

    Raises:
        ValueError: An unknown name, Keras set to channels first, an image too small for the network, fewer than two
            classes with softmax, or too few filters left.

    Source: He et al. 2015 (arXiv 1512.03385), He et al. 2016 (arXiv 1603.05027).
    """
    row = variant(name)
    if keras.config.image_data_format() != "channels_last":
        raise ValueError("images have their channels last here; keras.config.set_image_data_format('channels_last')")
    if not isinstance(input_shape, tuple | list) or len(input_shape) != 3 or input_shape[-1] != 3:
        raise ValueError(f"input_shape is {input_shape}; expected (height, width, 3), an RGB image")
    row = dataclasses.replace(row, shortcut=shortcut or row.shortcut, stem=stem or stem_for(row, input_shape))
    for key, choices in (("shortcut", "ABC"), ("stem", ("small", "large"))):
        if getattr(row, key) not in choices:
            raise ValueError(f"{key} is {getattr(row, key)!r}; expected one of {', '.join(choices)}")
    _check(row, input_shape, pooling)
    if include_top and not isinstance(classes, numbers.Integral):
        raise ValueError(f"classes is {classes!r}; expected a whole number")
    if include_top and classes < (least := 2 if classifier_activation == "softmax" else 1):
        raise ValueError(f"classes is {classes}; {classifier_activation or 'a classifier'} needs at least {least}")
    row = widened(row, width)
    architecture = Architecture(row, (*input_shape,), classes, include_top, pooling, classifier_activation)
    return architecture.build(form)


def preprocessing(x: Tensor, row: Variant) -> Tensor:
    """Scale 0..255 RGB to what the row's weights expect, in stock layers."""
    if row.preprocessing == "caffe":
        bgr = ops.flip(x, axis=-1)
        return layers.Rescaling(1.0, [-mean for mean in IMAGENET_MEAN_BGR], name="preprocessing")(bgr)
    return layers.Rescaling(1 / 127.5, -1.0, name="preprocessing")(x)


def stem(x: Tensor, row: Variant, conv: Convolutions) -> Tensor:
    """The first convolution; networks of pre-activation blocks leave its normalisation to the first block."""
    preactivated = row.block == "preactivation"
    convolution = conv.bare if preactivated else conv.normalised
    if row.stem == "large":
        x = convolution(x, row.filters[0], 7, 2, name="conv1_conv")
    else:
        x = convolution(x, row.filters[0], 3, name="conv1_conv")
    if not preactivated:
        x = conv.norm_relu(x, name="conv1")
    if row.stem == "large":
        x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = conv.pooling(3, 2, name="pool1_pool")(x)
    return x


def groups(row: Variant) -> Iterator[list[tuple[int, int]]]:
    """Yield each group as its blocks' (filters, stride)."""
    for index, (repeats, filters) in enumerate(zip(row.repeats, row.filters, strict=True)):
        strides = [1] * repeats
        if row.downsampling == "first" and index > 0:
            strides[0] = 2
        if row.downsampling == "last" and index < len(row.repeats) - 1:
            strides[-1] = 2
        yield [(filters, stride) for stride in strides]


def stack(x: Tensor, group: list[tuple[int, int]], row: Variant, conv: Convolutions, name: str) -> Tensor:
    """A group: its blocks one behind the other, each a model of its own."""
    blocks: list[layers.Layer] = []
    before = x
    for number, (filters, stride) in enumerate(group, start=1):
        block = block_model(row, before, filters, stride, conv, f"{name}_block{number}")
        blocks.append(block)
        before = block.output
    return chain(x, blocks, name)


def chain(x: Tensor, blocks: list[layers.Layer], name: str) -> Tensor:
    """Put the blocks of a group behind one another, many of them in stretches.

    Keras loads a Sequential block by block and goes through all of it each time.
    """
    if len(blocks) > MOST_IN_A_ROW:
        length = math.isqrt(len(blocks))
        stretches = [blocks[first : first + length] for first in range(0, len(blocks), length)]
        blocks = [
            keras.Sequential([_input_like(stretch[0].input), *stretch], name=f"{name}_{number}")
            for number, stretch in enumerate(stretches, start=1)
        ]
    return keras.Sequential([_input_like(x), *blocks], name=name)(x)


def block_model(row: Variant, before: Tensor, filters: int, stride: int, conv: Convolutions, name: str) -> keras.Model:
    """One block as a model, of features such as those before it."""
    inputs = _input_like(before)
    outputs = BLOCKS[row.block](inputs, filters, stride, SHORTCUTS[row.shortcut], conv)
    return keras.Model(inputs, outputs, name=name)


def _input_like(x: Tensor) -> Tensor:
    # Left to choose, Keras would cast half-precision features to float32 at every block, and each layer back.
    return keras.Input(x.shape[1:], dtype=x.dtype, name="in")


@dataclasses.dataclass(frozen=True)
class Form:
    """What a network is built of: its convolutions, and the way in which blocks become a group."""

    convolutions: type[Convolutions] = Convolutions
    stack: Callable[[Tensor, list[tuple[int, int]], Variant, Convolutions, str], Tensor] = stack


STOCK = Form()


def _check(row: Variant, input_shape: tuple[int | None, ...], pooling: str | None) -> None:
    small = [side for side in input_shape[:2] if side is not None and side < row.minimum_size]
    if small:
        raise ValueError(
            f"images of {small[0]} pixels are too small for {row.name}: it needs {row.minimum_size} or more"
        )
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"pooling is {pooling!r}; expected None, 'avg' or 'max'")
