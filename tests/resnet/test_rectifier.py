"""The rectifier of bits is the rectifier."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import resnet
from resnet.rectifier import QuickReLU

# Every bfloat16 there is, which are the upper halves of the floats, but for NaNs and what TensorFlow takes for 0.
EVERY = (np.arange(2**16, dtype=np.uint32) << 16).view(np.float32)
EVERY = EVERY[~np.isnan(EVERY) & ((EVERY == 0) | (np.abs(EVERY) >= np.finfo(np.float32).tiny))]


def passed(kind, dtype):
    """What goes out, and the gradient of what comes in."""
    features = tf.constant(EVERY, dtype)
    outward = tf.constant(np.random.default_rng(0).normal(size=EVERY.shape), dtype)
    with tf.GradientTape() as tape:
        tape.watch(features)
        outputs = kind(dtype=keras.DTypePolicy(dtype))(features)
    return [np.asarray(tf.cast(part, "float32")) for part in (outputs, tape.gradient(outputs, features, outward))]


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_of_every_number_it_gives_what_keras_gives_with_the_same_gradient(dtype):
    for mine, other in zip(passed(QuickReLU, dtype), passed(keras.layers.ReLU, dtype), strict=True):
        assert np.array_equal(mine, other)


@pytest.mark.parametrize(("precision", "quick"), [("mixed_bfloat16", 9), ("float32", 0)])
def test_it_ends_every_block_of_a_network_that_trains_in_bfloat16(precision, quick):
    model = resnet.create_for_training("resnet20", input_shape=(8, 8, 3), classes=2, precision=precision)
    spec = tf.TensorSpec((None, 8, 8, 3), tf.uint8)
    graph = tf.function(lambda images: model(images, training=True)).get_concrete_function(spec).graph
    compared = [op for op in graph.get_operations() if op.type == "Maximum" and op.inputs[0].dtype == tf.int16]
    assert len(compared) == quick
