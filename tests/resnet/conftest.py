"""Networks and images small enough to test with."""

import dataclasses
import gc

import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiny():
    """Build a row of the table with one narrow block a group, for images of 8 pixels."""
    from resnet.network import Architecture
    from resnet.variants import variant

    def build(name, classes=2, **changes):
        row = variant(name)
        groups = len(row.repeats)
        row = dataclasses.replace(
            row, **{"repeats": (1,) * groups, "filters": (4, 8, 12, 16)[:groups], "stem": "small", **changes}
        )
        return Architecture(row, (8, 8, 3), classes, True, None, "softmax").build()

    return build


@pytest.fixture(scope="session")
def randomised():
    """Give a model random weights everywhere, normalisations too, under which its answers stay moderate."""

    def give(model, gamma=(0.3, 0.6)):
        ranges = {"gamma": gamma, "moving_variance": (0.5, 1.5)}
        draw = np.random.default_rng(0)
        for weight in model.weights:
            if weight.name == "kernel":
                spread = (2 / np.prod(weight.shape[:-1])) ** 0.5
                weight.assign(draw.normal(0, spread, weight.shape))
            else:
                weight.assign(draw.uniform(*ranges.get(weight.name, (-0.1, 0.1)), weight.shape))
        return model

    return give


@pytest.fixture(scope="session")
def noise():
    """Random images of a size, each of its own colour."""

    def draw(count, side=8, seed=0):
        draw = np.random.default_rng(seed)
        brightest = draw.integers(32, 256, (count, 1, 1, 3))
        return (brightest * draw.random((count, side, side, 3))).astype(np.uint8)

    return draw


@pytest.fixture(scope="session")
def dark_and_bright(noise):
    """Forty images, half of them dark (class 0) and half bright (class 1)."""
    labels = np.arange(40) % 2
    return noise(40) // 3 + (160 * labels)[:, None, None, None].astype(np.uint8), labels


@pytest.fixture
def collector_off():
    """A third of a thousand-layer test would be Python's garbage collector looking at the layers again and again."""
    gc.disable()
    yield
    gc.enable()
