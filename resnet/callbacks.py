"""What happens beside the steps of a training."""

import math
from collections.abc import Callable

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule
from numpy.typing import NDArray

Weights = list[NDArray[np.generic]]


class TrainingDiverged(ArithmeticError):
    """The loss is no number any more."""


class LearningRateLog(keras.callbacks.Callback):
    """Record the learning rate of each epoch's last step."""

    def __init__(self, schedule: LearningRateSchedule) -> None:
        super().__init__()
        self.schedule = schedule

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.schedule(int(self.model.optimizer.iterations) - 1))


class StopOnDivergence(keras.callbacks.Callback):
    """End a training whose loss is not finite, and say where."""

    def __init__(self, schedule: LearningRateSchedule) -> None:
        super().__init__()
        self.schedule = schedule
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            rate = float(self.schedule(int(self.model.optimizer.iterations) - 1))
            raise TrainingDiverged(
                f"the loss became {loss} in epoch {self.epoch + 1}, step {batch + 1}, at learning rate {rate:.4g}; "
                "lower the learning rate or lengthen the warm-up"
            )


class MovingAverage(keras.callbacks.Callback):
    """Keep an exponential moving average of all weights; validate with it, and end with it.

    Differs: Keras' `use_ema` averages the trained weights only, and overwrites them at the end of every fit.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.steps = 0
        self.averages: list[keras.Variable] = []
        self._own: Weights = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if not self.averages:
            self.averages = [keras.Variable(weight, trainable=False) for weight in self.model.get_weights()]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.steps += 1
        # A short memory at first, so that the initial weights are soon forgotten.
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for average, weight in zip(self.averages, self.model.weights, strict=True):
            average.assign(average * decay + weight * (1 - decay))

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self._own = self.model.get_weights()
        self.model.set_weights(self.current())

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        self.model.set_weights(self._own)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.model.set_weights(self.current())

    def current(self) -> Weights:
        """The averages as arrays."""
        return [average.numpy() for average in self.averages]


class KeepBest(keras.callbacks.Callback):
    """End with the weights of the epoch that validated best: by accuracy, and by loss where that is equal."""

    def __init__(self, weights: Callable[[], Weights]) -> None:
        super().__init__()
        self.weights = weights
        self.score = (-math.inf, -math.inf)
        self.best: Weights = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        loss = logs["val_loss"]
        score = (logs["val_accuracy"], -loss if math.isfinite(loss) else -math.inf)
        if score > self.score:
            self.score, self.best = score, self.weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.model.set_weights(self.best)
