"""Equal blocks as one loop, for training: a thousand layers cost a graph of a few dozen.

TensorFlow traces, optimises and differentiates every layer of a graph for itself, which takes minutes for a thousand.
Here the weights of equal blocks that follow each other are stacked, and one block is traced, as the body of a loop
over them. What it computes is what the blocks compute; tests hold it to that.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from resnet.convolutions import Convolutions
from resnet.network import block_model, chain
from resnet.variants import Variant

Tensor = Any
Weights = list[Tensor]
# One for each weight of a block, with an entry for each block.
Stacks = Sequence[Tensor]
# What a block does with its features, its weights and its averages: new features and new averages.
Step = Callable[[Tensor, Weights, Weights], tuple[Tensor, Weights]]


class LoopedBlocks(layers.Layer):
    """Blocks of one shape, one behind the other.

    Args:
        block: The first of them; the others are like it, with weights of their own.
        repeats: How many there are.
        rematerialize: Keep for the backward pass only what goes into every so manyth block, and compute the rest anew:
            memory then grows with the square root of the repeats.

    Shapes:
        (N, H, W, C) to (N, H, W, C).
    """

    def __init__(self, block: keras.Model, repeats: int, rematerialize: bool, name: str) -> None:
        super().__init__(name=name)
        self.repeats = repeats
        self._run = _run_in_chunks if rematerialize else _run
        # A bound method, as Keras would take the block's own weights for ours.
        self._compute = block.stateless_call
        self.learned = [self._stacked(weight) for weight in block.trainable_variables]
        self.averaged = [self._stacked(weight) for weight in block.non_trainable_variables]
        stacks = dict(zip(map(id, block.trainable_variables), self.learned, strict=True))
        stacks |= dict(zip(map(id, block.non_trainable_variables), self.averaged, strict=True))
        self._in_order = tuple(stacks[id(weight)] for weight in block.weights)
        self.built = True

    def get_config(self) -> dict[str, Any]:
        # Keras' own sentence asks for this method.
        raise NotImplementedError(
            "a network with loops is a form of training only; to save it: resnet.save(model, path), or "
            "resnet.portable(model).save(path)"
        )

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        # A frozen normalisation answers by its averages.
        training = bool(training) and self.trainable

        def step(x: Tensor, learned: Weights, averaged: Weights) -> tuple[Tensor, Weights]:
            return self._compute(learned, averaged, x, training=training)

        outputs, averaged = self._run(step, inputs, self.learned, self.averaged, self.repeats)
        if training:
            for stack, new in zip(self.averaged, averaged, strict=True):
                stack.assign(new)
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def unstacked(self) -> list[NDArray[np.generic]]:
        """The weights of one block after the other, each in the order that the block itself has them in."""
        stacks = [stack.numpy() for stack in self._in_order]
        return [stack[number] for number in range(self.repeats) for stack in stacks]

    def stack(self, weights: Sequence[NDArray[np.generic]]) -> None:
        """Take weights as `unstacked` gives them."""
        for place, stack in enumerate(self._in_order):
            stack.assign(np.stack(weights[place :: len(self._in_order)]))

    def _stacked(self, weight: keras.Variable) -> keras.Variable:
        # He et al.'s for each block; Keras would count the blocks into the fan-in.
        of_kernels = keras.initializers.VarianceScaling(2.0 * self.repeats, "fan_in", "truncated_normal")
        return self.add_weight(
            shape=(self.repeats, *weight.shape),
            initializer=of_kernels if weight.name == "kernel" else lambda shape, dtype: _spread(weight, shape, dtype),
            trainable=weight.trainable,
            # Whether a block's weights are cast is for its own layers to say.
            autocast=False,
            name=weight.name,
        )


def _spread(weight: keras.Variable, shape: tuple[int, ...], dtype: str) -> Tensor:
    return ops.broadcast_to(ops.cast(weight, dtype), shape)


@dataclasses.dataclass(frozen=True)
class LoopedStack:
    """A group as `resnet.network.stack` makes it, with a loop for each run of equal blocks that is long enough.

    Attributes:
        least: How many blocks are worth a loop.
        rematerialize: As for `LoopedBlocks`.
    """

    least: int = 8
    rematerialize: bool = False

    def __call__(self, x: Tensor, group: list[tuple[int, int]], row: Variant, conv: Convolutions, name: str) -> Tensor:
        """Put a group behind `x`."""
        parts: list[layers.Layer] = []
        before, number = x, 1
        for (filters, stride), run in itertools.groupby(group):
            left = len(list(run))
            while left:
                block = block_model(row, before, filters, stride, conv, f"{name}_block{number}")
                # The first of a run may change the shape; those after it do not.
                count = left if block.output.shape == before.shape and left >= self.least else 1
                looped = f"{name}_blocks{number}"
                parts.append(block if count == 1 else LoopedBlocks(block, count, self.rematerialize, looped))
                before, number, left = block.output, number + count, left - count
        return chain(x, parts, name)


def _run_in_chunks(step: Step, x: Tensor, learned: Stacks, averaged: Stacks, repeats: int) -> tuple[Tensor, Weights]:
    """Run the loop as a loop over loops, of which each is computed once more in the backward pass.

    Source: Chen et al. 2016 (arXiv 1604.06174), section 4.1.
    """
    length = math.isqrt(repeats)
    chunks = repeats // length

    def chunk(x: Tensor, learned: Weights, averaged: Weights) -> tuple[Tensor, Weights]:
        inner = keras.remat(lambda x, learned, averaged: _run(step, x, learned, averaged, length))
        return inner(x, learned, averaged)

    def chunked(stack: Tensor) -> Tensor:
        return ops.reshape(stack[: chunks * length], (chunks, length, *stack.shape[1:]))

    x, new = _run(chunk, x, [*map(chunked, learned)], [*map(chunked, averaged)], chunks)
    new = [ops.reshape(stack, (chunks * length, *stack.shape[2:])) for stack in new]
    if left := repeats - chunks * length:
        x, last = _run(step, x, [stack[-left:] for stack in learned], [stack[-left:] for stack in averaged], left)
        new = [ops.concatenate(both) for both in zip(new, last, strict=True)]
    return x, new


def _run(step: Step, x: Tensor, learned: Stacks, averaged: Stacks, repeats: int) -> tuple[Tensor, Weights]:
    if keras.backend.backend() == "tensorflow":
        return _while_loop(step, x, learned, averaged, repeats)
    # JAX takes arrays, and no variables.
    stacks = [[ops.convert_to_tensor(stack) for stack in kind] for kind in (learned, averaged)]
    return ops.scan(lambda x, weights: step(x, *weights), x, stacks, repeats)


def _while_loop(step: Step, x: Tensor, learned: Stacks, averaged: Stacks, repeats: int) -> tuple[Tensor, Weights]:
    """What `ops.scan` does; that of Keras 3.15 does not run on TensorFlow."""
    import tensorflow as tf

    def array(stack: Tensor) -> Any:
        return tf.TensorArray(stack.dtype, repeats, element_shape=stack.shape[1:], clear_after_read=False)

    def body(number: Tensor, x: Tensor, written: list[Any]) -> tuple[Tensor, Tensor, list[Any]]:
        x, new = step(x, *([part.read(number) for part in parts] for parts in reading))
        return number + 1, x, [part.write(number, value) for part, value in zip(written, new, strict=True)]

    # Unstacked once: to read by tf.gather would make the gradient of every step as large as the stack.
    reading = [[array(stack).unstack(ops.convert_to_tensor(stack)) for stack in kind] for kind in (learned, averaged)]
    start = (0, x, [array(stack) for stack in averaged])
    _, x, written = tf.while_loop(lambda number, *_: number < repeats, body, start, maximum_iterations=repeats)
    return x, [part.stack() for part in written]
