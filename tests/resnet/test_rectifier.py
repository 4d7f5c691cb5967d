"""The rectifiers of one pass are the rectifier."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import resnet
from resnet.rectifier import AddReLU, QuickReLU

# Every bfloat16 there is, which are the upper halves of the floats, but for NaNs and what TensorFlow takes for 0.
EVERY = (np.arange(2**16, dtype=np.uint32) << 16).view(np.float32)
EVERY = EVERY[~np.isnan(EVERY) & ((EVERY == 0) | (np.abs(EVERY) >= np.finfo(np.float32).tiny))]
OTHERS = np.random.default_rng(1).permutation(EVERY)


def passed(function, dtype, *values):
    """What goes out, and the gradients of what comes in."""
    features = [tf.constant(each, dtype) for each in values]
    outward = tf.constant(np.random.default_rng(0).normal(size=EVERY.shape), dtype)
    with tf.GradientTape() as tape:
        tape.watch(features)
        outputs = function(*features)
    return [np.asarray(tf.cast(part, "float32")) for part in (outputs, *tape.gradient(outputs, features, outward))]


def compiled(function, graph):
    """The calls of a function that XLA compiles."""
    calls = [op for op in graph.get_operations() if op.type.endswith("PartitionedCall")]
    return [op for op in calls if op.get_attr("f").name.startswith(f"__inference__{function}_")]


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_of_every_number_it_gives_what_keras_gives_with_the_same_gradient(dtype):
    mine = passed(QuickReLU(dtype=keras.DTypePolicy(dtype)), dtype, EVERY)
    kerass = passed(keras.layers.ReLU(dtype=keras.DTypePolicy(dtype)), dtype, EVERY)
    for one, other in zip(mine, kerass, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_of_every_number_with_another_the_sum_is_rectified_as_keras_does_it_with_the_same_gradients(dtype):
    policy = keras.DTypePolicy(dtype)
    quick, add, relu = AddReLU(dtype=policy), keras.layers.Add(dtype=policy), keras.layers.ReLU(dtype=policy)
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = ~np.isnan(EVERY + OTHERS)
    mine = passed(lambda *pair: quick(list(pair)), dtype, EVERY, OTHERS)
    kerass = passed(lambda *pair: relu(add(list(pair))), dtype, EVERY, OTHERS)
    for one, other in zip(mine, kerass, strict=True):
        assert np.array_equal(one[numbers], other[numbers])


@pytest.mark.parametrize(("precision", "sums", "gradients"), [("mixed_bfloat16", 9, 19), ("float32", 0, 0)])
def test_every_rectifier_of_a_network_that_trains_in_bfloat16_is_compiled(precision, sums, gradients):
    model = resnet.create_for_training("resnet20", input_shape=(8, 8, 3), classes=2, precision=precision)

    def learn(images):
        return tf.gradients(model(images, training=True), [each.value for each in model.trainable_variables])

    spec = tf.TensorSpec((None, 8, 8, 3), tf.uint8)
    graph = tf.function(learn).get_concrete_function(spec).graph
    assert len(compiled("positive_sum", graph)) == sums
    assert len(compiled("sum_where_positive", graph)) == gradients


def test_where_two_layers_use_the_features_their_gradients_are_added_in_the_same_pass_with_the_same_bits():
    policy = keras.DTypePolicy("bfloat16")
    quick, add, relu = AddReLU(dtype=policy), keras.layers.Add(dtype=policy), keras.layers.ReLU(dtype=policy)
    draw = np.random.default_rng(2)
    one, other, first, second = (tf.constant(draw.normal(size=(4, 3, 3, 8)), tf.bfloat16) for _ in range(4))

    @tf.function
    def gradients(rectified):
        features = rectified([one, other])
        return tf.gradients([features * first, features * second], [one])[0]

    mine, kerass = gradients(quick), gradients(lambda pair: relu(add(pair)))
    assert np.array_equal(tf.cast(mine, "float32"), tf.cast(kerass, "float32"))
    graph = gradients.get_concrete_function(quick).graph
    (call,) = compiled("sum_where_positive", graph)
    assert len(call.inputs) == len(["outputs", "first", "second"])
    assert not [op for op in graph.get_operations() if op.type == "AddN" and op.outputs[0].consumers()]


def test_the_shape_of_what_it_gives_is_known_but_for_the_number_of_images():
    layer = AddReLU(dtype="mixed_bfloat16")
    spec = tf.TensorSpec((None, 8, 4, 16), tf.bfloat16)
    outputs = tf.function(lambda one, other: layer([one, other])).get_concrete_function(spec, spec).outputs[0]
    assert outputs.shape.as_list() == [None, 8, 4, 16]
