"""The quicker gradients of a convolution's filters and biases are the gradients of its filters and biases."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import resnet
from resnet.filter_gradient import QuickConv2D


def convolution(kind, kernel=3, stride=1, padding="same", dtype="bfloat16", channels=5, **more):
    layer = kind(6, kernel, stride, padding, dtype=keras.DTypePolicy(dtype), **more)
    layer.build((None, None, None, channels))
    draw = np.random.default_rng(1)
    layer.set_weights([draw.normal(size=weight.shape) for weight in layer.weights])
    return layer


def gradients(layer, *side):
    """What goes out, and the gradients of what comes in, the filters and the bias."""
    images, outward = (
        tf.constant(np.random.default_rng(seed).normal(size=shape), layer.compute_dtype)
        for seed, shape in ((2, (8, *side, 5)), (3, layer.compute_output_shape((8, *side, 5))))
    )
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images)
    found = tape.gradient(outputs, [images, *[weight.value for weight in layer.trainable_variables]], outward)
    return [np.asarray(tf.cast(part, tf.float32)) for part in (outputs, *found)]


def is_quick(layer, side):
    """Whether TensorFlow's own gradients of filters and biases are not called."""

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            outputs = layer(images)
        return tape.gradient(outputs, [layer.kernel.value, layer.bias.value])

    graph = step.get_concrete_function(tf.TensorSpec((8, side, side, 5), layer.compute_dtype)).graph
    called = {operation.type for operation in graph.get_operations()} & {"Conv2DBackpropFilter", "BiasAddGrad"}
    assert len(called) in (0, 2), called
    return not called


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("side", [(5, 5), (6, 5), (1, 7), (2, 4), (7, 12)])
def test_its_outputs_and_gradients_are_those_of_the_stock_layer(kernel, side, stride, padding, monkeypatch):
    # In float32, since bfloat16 has eight bits, and a CPU without AVX-512 is less exact still.
    monkeypatch.setattr(QuickConv2D, "_pays", lambda layer, images: True)
    if padding == "valid" and min(side) < kernel:
        side = tuple(length + kernel - 1 for length in side)
    ours, theirs = (
        gradients(convolution(kind, kernel, stride, padding, "float32"), *side)
        for kind in (QuickConv2D, keras.layers.Conv2D)
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert np.abs(mine - other).max() <= 1e-5 * np.abs(other).max()


def test_in_bfloat16_it_is_as_near_to_float32_as_the_stock_layer_is():
    exact, ours, theirs = (
        gradients(convolution(kind, dtype=dtype), 5, 5)
        for kind, dtype in (
            (keras.layers.Conv2D, "float32"),
            (QuickConv2D, "bfloat16"),
            (keras.layers.Conv2D, "bfloat16"),
        )
    )
    for true, mine, other in zip(exact, ours, theirs, strict=True):
        assert np.linalg.norm(mine - true) <= 1.5 * np.linalg.norm(other - true) <= 0.1 * np.linalg.norm(true)


@pytest.mark.parametrize(
    ("side", "settings", "quick"),
    [
        (7, {}, True),
        (8, {}, False),
        # As many as the images that come.
        (None, {}, False),
        (2, {"dtype": "float32"}, True),
        (3, {"dtype": "float32"}, False),
        (4, {"dtype": "float32", "stride": 2}, True),
        (5, {"dtype": "float32", "stride": 2}, False),
        (4, {"dtype": "float32", "stride": 2, "kernel": 1}, False),
        (2, {"dtype": "float16"}, False),
        # Two by two come out, of five channels.
        (4, {"stride": 2}, True),
        (5, {"stride": 2}, False),
        (40, {"kernel": 1}, True),
        (40, {"stride": 2, "kernel": 1}, True),
        (40, {"dtype": "float32", "kernel": 1}, False),
        (None, {"kernel": 1}, False),
        (7, {"stride": 3}, False),
        (7, {"stride": (1, 2)}, False),
        (4, {"dilation_rate": 2}, False),
    ],
)
def test_it_is_taken_for_few_pixels_for_fewer_in_float32_and_for_any_by_1_x_1_in_bfloat16(side, settings, quick):
    assert is_quick(convolution(QuickConv2D, **settings), side) == quick


def test_a_network_with_loops_that_are_computed_twice_has_the_gradients_of_the_stock_layers(monkeypatch):
    def flat():
        keras.utils.set_random_seed(0)
        model = resnet.create_for_training("resnet20", input_shape=(16, 16, 3), classes=2, rematerialize=True)
        draw = np.random.default_rng(0)
        images, targets = draw.integers(0, 256, (16, 16, 16, 3)), np.eye(2, dtype=np.float32)[np.arange(16) % 2]

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                outputs = model(images.astype(np.uint8), training=True)
                loss = keras.ops.mean(keras.losses.categorical_crossentropy(targets, outputs))
            return tape.gradient(loss, [variable.value for variable in model.trainable_variables])

        return np.concatenate([np.ravel(gradient) for gradient in step()])

    stock = flat()
    monkeypatch.setattr(QuickConv2D, "_pays", lambda layer, images: True)
    quick = flat()
    assert (quick != stock).any()
    assert np.linalg.norm(quick - stock) <= 1e-4 * np.linalg.norm(stock)
