"""What happens beside the steps of a training."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule
from numpy.typing import NDArray

from resnet.checkpoints import Part

Weights = list[NDArray[np.generic]]


class TrainingDiverged(ArithmeticError):
    """The loss is no number any more."""


def finite(variables: Sequence[keras.Variable]) -> bool:
    """Whether all values are numbers."""
    return all(np.isfinite(variable.numpy()).all() for variable in variables)


class LearningRateLog(keras.callbacks.Callback):
    """Record the learning rate of each epoch's last step."""

    def __init__(self, schedule: LearningRateSchedule) -> None:
        super().__init__()
        self.schedule = schedule

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.schedule(int(self.model.optimizer.iterations.numpy()) - 1))


class StopOnDivergence(keras.callbacks.Callback):
    """End a training whose loss is not finite, and say where.

    Args:
        schedule: Of the learning rate.
        first: The epoch and the step that the training begins with, when it is a resumed one.
    """

    def __init__(self, schedule: LearningRateSchedule, first: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        self.schedule = schedule
        self.first = first
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            step = batch + 1 + (self.first[1] if self.epoch == self.first[0] else 0)
            self._stop(f"the loss became {loss} in epoch {self.epoch + 1}, step {step}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        # The last step's update has no loss after it that would show what it did.
        if not finite(self.model.weights):
            self._stop(f"the weights became infinite or NaN in epoch {epoch + 1}")

    def _stop(self, what: str) -> NoReturn:
        rate = float(self.schedule(int(self.model.optimizer.iterations.numpy()) - 1))
        raise TrainingDiverged(f"{what}, at learning rate {rate:.4g}; lower the learning rate or lengthen the warm-up")


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
        self._move: Callable[[Any, Any], None] = self._move_each

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if not self.averages:
            self.averages = [keras.Variable(weight, trainable=False) for weight in self.model.get_weights()]
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # One by one, hundreds of small operations would take a tenth of a step and more.
            self._move = tf.function(self._move_each)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.steps += 1
        # A short memory at first, so that the initial weights are soon forgotten.
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self._move(ops.convert_to_tensor(decay, "float32"), ops.convert_to_tensor(1 - decay, "float32"))

    def _move_each(self, kept: Any, added: Any) -> None:
        for average, weight in zip(self.averages, self.model.weights, strict=True):
            average.assign(average * kept + weight * added)

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

    def get_state(self) -> Part:
        """For a checkpoint."""
        return Part(self.current(), {"steps": self.steps})

    def set_state(self, state: Part) -> None:
        """From a checkpoint."""
        self.steps = state.values["steps"]
        for average, array in zip(self.averages, state.arrays, strict=True):
            average.assign(array)


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

    def get_state(self) -> Part:
        """For a checkpoint."""
        return Part(self.best, {"score": list(self.score)})

    def set_state(self, state: Part) -> None:
        """From a checkpoint."""
        accuracy, loss = state.values["score"]
        self.score, self.best = (accuracy, loss), state.arrays


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras' own, as part of a checkpoint; any number is better than none."""

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        # Young running averages of a very deep network may give a loss that is no number, which nothing is less than.
        if reference is not None and not math.isfinite(reference):
            return math.isfinite(value)
        return bool(super()._is_improvement(value, reference))

    def get_state(self) -> Part:
        """For a checkpoint."""
        return Part([], {name: getattr(self, name) for name in ("wait", "best", "best_epoch", "stopped_epoch")})

    def set_state(self, state: Part) -> None:
        """From a checkpoint."""
        for name, value in state.values.items():
            setattr(self, name, value)


class History(keras.callbacks.History):
    """Keras' own, as part of a checkpoint."""

    def get_state(self) -> Part:
        """For a checkpoint."""
        return Part([], {"epoch": self.epoch, "history": self.history})

    def set_state(self, state: Part) -> None:
        """From a checkpoint."""
        self.epoch, self.history = state.values["epoch"], state.values["history"]
