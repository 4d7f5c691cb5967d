"""The form that trains is the form that is saved, computed in another way."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import resnet
from resnet.fused import FusedBatchNormalization


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.float32)


def train_pass(model, images):
    """Outputs, all gradients in one vector, and the weights as the pass leaves them."""
    targets = np.eye(4, dtype=np.float32)[np.arange(len(images)) % 4]
    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = keras.ops.mean(keras.losses.categorical_crossentropy(targets, outputs))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    flat = np.concatenate([np.ravel(gradient) for gradient in gradients])
    return np.asarray(outputs), flat, np.concatenate([np.ravel(weight) for weight in model.get_weights()])


def layer_pass(layer, inputs, outward):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    gradients = tape.gradient(outputs, [inputs, layer.gamma.value, layer.beta.value], outward)
    return [outputs, *gradients, layer.moving_mean.value, layer.moving_variance.value, layer(inputs)]


def test_one_layer_equals_kerass_own():
    draw = np.random.default_rng(0)
    inputs, outward = (tf.constant(draw.normal(2, 3, (8, 5, 7, 16)), tf.float32) for _ in range(2))
    ours, theirs = FusedBatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    weights = draw.uniform(0.5, 2, (4, 16))
    for layer in (ours, theirs):
        layer.build(inputs.shape)
        layer.set_weights(weights)
    for mine, other in zip(layer_pass(ours, inputs, outward), layer_pass(theirs, inputs, outward), strict=True):
        assert np.abs(mine - other).max() <= 1e-5 * max(1, np.abs(other).max())


# Among the rectifiers of more pixels one lies so near zero, for many a seed, that its gradient hangs on the last bit.
def test_training_gives_the_stock_layers_outputs_gradients_and_running_averages(images):
    images = images[:, :8, :8]
    keras.utils.set_random_seed(0)
    fast = resnet.create_for_training("resnet20", input_shape=(8, 8, 3), classes=4)
    stock = resnet.portable(fast)
    assert any(isinstance(layer, FusedBatchNormalization) for layer in fast._flatten_layers())
    assert not any(isinstance(layer, FusedBatchNormalization) for layer in stock._flatten_layers())
    for ours, theirs in zip(train_pass(fast, images), train_pass(stock, images), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


def test_bfloat16_follows_float32(images):
    keras.utils.set_random_seed(0)
    fast = resnet.create_for_training("resnet20", input_shape=(32, 32, 3), classes=4, precision="mixed_bfloat16")
    (_, gradient, _), (_, reference, _) = train_pass(fast, images), train_pass(resnet.portable(fast), images)
    cosine = gradient @ reference / np.linalg.norm(gradient) / np.linalg.norm(reference)
    assert cosine > 0.98


@pytest.mark.parametrize("name", ["resnet20", "resnet50v2"])
def test_features_stay_in_half_precision_from_block_to_block(name):
    model = resnet.create_for_training(name, input_shape=(32, 32, 3), classes=4, precision="mixed_bfloat16")
    spec = tf.TensorSpec((None, 32, 32, 3), tf.uint8)
    graph = tf.function(lambda images: model(images, training=True)).get_concrete_function(spec).graph
    # Features have images in any number; kernels, which are cast too, have no such dimension.
    cast = [op.name for op in graph.get_operations() if op.type == "Cast" and op.inputs[0].shape[:1] == [None]]
    assert cast, "the images themselves are cast"
    assert [name for name in cast if "_block" in name] == []
