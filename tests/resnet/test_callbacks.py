import keras
import numpy as np
import pytest

from resnet.callbacks import EarlyStopping, KeepBest, MovingAverage, StopOnDivergence, TrainingDiverged


@pytest.fixture
def model():
    """One weight and nothing else."""
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])


def weight_of(model):
    return float(model.get_weights()[0][0, 0])


def set_weight(model, value):
    model.set_weights([np.full((1, 1), value, np.float32)])


@pytest.mark.parametrize(
    ("epochs", "best"),
    [
        ([(0.5, 1.0), (0.9, 0.4), (0.8, 0.3)], 1),
        ([(0.9, 0.4), (0.9, 0.3), (0.9, 0.35)], 1),
        ([(0.9, 0.4), (0.9, 0.4)], 0),
        ([(0.1, 9.0), (0.2, 8.0), (0.3, 9.5)], 2),
    ],
    ids=["by accuracy", "by loss where accuracy is equal", "the first of equals", "accuracy before loss"],
)
def test_the_best_epoch_by_validation_is_kept(model, epochs, best):
    keep = KeepBest(model.get_weights)
    keep.set_model(model)
    for number, (accuracy, loss) in enumerate(epochs):
        set_weight(model, number)
        keep.on_epoch_end(number, {"val_accuracy": accuracy, "val_loss": loss})
    keep.on_train_end()
    assert weight_of(model) == best


@pytest.mark.parametrize("none", [float("nan"), float("inf")])
def test_patience_begins_to_count_with_the_first_loss_that_is_a_number(model, none):
    stop = EarlyStopping("val_loss", patience=2, mode="min")
    stop.set_model(model)
    stop.on_train_begin()
    model.stop_training = False
    for epoch, loss in enumerate([none, none, 5.0, 4.0, 4.5, 3.0, 3.5, 3.2]):
        assert not model.stop_training, epoch
        stop.on_epoch_end(epoch, {"val_loss": loss})
    assert model.stop_training
    assert stop.best_epoch == 5


def test_the_average_follows_the_weights_with_a_short_memory_at_first(model):
    average, expected = MovingAverage(0.25), 0.0
    average.set_model(model)
    average.on_train_begin()
    for step, value in enumerate([10.0, 20.0, -5.0, 40.0], start=1):
        set_weight(model, value)
        average.on_train_batch_end(step - 1)
        decay = min(0.25, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert float(average.current()[0][0, 0]) == pytest.approx(expected)
    assert weight_of(model) == 40


def test_the_average_is_validated_with_and_the_training_goes_on_with_the_weights(model):
    average = MovingAverage(0.5)
    average.set_model(model)
    average.on_train_begin()
    set_weight(model, 11.0)
    average.on_train_batch_end(0)
    averaged = pytest.approx(9.0)  # decay 2 / 11 at first
    average.on_test_begin()
    assert weight_of(model) == averaged
    average.on_test_end()
    assert weight_of(model) == 11
    average.on_train_end()
    assert weight_of(model) == averaged


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training_and_says_where(model, loss):
    model.compile(keras.optimizers.SGD(0.25))
    watch = StopOnDivergence(lambda step: 0.25)
    watch.set_model(model)
    watch.on_epoch_begin(2)
    watch.on_train_batch_end(5, {"loss": 3.0})
    with pytest.raises(TrainingDiverged, match=rf"became {loss} in epoch 3, step 7, at learning rate 0\.25"):
        watch.on_train_batch_end(6, {"loss": loss})
