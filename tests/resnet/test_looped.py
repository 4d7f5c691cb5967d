"""A loop over blocks is those blocks, computed in another way."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import resnet
from resnet.convolutions import Convolutions
from resnet.fused import FusedConvolutions
from resnet.looped import LoopedBlocks, LoopedStack
from resnet.network import Form
from resnet.training_form import portable_weights, set_portable_weights

FAMILIES = ["plain20", "resnet20", "resnet18", "resnet50", "resnet164v2", "resnet50v2"]
REPEATS = 5


@pytest.fixture
def both(tiny, randomised):
    """A network with five equal blocks and more in its first group: in stock layers, and with loops, weights alike."""

    def build(name, convolutions, *rematerialize):
        groups = len(resnet.variant(name).repeats)
        stock = randomised(tiny(name, classes=4, repeats=(REPEATS + 2, *(1,) * (groups - 1))))
        looped = [stock.architecture.build(Form(convolutions, LoopedStack(REPEATS, again))) for again in rematerialize]
        for model in looped:
            set_portable_weights(model, stock.get_weights())
        return stock, *looped

    return build


@pytest.fixture
def float64():
    """Compute in float64: in float32 the last bit of a sum decides whether ReLU lets its whole gradient pass."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(policy)


def loops(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, LoopedBlocks)]


def train_pass(model, images):
    """Outputs, gradients and the weights that the pass leaves, in the order of the stock form."""

    def run():
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            targets = np.eye(4, dtype=np.float32)[np.arange(len(images)) % 4]
            loss = keras.ops.mean(keras.losses.categorical_crossentropy(targets, outputs))
        return outputs, tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    # As a network with a loop is trained; to trace stock layers would take longer than to compute them once.
    outputs, gradients = tf.function(run)() if loops(model) else run()
    after = portable_weights(model)
    # As weights, so that what puts these in order puts gradients in order too.
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        variable.assign(gradient)
    return np.asarray(outputs), after, portable_weights(model)


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


@pytest.mark.parametrize("name", FAMILIES)
def test_a_loop_gives_the_outputs_gradients_and_running_averages_of_its_blocks_rematerialized_too(
    float64, both, noise, name
):
    stock, *looped = both(name, Convolutions, False, True)
    images = noise(6).astype(np.float32)
    answers, trained = stock(images), train_pass(stock, images)
    for model, kind in zip(looped, ("kept", "rematerialized"), strict=True):
        assert sum(layer.repeats for layer in loops(model)) >= REPEATS
        np.testing.assert_allclose(model(images), answers, atol=1e-5, err_msg=kind)
        for mine, theirs in zip(train_pass(model, images), trained, strict=True):
            np.testing.assert_allclose(flat(mine), flat(theirs), atol=1e-5, err_msg=kind)


@pytest.mark.parametrize("name", ["resnet20", "resnet50"])
def test_a_loop_of_fused_blocks_gives_the_outputs_and_running_averages_of_stock_ones(both, noise, name):
    stock, looped = both(name, FusedConvolutions, False)
    images = noise(24).astype(np.float32)
    (outputs, averages, _), (theirs, their_averages, _) = (train_pass(model, images) for model in (looped, stock))
    np.testing.assert_allclose(outputs, theirs, atol=1e-5)
    np.testing.assert_allclose(flat(averages), flat(their_averages), rtol=1e-5, atol=1e-5)


def test_the_portable_form_of_a_looped_network_answers_as_it_does(noise):
    keras.utils.set_random_seed(0)
    fast = resnet.create_for_training("resnet56", input_shape=(8, 8, 3), classes=4)
    assert [layer.repeats for layer in loops(fast)] == [9, 8, 8]
    # Untrained averages let the residuals grow until one class has it all; small ones do not.
    set_portable_weights(fast, [0.3 * weight if weight.ndim == 4 else weight for weight in portable_weights(fast)])
    stock = resnet.portable(fast)
    assert stock.count_params() == fast.count_params() == resnet.describe("resnet56", 8, 4).stored
    answers = np.asarray(fast(noise(3)))
    assert np.ptp(answers, axis=0).max() > 0.01
    np.testing.assert_allclose(stock(noise(3)), answers, atol=1e-5)


def test_each_block_of_a_loop_begins_with_weights_of_its_own_as_wide_as_hes():
    fast = resnet.create_for_training("resnet56", input_shape=(8, 8, 3), classes=4)
    kernel = loops(fast)[0].learned[0].numpy()
    assert kernel.shape == (9, 3, 3, 16, 16)
    assert len({block.tobytes() for block in kernel}) == 9
    np.testing.assert_allclose(kernel.std(), (2 / (9 * 16)) ** 0.5, rtol=0.05)


def test_under_mixed_precision_weights_and_averages_stay_float32(noise):
    fast = resnet.create_for_training("resnet56", input_shape=(8, 8, 3), classes=4, precision="mixed_bfloat16")
    assert {weight.dtype for weight in fast.weights} == {"float32"}
    before = loops(fast)[0].averaged[0].numpy()
    answers = fast(noise(4), training=True)
    after = loops(fast)[0].averaged[0].numpy()
    assert np.isfinite(answers).all()
    # bfloat16 would leave the lower half of every value empty.
    assert (after.view(np.uint32) & 0xFFFF).any()
    assert not np.array_equal(before, after)


def test_a_short_run_of_blocks_is_no_loop_unless_memory_is_to_be_saved():
    assert not loops(resnet.create_for_training("resnet50", input_shape=(32, 32, 3), classes=4))
    saving = resnet.create_for_training("resnet50", input_shape=(32, 32, 3), classes=4, rematerialize=True)
    assert [layer.repeats for layer in loops(saving)] == [2, 3, 5, 2]
