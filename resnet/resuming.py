"""Take up a training where a checkpoint left it, so that it ends as if it had never been interrupted."""

import dataclasses
import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.callbacks import finite
from resnet.checkpoints import Arrays, Checkpoint, Checkpoints, Part
from resnet.recipe import Recipe

# So many images tell a set from others, of which there may be more than memory holds.
SAMPLE = 100
log = logging.getLogger(__name__)


def fingerprint(*arrays: NDArray[np.generic]) -> str:
    """Hash labels, and of images a sample, from the first to the last.

    Labels are the same in integers of any type; images of another type are rounded otherwise, and end with other bits.
    """
    digest = hashlib.sha256()
    for array in arrays:
        sample = np.linspace(0, len(array) - 1, min(SAMPLE, len(array))).astype(int)
        hashed = array.astype(np.int64) if array.ndim == 1 else array[sample]
        digest.update(f"{hashed.dtype} {array.shape}".encode())
        digest.update(hashed.tobytes())
    return digest.hexdigest()


class Stateful(Protocol):
    """A callback that takes part in a checkpoint."""

    def get_state(self) -> Part:
        """What it must be given back to be as it is now."""

    def set_state(self, state: Part) -> None:
        """Be again as it was."""


class Start:
    """Where a training begins: at its first step, or where the newest checkpoint is."""

    def __init__(self, checkpoint: Checkpoint | None, recipe: Recipe) -> None:
        self.checkpoint = checkpoint
        self.epoch = checkpoint.epoch if checkpoint else 0
        self.step = checkpoint.step if checkpoint else 0
        if checkpoint and checkpoint.finished:
            self.epoch = recipe.epochs
            log.info("this training is finished; taking the weights of its checkpoint")
        elif checkpoint:
            steps = f", step {self.step}" if self.step else ""
            log.info("resuming after epoch %d of %d%s", self.epoch, recipe.epochs, steps)


class RestOfEpoch(keras.callbacks.Callback):
    """End the first epoch of a resumed training after the steps that were left of it.

    Must be the first of the callbacks: what it takes back at the epoch's end is what it asked for itself, not what
    another callback may ask for then.
    """

    def __init__(self, start: Start, steps: int) -> None:
        super().__init__()
        self.epoch = start.epoch
        self.left = steps - start.step if start.step else None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if batch + 1 == self.left:
            # Keras ends an epoch early only together with the training.
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.left is not None:
            self.left, self.model.stop_training = None, False


class Checkpointing(keras.callbacks.Callback):
    """Save a checkpoint after every epoch, and within one that takes long; begin where the former run was.

    Must be the last of the callbacks: the others' state belongs to the checkpoint.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        start: Start,
        steps: int,
        recipe: Recipe,
        data: str,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        super().__init__()
        self.checkpoints, self.start, self.steps, self.recipe = checkpoints, start, steps, recipe
        self.data = data
        # Numbered among themselves: others, such as TensorBoard's, may come and go between two runs.
        stateful = (callback for callback in callbacks if hasattr(callback, "get_state"))
        self.stateful: Mapping[str, Stateful] = {
            f"{number} {type(callback).__name__}": callback for number, callback in enumerate(stateful)
        }
        self.epoch = 0
        self.saved = time.monotonic()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        found = self.start.checkpoint
        if found is None:
            return
        try:
            self._restore(found.parts)
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"the checkpoint in {self.checkpoints.folder} is of another network, recipe or data ({error}); "
                "give every training a folder of its own"
            ) from error

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch
        found, self.start.checkpoint = self.start.checkpoint, None
        if found is not None and found.step:
            # Here and not before: Keras has just set them to nothing.
            _assign(self.model.metrics_variables, found.parts["metrics"].arrays)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        step = batch + 1 + (self.start.step if self.epoch == self.start.epoch else 0)
        due = step < self.steps and time.monotonic() - self.saved >= self.checkpoints.seconds
        # Weights that this step has ruined show in the next one's loss; what is kept must be good.
        if due and finite(self.model.weights):
            self._save(self.epoch, step, finished=False)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        finished = self.model.stop_training or epoch + 1 == self.recipe.epochs
        self._save(epoch + 1, 0, finished=finished)

    def _save(self, epoch: int, step: int, *, finished: bool) -> None:
        parts = {
            "recipe": Part([], _as_json(self.recipe)),
            "data": Part([], {"sha256": self.data}),
            "model": Part(_arrays(self.model.variables), {}),
            "optimizer": Part(_arrays(self.model.optimizer.variables), {}),
            "metrics": Part(_arrays(self.model.metrics_variables) if step else [], {}),
            **{name: callback.get_state() for name, callback in self.stateful.items()},
        }
        self.checkpoints.save(Checkpoint(epoch, step, finished, parts))
        self.saved = time.monotonic()

    def _restore(self, parts: dict[str, Part]) -> None:
        if parts["recipe"].values != _as_json(self.recipe):
            raise ValueError("the recipes differ")
        if "data" not in parts:
            raise ValueError("it was written by an older version")
        if parts["data"].values["sha256"] != self.data:
            raise ValueError("the images or labels differ")
        # Keras would make these at the first step, after the place where they are needed.
        nothing = np.zeros((1, self.model.output_shape[-1]), np.float32)
        self.model.compute_metrics(None, nothing, nothing)
        _assign(self.model.variables, parts["model"].arrays)
        _assign(self.model.optimizer.variables, parts["optimizer"].arrays)
        for name, callback in self.stateful.items():
            callback.set_state(parts[name])


def _as_json(recipe: Recipe) -> dict[str, Any]:
    return dataclasses.asdict(recipe) | {"milestones": list(recipe.milestones)}


def _arrays(variables: Sequence[keras.Variable]) -> Arrays:
    return [variable.numpy() for variable in variables]


def _assign(variables: Sequence[keras.Variable], arrays: Arrays) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
