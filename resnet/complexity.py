"""What an architecture costs: layers, parameters and multiply-adds."""

import dataclasses
import functools
import math

import keras
from keras import layers

from resnet.network import Architecture
from resnet.variants import Variant, stem_for, variant, widened


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

    def plus(self, other: "Complexity", times: int) -> "Complexity":
        """Add another cost so many times."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Complexity(*(own + times * theirs for own, theirs in pairs))


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
    blocks = tuple(min(3, n) for n in row.repeats)
    # Networks that differ in their depth alone are the same when shortened.
    shortened = dataclasses.replace(row, name="shortened", paper=0, repeats=blocks)
    total = Complexity(0, 0, 0, 0)
    for group, cost in _costs(shortened, side, classes):
        total = total.plus(cost, 1 if group is None else row.repeats[group] - 2)
    return total


@functools.cache
def _costs(shortened: Variant, side: int, classes: int) -> tuple[tuple[int | None, Complexity], ...]:
    """The cost of each layer, and its group where it is of the middle one of three blocks, which stands for more."""
    network = Architecture(shortened, (side, side, 3), classes, True, None, "softmax").build()
    costs: list[tuple[int | None, Complexity]] = []
    group = -1
    for part in network.layers:
        if not isinstance(part, keras.Sequential):
            costs.append((None, _cost(part)))
            continue
        group += 1
        for number, block in enumerate(part.layers):
            second = group if len(part.layers) == 3 and number == 1 else None
            costs += [(second, _cost(layer)) for layer in block.layers]
    return tuple(costs)


def _cost(layer: layers.Layer) -> Complexity:
    return Complexity(
        layers=int(_has_kernel(layer) and not layer.name.startswith("0_")),
        parameters=_size(layer.trainable_weights),
        stored=_size(layer.weights),
        multiply_adds=_multiply_adds(layer),
    )


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
