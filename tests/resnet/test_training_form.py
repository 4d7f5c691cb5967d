import keras
import numpy as np
import pytest

import resnet


def layers(model):
    """Every layer that computes."""
    for layer in model.layers:
        yield from layers(layer) if isinstance(layer, keras.Model) else [layer]


def test_the_portable_form_of_a_mixed_precision_network_is_float32_uncompiled_and_answers_alike(randomised, noise):
    fast = resnet.create_for_training("resnet20", precision="mixed_bfloat16", input_shape=(8, 8, 3), classes=4)
    randomised(fast).compile("sgd", "categorical_crossentropy")
    slow = resnet.portable(fast)
    assert {layer.compute_dtype for layer in layers(fast)} >= {"bfloat16"}
    assert {layer.compute_dtype for layer in layers(slow)} == {"float32"}
    assert {weight.dtype for weight in slow.weights} == {"float32"}
    assert (fast.compiled, slow.compiled) == (True, False)
    answers = np.asarray(slow(noise(8)))
    np.testing.assert_allclose(np.asarray(fast(noise(8))), answers, atol=0.02)
    assert answers.std(0).max() > 0.03
    assert keras.config.dtype_policy().name == "float32"


def test_a_refused_network_leaves_the_dtype_policy_as_it_was():
    with pytest.raises(ValueError, match="no architecture"):
        resnet.create_for_training("resnet21", precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"


def test_the_portable_form_keeps_what_create_was_told(noise):
    arguments = {"input_shape": (16, 8, 3), "include_top": False, "pooling": "max", "shortcut": "C", "stem": "large"}
    model = resnet.create("resnet20", **arguments)
    twin = resnet.portable(model)
    assert twin is not model
    np.testing.assert_array_equal(twin(noise(2, 16)[:, :, :8]), model(noise(2, 16)[:, :, :8]))


def test_the_portable_form_of_a_foreign_model_is_refused():
    foreign = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="foreign")
    with pytest.raises(ValueError, match=r"expected a model made by resnet\.create, .* got 'foreign'"):
        resnet.portable(foreign)


def test_the_form_that_trains_obeys_the_policy_that_is_set():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = resnet.create_for_training("resnet20", input_shape=(8, 8, 3), classes=2)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("conv1_conv").compute_dtype == "bfloat16"
    model = resnet.create_for_training("resnet20", input_shape=(8, 8, 3), classes=2, precision="mixed_float16")
    assert model.get_layer("conv1_conv").compute_dtype == "float16"


def test_the_form_that_trains_is_given_the_weights_of_a_stock_network(randomised, noise):
    stock = randomised(resnet.create("resnet110", input_shape=(8, 8, 3), classes=2))
    fast = resnet.create_for_training("resnet110", input_shape=(8, 8, 3), classes=2)
    resnet.set_portable_weights(fast, stock.get_weights())
    np.testing.assert_allclose(fast(noise(2)), stock(noise(2)), atol=1e-5)
