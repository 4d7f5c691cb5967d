"""Batches reach Keras through tf.data, but not through its tuning."""

import itertools

import numpy as np
import pytest

import resnet
from resnet import feeding
from resnet.evaluation import EvaluationBatches


def counted():
    """Batches without end, each of its own number, of one row and of two."""
    for number in itertools.count():
        yield np.full((number % 2 + 1, 4), number, np.uint8), np.full((number % 2 + 1,), number, np.float32)


@pytest.fixture
def ten(noise):
    return EvaluationBatches(noise(10), np.arange(10) % 2, 2, 4)


def test_endless_batches_come_in_order_and_begin_again_from_the_first():
    dataset = feeding.endless(counted)
    for _ in range(2):
        taken = [(images.numpy(), targets.numpy()) for images, targets in dataset.take(5)]
        for found, expected in zip(taken, itertools.islice(counted(), 5), strict=True):
            for part, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(part, wanted, strict=True)


def test_batches_in_order_come_once_and_say_how_many_they_are(ten):
    dataset = feeding.in_order(ten)
    assert len(dataset) == 3
    for _ in range(2):
        for (images, _), (wanted, _) in zip(dataset, (ten[index] for index in range(3)), strict=True):
            np.testing.assert_array_equal(images.numpy(), wanted, strict=True)


def test_no_thread_tunes_what_a_training_takes_for_it_may_sleep_a_minute_before_it_lets_go(
    tiny, dark_and_bright, monkeypatch
):
    model, taken = tiny("resnet20"), []
    fit = model.fit

    def noted(batches, **arguments):
        taken.extend([batches, arguments["validation_data"]])
        return fit(batches, **arguments)

    monkeypatch.setattr(model, "fit", noted)
    history = resnet.fit(model, *dark_and_bright, resnet.Recipe(epochs=1, batch_size=20), validation=dark_and_bright)
    assert len(history.epoch) == 1
    assert [dataset.options().autotune.enabled for dataset in taken] == [False, False]
