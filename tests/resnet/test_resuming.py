"""A training is killed by an exception at some step; another model, made anew, goes on from the checkpoint."""

import dataclasses
import functools
import logging

import keras
import numpy as np
import pytest

import resnet
from resnet.checkpoints import Checkpoints
from resnet.fused import FusedConvolutions
from resnet.looped import LoopedStack
from resnet.network import Architecture, Form

RECIPE = resnet.Recipe(
    epochs=3,
    batch_size=8,
    learning_rate=0.05,
    warmup_epochs=1,
    crop_padding=1,
    mixup=0.2,
    ema_decay=0.9,
    keep="best",
    patience=2,
)
STEPS = 5  # of 40 images


class Killed(Exception):
    """As if by kill -9: nothing may react to it."""


class Kill(keras.callbacks.Callback):
    """Raises at a step, before that step's checkpoint."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_train_batch_end(self, batch, logs=None):
        self.at -= 1
        if self.at == 0:
            raise Killed


def small_network(precision="float32"):
    """The same at each call; with averages of its own, and with chance of its own."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    try:
        layers = [
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(2, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(2, "softmax", dtype="float32"),
        ]
        return keras.Sequential([keras.Input((8, 8, 3)), *layers])
    finally:
        keras.config.set_dtype_policy("float32")


def looped_network(_):
    """A network with a loop in it, the same at each call."""
    keras.utils.set_random_seed(0)
    row = dataclasses.replace(resnet.variant("resnet20"), repeats=(5, 1, 1), filters=(4, 8, 12))
    return Architecture(row, (8, 8, 3), 2, True, None, "softmax").build(Form(FusedConvolutions, LoopedStack(3, True)))


@pytest.fixture(scope="module")
def train(dark_and_bright):
    """Train a new network, perhaps not to the end; return the bytes of its weights and its history."""

    def run(
        recipe=RECIPE,
        precision="float32",
        checkpoints=None,
        kill=0,
        network=small_network,
        callbacks=(),
        data=dark_and_bright,
    ):
        images, labels = data
        model = network(precision)
        # Validation is turned upside down, so that it gets worse and the best epoch is not the last.
        history = resnet.fit(
            model,
            images,
            labels,
            recipe,
            validation=(images, 1 - labels),
            checkpoints=checkpoints,
            callbacks=[*callbacks, Kill(kill)],
        )
        return [weight.tobytes() for weight in model.get_weights()], history.history

    return run


@pytest.fixture(scope="module")
def uninterrupted(train):
    """What a training comes to that nothing disturbs."""
    return functools.cache(train)


# The first has no checkpoint yet, and begins anew.
@pytest.mark.parametrize(
    ("seconds", "killed_at"),
    [*((0, step) for step in (1, STEPS, STEPS + 3, 3 * STEPS)), *((np.inf, step) for step in (STEPS + 3, 3 * STEPS))],
)
def test_a_training_that_was_killed_and_taken_up_again_ends_with_the_same_bits(
    train, uninterrupted, tmp_path, seconds, killed_at
):
    checkpoints = Checkpoints(tmp_path, seconds)
    with pytest.raises(Killed):
        train(checkpoints=checkpoints, kill=killed_at)
    assert train(checkpoints=checkpoints) == uninterrupted()


@pytest.mark.parametrize(
    ("precision", "optimizer"), [("mixed_bfloat16", "sgd"), ("mixed_float16", "sgd"), ("mixed_float16", "muon")]
)
def test_mixed_precision_is_taken_up_with_the_same_bits(train, uninterrupted, tmp_path, precision, optimizer):
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer)
    checkpoints = Checkpoints(tmp_path, 0)
    with pytest.raises(Killed):
        train(recipe, precision=precision, checkpoints=checkpoints, kill=STEPS + 3)
    assert train(recipe, precision=precision, checkpoints=checkpoints) == uninterrupted(recipe, precision=precision)


def test_a_network_with_loops_is_taken_up_with_the_same_bits(train, uninterrupted, tmp_path):
    checkpoints = Checkpoints(tmp_path, 0)
    with pytest.raises(Killed):
        train(checkpoints=checkpoints, kill=STEPS + 3, network=looped_network)
    assert train(checkpoints=checkpoints, network=looped_network) == uninterrupted(network=looped_network)


# One of them again and again.
@pytest.mark.parametrize(
    ("changes", "kills"),
    [
        ({"ema_decay": 0.0}, [STEPS + 2, 4, 2]),
        ({"optimizer": "muon"}, [STEPS + 2]),
        ({"keep": "last", "patience": None}, [STEPS + 2]),
        ({"schedule": "step", "mixup": 0.0, "momentum": 0.0, "nesterov": False}, [STEPS + 2]),
    ],
    ids=str,
)
def test_every_kind_of_recipe_is_taken_up_with_the_same_bits(train, uninterrupted, tmp_path, changes, kills):
    recipe = dataclasses.replace(RECIPE, **changes)
    checkpoints = Checkpoints(tmp_path, 0)
    for killed_at in kills:
        with pytest.raises(Killed):
            train(recipe, checkpoints=checkpoints, kill=killed_at)
    assert train(recipe, checkpoints=checkpoints) == uninterrupted(recipe)


def test_numpys_numbers_in_a_recipe_are_kept_in_a_checkpoint(train, uninterrupted, tmp_path):
    sweep = np.array([RECIPE.learning_rate])
    recipe = dataclasses.replace(RECIPE, epochs=np.int64(RECIPE.epochs), learning_rate=sweep[0])
    assert train(recipe, checkpoints=Checkpoints(tmp_path, 0)) == uninterrupted()


def test_a_finished_training_is_taken_up_without_another_step(train, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    whole = train(checkpoints=checkpoints)
    assert train(checkpoints=checkpoints, kill=1) == whole


def test_patience_goes_on_counting_where_it_was_and_what_stopped_early_stays_stopped(train, uninterrupted, tmp_path):
    recipe = dataclasses.replace(RECIPE, epochs=20, ema_decay=0.0)
    whole = uninterrupted(recipe)
    epochs = len(whole[1]["loss"])
    assert recipe.patience < epochs < 20
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(Killed):
        train(recipe, checkpoints=checkpoints, kill=(epochs - 1) * STEPS + 1)
    assert train(recipe, checkpoints=checkpoints) == whole
    assert train(recipe, checkpoints=checkpoints, kill=1) == whole


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before_it(train, uninterrupted, tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(Killed):
        train(checkpoints=checkpoints, kill=2 * STEPS + 1)
    newest = max(tmp_path.glob("*.npz"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with caplog.at_level(logging.INFO, "resnet"):
        assert train(checkpoints=checkpoints) == uninterrupted()
    assert f"{newest} is damaged" in caplog.messages[0]
    assert "resuming after epoch 1 of 3" in caplog.messages[1]


def test_callbacks_without_a_state_may_come_and_go(train, uninterrupted, tmp_path):
    with pytest.raises(Killed):
        train(checkpoints=Checkpoints(tmp_path), kill=STEPS + 1, callbacks=[keras.callbacks.Callback()])
    assert train(checkpoints=Checkpoints(tmp_path)) == uninterrupted()


def test_the_same_labels_of_another_type_are_taken_up(train, uninterrupted, dark_and_bright, tmp_path):
    with pytest.raises(Killed):
        train(checkpoints=Checkpoints(tmp_path), kill=STEPS + 1)
    images, labels = dark_and_bright
    assert train(checkpoints=Checkpoints(tmp_path), data=(images, labels.astype(np.int16))) == uninterrupted()


def test_the_checkpoints_of_another_training_are_refused(train, dark_and_bright, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    train(checkpoints=checkpoints)
    with pytest.raises(
        ValueError, match=r"of another network, recipe or data \(the recipes differ\).* a folder of its own"
    ):
        train(dataclasses.replace(RECIPE, learning_rate=0.1), checkpoints=checkpoints)
    images, labels = dark_and_bright
    for others in ((images, 1 - labels), (255 - images, labels), (images[1:], labels[1:]), (images.tolist(), labels)):
        with pytest.raises(ValueError, match=r"\(the images or labels differ\)"):
            train(checkpoints=checkpoints, data=others)
    older, newest = Checkpoints(tmp_path / "older"), checkpoints.newest()
    del newest.parts["data"]
    older.save(newest)
    with pytest.raises(ValueError, match=r"\(it was written by an older version\)"):
        train(checkpoints=older)
