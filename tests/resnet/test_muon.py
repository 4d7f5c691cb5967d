import keras
import numpy as np
import pytest

from resnet.muon import Muon, orthogonal
from resnet.sgd import SGD

RATE, MOMENTUM, DECAY = 0.1, 0.9, 0.05


def moved(optimizer, start, *gradients, name="kernel"):
    variable = keras.Variable(start, name=name)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return variable.numpy()


def singular_values(step):
    return np.linalg.svd(np.reshape(step, (-1, step.shape[-1])), compute_uv=False)


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (1, 1, 16, 4), (7, 7, 3, 16)])
def test_a_step_is_about_as_long_in_every_direction_of_a_convolution(shape):
    draw = np.random.default_rng(0)
    # Of very different lengths, one direction a filter.
    gradient = draw.normal(size=shape) * np.geomspace(1, 1e-2, shape[-1])
    step = moved(Muon(1.0, momentum=0.0, kernel_decay=0.0), np.zeros(shape, np.float32), gradient.astype(np.float32))
    values = singular_values(step) / 0.05
    assert values.max() < 1.3
    assert values.min() > 0.5
    assert np.vdot(step, gradient) < 0


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (1, 1, 4, 64), (5, 3, 3, 4, 8)], ids=["tall", "wide", "stacked"])
def test_a_step_has_the_directions_of_the_gradient_and_only_other_lengths(shape):
    matrices = np.random.default_rng(0).normal(size=(*shape[:-4], np.prod(shape[-4:-1]), shape[-1]))
    left, _, right = np.linalg.svd(matrices, full_matrices=False)
    # One strong direction and many weak ones, as gradients have them.
    lengths = np.array([1.0] + [1e-2] * (left.shape[-1] - 1))
    gradient = np.reshape((left * lengths) @ right, shape).astype(np.float32)
    lengths = lengths / np.linalg.norm(lengths)
    for _ in range(5):
        lengths = 3.4445 * lengths - 4.7750 * lengths**3 + 2.0315 * lengths**5
    widening = np.sqrt(max(1, shape[-1] / np.prod(shape[-4:-1])))
    expected = np.reshape((left * lengths) @ right * widening, shape)
    np.testing.assert_allclose(np.array(orthogonal(gradient)), expected, atol=1e-4)


def test_filters_that_widen_the_features_take_longer_steps():
    gradient = np.random.default_rng(0).normal(size=(1, 1, 4, 64)).astype(np.float32)
    assert np.median(singular_values(np.array(orthogonal(gradient)))) == pytest.approx(4, rel=0.3)


def test_how_large_a_gradient_is_does_not_matter():
    start, gradient = np.random.default_rng(0).normal(size=(2, 3, 3, 4, 8)).astype(np.float32)
    one, other = (moved(Muon(RATE, momentum=MOMENTUM, nesterov=True), start, scale * gradient) for scale in (1, 1000))
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_steps_of_before_go_on(nesterov):
    start, *gradients = np.random.default_rng(0).normal(size=(3, 3, 3, 4, 8)).astype(np.float32)
    optimizer = Muon(RATE, momentum=MOMENTUM, nesterov=nesterov, kernel_decay=0.0)
    velocity, expected = 0, start
    for gradient in gradients:
        velocity = MOMENTUM * velocity + gradient
        direction = gradient + MOMENTUM * velocity if nesterov else velocity
        expected = expected - RATE * 0.05 * np.array(orthogonal(direction))
    np.testing.assert_allclose(moved(optimizer, start, *gradients), expected, atol=1e-5)


def test_a_convolution_decays_as_much_as_with_sgd():
    start = np.ones((3, 3, 4, 8), np.float32)
    nothing = [np.zeros_like(start)] * 200
    by_sgd, by_muon = (
        moved(optimizer(0.01, momentum=MOMENTUM, kernel_decay=DECAY), start, *nothing) for optimizer in (SGD, Muon)
    )
    assert by_muon.mean() == pytest.approx(by_sgd.mean(), rel=0.05)
    assert by_muon.mean() < 0.5


@pytest.mark.parametrize("name", ["kernel", "bias", "gamma"])
def test_what_is_no_convolution_is_trained_by_sgd(name):
    start, *gradients = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    settings = {"momentum": MOMENTUM, "nesterov": True, "kernel_decay": DECAY, "body_rate": 0.5}
    by_sgd, by_muon = (moved(kind(RATE, **settings), start, *gradients, name=name) for kind in (SGD, Muon))
    np.testing.assert_array_equal(by_muon, by_sgd)


def test_the_body_goes_at_its_own_rate():
    start, gradient = np.random.default_rng(0).normal(size=(2, 3, 3, 4, 8)).astype(np.float32)
    whole, half = (moved(Muon(RATE, body_rate=rate), start, gradient) - start for rate in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-6)


def test_convolutions_that_are_stacked_for_a_loop_take_the_steps_that_each_takes():
    starts, gradients = np.random.default_rng(0).normal(size=(2, 5, 3, 3, 4, 8)).astype(np.float32)
    together = moved(Muon(RATE), starts, gradients)
    alone = [moved(Muon(RATE), start, gradient) for start, gradient in zip(starts, gradients, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_the_optimizer_survives_being_stored_with_a_model():
    optimizer = Muon(0.2, momentum=0.8, nesterov=True, kernel_decay=0.3, convolution_rate=0.1)
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert (restored.kernel_decay, restored.momentum, restored.convolution_rate) == (0.3, 0.8, 0.1)
