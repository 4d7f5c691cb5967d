import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import resnet
from resnet import finetuning, pretrained
from resnet.fused import FusedConvolutions
from resnet.looped import LoopedStack
from resnet.network import STOCK, Form
from resnet.recipe import Recipe
from resnet.sgd import SGD

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
FROZEN = Recipe(epochs=2, batch_size=10, body_learning_rate=0, crop_padding=0, horizontal_flip=False)


LOOPED = Form(FusedConvolutions, LoopedStack(least=2))


@pytest.fixture(params=[STOCK, Form(FusedConvolutions), LOOPED], ids=["stock", "fused", "looped"])
def model(request, tiny, randomised):
    """A network whose averages are far from any batch's own moments."""
    return randomised(tiny("resnet20", repeats=(3, 1, 1)).architecture.build(request.param))


def test_a_frozen_body_stays_to_the_bit_and_the_head_learns(model, dark_and_bright):
    before = model.get_weights()
    resnet.fit(model, *dark_and_bright, FROZEN)
    after = model.get_weights()
    for old, new in zip(before[:-2], after[:-2], strict=True):
        np.testing.assert_array_equal(old, new)
    assert not np.array_equal(before[-2], after[-2])


def test_a_frozen_normalisation_answers_in_training_as_in_inference(model, dark_and_bright):
    images, labels = dark_and_bright
    logged = []
    whole = Recipe(epochs=1, batch_size=40, body_learning_rate=0, crop_padding=0, horizontal_flip=False)
    targets = np.eye(2)[labels]
    expected = -np.log((model.predict(images, verbose=0) * targets).sum(1)).mean()
    seen = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: logged.append(logs["loss"]))
    resnet.fit(model, images, labels, whole, callbacks=[seen])
    assert logged[0] == pytest.approx(expected, rel=1e-5)


def test_freezing_ends_with_the_training_even_with_one_that_fails(model, dark_and_bright):
    trainable = len(model.trainable_weights)

    def fail(batch, logs):
        assert len(model.trainable_weights) == 2
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        resnet.fit(model, *dark_and_bright, FROZEN, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=fail)])
    assert len(model.trainable_weights) == trainable


def test_a_layer_that_was_frozen_by_hand_stays_frozen(model):
    model.layers[2].trainable = False
    with finetuning.body_frozen(model):
        pass
    assert not model.layers[2].trainable
    assert model.layers[-1].trainable


def test_a_block_that_was_frozen_by_hand_stays_frozen_and_the_others_of_its_group_do_not(tiny):
    model = tiny("resnet20", repeats=(3, 1, 1))
    group = model.get_layer("conv2")
    group.layers[0].trainable = False
    trainable = [weight.path for weight in model.trainable_weights]
    with finetuning.body_frozen(model):
        assert len(model.trainable_weights) == 2
    assert [weight.path for weight in model.trainable_weights] == trainable
    assert not group.layers[0].trainable


def test_the_body_moves_at_its_share_of_the_learning_rate_and_the_head_at_all_of_it(tiny, noise):
    """As if both had an optimizer of their own, weight decay and momentum included."""
    targets = np.eye(2)[[0, 1]]
    moved = {}
    for rate, body_rate in ((0.1, 1.0), (0.01, 1.0), (0.1, 0.1)):
        keras.utils.set_random_seed(0)
        model = tiny("plain20")
        start = model.get_weights()
        model.compile(
            SGD(rate, momentum=0.9, nesterov=True, kernel_decay=0.1, body_rate=body_rate), "categorical_crossentropy"
        )
        model.train_on_batch(noise(2), targets)
        moved[rate, body_rate] = [new - old for new, old in zip(model.get_weights(), start, strict=True)]
    trained = [n for n, weight in enumerate(model.weights) if weight.trainable]
    for n in trained[:-2]:
        np.testing.assert_allclose(moved[0.1, 0.1][n], moved[0.01, 1.0][n], atol=1e-7)
    for n in trained[-2:]:
        np.testing.assert_array_equal(moved[0.1, 0.1][n], moved[0.1, 1.0][n])
    assert finetuning.is_of_head(model.weights[-1])
    assert not finetuning.is_of_head(model.weights[0])


def test_the_rate_of_the_body_is_saved_with_the_optimizer():
    assert SGD.from_config(SGD(0.1, body_rate=0.3).get_config()).body_rate == 0.3


def test_a_network_that_knows_five_digits_learns_the_others_from_two_images_each_better_than_a_new_one(tiny, tmp_path):
    digits = load_digits()
    images = np.repeat(np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None], 3, axis=-1)
    labels = digits.target
    shared = {"learning_rate": 0.05, "warmup_epochs": 1, "crop_padding": 1, "horizontal_flip": False}

    def network(seed):
        keras.utils.set_random_seed(seed)
        return tiny("resnet20", classes=5, filters=(8, 16, 32))

    first = network(0)
    resnet.fit(first, images[labels < 5], labels[labels < 5], Recipe(epochs=20, batch_size=32, **shared))
    resnet.save(first, tmp_path / "first.keras", list("01234"))

    order = np.random.default_rng(0).permutation(np.flatnonzero(labels >= 5))
    few = np.concatenate([order[labels[order] == digit][:2] for digit in range(5, 10)])
    test = np.setdiff1d(order, few)

    def accuracy(seed, *, from_first):
        model = network(seed)
        if from_first:
            pretrained.start_from_file(model, tmp_path / "first.keras", list("56789"))
        resnet.fit(model, images[few], labels[few] - 5, Recipe(epochs=15, batch_size=10, seed=seed, **shared))
        return (model.predict(images[test], verbose=0).argmax(axis=1) + 5 == labels[test]).mean()

    scratch, tuned = (np.mean([accuracy(seed, from_first=way) for seed in range(2)]) for way in (False, True))
    assert tuned > scratch + 0.1


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_the_head_of_a_sequential_learns_at_the_whole_rate(tiny, noise, rate):
    whole = tiny("resnet10")
    body = keras.Model(whole.input, whole.layers[-2].output)
    head = keras.layers.Dense(2, "softmax", name="predictions")
    model = keras.Sequential([body, head])
    model.build((None, *body.input_shape[1:]))
    before = [weight.numpy() for weight in (*body.trainable_weights, *head.weights)]
    resnet.fit(model, noise(8), np.arange(8) % 2, Recipe(epochs=1, batch_size=8, body_learning_rate=rate))
    moved = [
        np.abs(weight.numpy() - was).max()
        for weight, was in zip((*body.trainable_weights, *head.weights), before, strict=True)
    ]
    assert min(moved[-2:]) > 1e-4
    assert (max(moved[:-2]) == 0) == (rate == 0)
