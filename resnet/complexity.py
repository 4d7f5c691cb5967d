"""What an architecture costs: layers, parameters and multiply-adds."""

import dataclasses
import functools
import math
from collections.abc import Iterator

import keras
from keras import layers

from resnet.network import Architecture
from resnet.variants import stem_for, variant, widened


@dataclasses.dataclass(frozen=True)
class Complexity:
    """The cost of one architecture.

    Attributes:
        layers: Convolutions and dense layers on the residual path, as the papers count depth.
        parameters: The trained ones, as the papers count them.
        stored: The parameters and the running averages of the normalisations.
        multiply_adds: Of convolutions and dense layers, for one image, forward.
    """

    layers: int
    parameters: int
    stored: int
    multiply_adds: int


@functools.cache
def describe(name: str, side: int | None = None, classes: int | None = None, width: float = 1.0) -> Complexity:
    """Count what an architecture costs, without building every block: those inside a group are alike.

    Args:
        side: Image side in pixels; by default that of the architecture's paper, 32 or 224.
        classes: By default the paper's, 10 or 1,000.
        width: As for `resnet.create`.
    """
    row = variant(name)
    of_paper = (32, 10) if row.stem == "small" else (224, 1000)
    side, classes = side or of_paper[0], classes or of_paper[1]
    row = widened(dataclasses.replace(row, stem=stem_for(row, (side, side, 3))), width)
    short = dataclasses.replace(row, repeats=tuple(min(3, n) for n in row.repeats))
    shortened = Architecture(short, (side, side, 3), classes, True, None, "softmax").build()
    counted = list(_layers_and_times(shortened, row.repeats))
    return Complexity(
        layers=sum(n for layer, n in counted if _has_kernel(layer) and not layer.name.startswith("0_")),
        parameters=sum(n * _size(layer.trainable_weights) for layer, n in counted),
        stored=sum(n * _size(layer.weights) for layer, n in counted),
        multiply_adds=sum(n * _multiply_adds(layer) for layer, n in counted),
    )


def _layers_and_times(shortened: keras.Model, repeats: tuple[int, ...]) -> Iterator[tuple[layers.Layer, int]]:
    """Yield each layer of a network of at most three blocks a group, and how often the whole one has it."""
    left = list(repeats)
    for layer in shortened.layers:
        if not isinstance(layer, keras.Sequential):
            yield layer, 1
            continue
        blocks = layer.layers
        times = [1] * len(blocks)
        if len(blocks) == 3:
            times[1] = left[0] - 2
        left.pop(0)
        for block, n in zip(blocks, times, strict=True):
            yield from ((inner, n) for inner in block.layers)


def _has_kernel(layer: layers.Layer) -> bool:
    return isinstance(layer, layers.Conv2D | layers.Dense)


def _size(weights: list[keras.Variable]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _multiply_adds(layer: layers.Layer) -> int:
    """Each kernel weight is used once at every place of the output."""
    if not _has_kernel(layer):
        return 0
    places = math.prod(layer.output.shape[1:-1])
    return math.prod(layer.kernel.shape) * places
