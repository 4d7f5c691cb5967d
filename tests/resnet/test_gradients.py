"""Gradients by depth, of networks small enough to be taught here."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet import gradients


@pytest.fixture
def batch(noise):
    return noise(16), np.arange(16) % 2


@pytest.mark.parametrize("name", ["resnet20", "resnet50", "resnet164v2"])
def test_the_plain_twin_has_the_same_weights_and_no_shortcut(tiny, batch, name):
    model = tiny(name)
    twin = gradients.plain_twin(model)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights(), strict=True))
    assert gradients.has_shortcuts(model)
    assert not gradients.has_shortcuts(twin)
    assert not np.allclose(model(batch[0]), twin(batch[0]))


def test_the_twin_of_a_basic_network_is_the_plain_one_of_the_paper(tiny, batch):
    twin, plain = gradients.plain_twin(tiny("resnet20")), tiny("plain20")
    plain.set_weights(twin.get_weights())
    np.testing.assert_allclose(twin(batch[0]), plain(batch[0]), atol=1e-6)


def test_a_network_whose_residuals_are_silent_tells_its_twin_nothing(tiny, batch):
    model = tiny("resnet20")
    for layer in (block for group in model.layers if isinstance(group, keras.Sequential) for block in group.layers):
        layer.get_layer("2_bn").gamma.assign(np.zeros(layer.get_layer("2_bn").gamma.shape))
    assert gradients.gradient_norms(model, *batch)["conv1_conv"] > 0
    assert gradients.gradient_norms(gradients.plain_twin(model), *batch)["conv1_conv"] == 0


def test_a_fresh_copy_has_other_weights_that_follow_the_seed(tiny):
    model = tiny("resnet20")
    copies = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        copies.append(gradients.untrained_copy(model).get_layer("conv1_conv").get_weights()[0])
    assert np.array_equal(copies[0], copies[1])
    assert not np.array_equal(copies[0], copies[2])
    assert not np.array_equal(copies[0], model.get_layer("conv1_conv").get_weights()[0])


def test_norms_come_first_to_last_for_every_convolution_but_those_of_shortcuts(tiny, batch):
    names = list(gradients.gradient_norms(tiny("resnet50"), *batch))
    assert names == [
        "conv1_conv",
        *(f"conv{group}_block1/{number}_conv" for group in (2, 3, 4, 5) for number in (1, 2, 3)),
    ]


def test_a_norm_is_that_of_a_gradient_by_finite_differences(tiny, batch):
    model = tiny("plain20")
    images, labels = batch
    kernel = model.get_layer("conv1_conv").kernel
    before, step, slopes = kernel.numpy(), 1e-2, []

    @tf.function
    def loss():
        return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, model(images, training=True)))

    for place in np.ndindex(before.shape):
        sides = []
        for sign in (1, -1):
            changed = before.copy()
            changed[place] += sign * step
            kernel.assign(changed)
            sides.append(float(loss()))
        slopes.append((sides[0] - sides[1]) / (2 * step))
    kernel.assign(before)
    assert gradients.gradient_norms(model, images, labels)["conv1_conv"] == pytest.approx(
        np.linalg.norm(slopes), rel=0.05
    )


def test_a_few_steps_teach_the_network(tiny, batch):
    model = tiny("resnet20")
    images, labels = batch
    loss = keras.losses.SparseCategoricalCrossentropy()
    before = float(loss(labels, model(images, training=True)))
    gradients.take_steps(model, iter([batch] * 10), 0.05)
    assert float(loss(labels, model(images, training=True))) < before


@pytest.mark.parametrize("name", ["resnet18", "resnet50v2"])
def test_a_twin_whose_projections_lead_nowhere_takes_steps_without_a_warning(tiny, batch, name):
    twin = gradients.plain_twin(tiny(name))
    before = twin.get_layer("conv1_conv").get_weights()[0]
    # Each warning is an error here.
    gradients.take_steps(twin, iter([batch]), 0.05)
    assert not np.array_equal(twin.get_layer("conv1_conv").get_weights()[0], before)
