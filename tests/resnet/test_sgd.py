import keras
import numpy as np
import pytest

from resnet.sgd import SGD

RATE, MOMENTUM, DECAY = 0.1, 0.9, 0.05


def two_steps_by_hand(weight, gradients, nesterov):
    velocity = np.zeros_like(weight)
    for gradient in gradients:
        step = RATE * (gradient + DECAY * weight)
        velocity = MOMENTUM * velocity - step
        weight = weight + (MOMENTUM * velocity - step if nesterov else velocity)
    return weight


@pytest.mark.parametrize("nesterov", [False, True])
def test_weight_decay_goes_through_the_gradient_and_so_through_the_momentum(nesterov):
    draw = np.random.default_rng(0)
    start, *gradients = draw.normal(size=(3, 4, 2)).astype(np.float32)
    kernel = keras.Variable(start, name="kernel")
    optimizer = SGD(RATE, momentum=MOMENTUM, nesterov=nesterov, kernel_decay=DECAY)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [kernel])
    np.testing.assert_allclose(kernel.numpy(), two_steps_by_hand(start, gradients, nesterov), rtol=1e-5)


def test_only_kernels_decay(tiny):
    model = tiny("resnet50")  # it has biases
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
    optimizer = SGD(RATE, momentum=MOMENTUM, kernel_decay=DECAY)
    optimizer.apply([keras.ops.zeros(weight.shape) for weight in model.trainable_weights], model.trainable_weights)
    decayed = {weight.name for weight in model.trainable_weights if (weight.numpy() != 1).all()}
    untouched = {weight.name for weight in model.trainable_weights if (weight.numpy() == 1).all()}
    assert (decayed, untouched) == ({"kernel"}, {"bias", "gamma", "beta"})


def test_the_optimizer_survives_being_stored_with_a_model():
    optimizer = SGD(0.2, momentum=0.8, nesterov=True, kernel_decay=0.3)
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert (restored.kernel_decay, restored.momentum, restored.nesterov) == (0.3, 0.8, True)
    assert float(restored.learning_rate) == pytest.approx(0.2)
