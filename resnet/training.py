"""Fit a network to images."""

import contextlib
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule
from numpy.typing import NDArray

from resnet import feeding, schedules
from resnet.batches import steps_per_epoch, training_batches
from resnet.callbacks import EarlyStopping, History, KeepBest, LearningRateLog, MovingAverage, StopOnDivergence
from resnet.checkpoints import Checkpoints
from resnet.devices import OneState, device_count, devices_of, shared_equally
from resnet.evaluation import EvaluationBatches
from resnet.finetuning import body_frozen
from resnet.fit_checks import Labelled, check, check_callbacks
from resnet.muon import Muon
from resnet.recipe import Recipe
from resnet.resuming import Checkpointing, RestOfEpoch, Start, fingerprint
from resnet.sgd import SGD

OPTIMIZERS = {"sgd": SGD, "muon": Muon}


def fit(
    model: keras.Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    recipe: Recipe,
    *,
    validation: Labelled | None = None,
    checkpoints: Checkpoints | Path | str | None = None,
    tensorboard: Path | str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback = (),
    verbose: Literal["auto", 0, 1, 2] = "auto",
) -> keras.callbacks.History:
    """Train a classifier in place; with checkpoints, begin where the newest of them is.

    A training that was killed and begun again with the same network, data and recipe ends with the same bits. The model
    stays compiled with targets of a share for each class: to evaluate it on integers, compile it anew.

    Args:
        model: With softmax at its end; with a `body_learning_rate` its last layer is called
            "predictions", as that of `resnet.create` is. It is trained on the devices that it was built on, those
            of a `tf.distribute.MirroredStrategy` too.
        validation: Images and labels to measure on after every epoch.
        checkpoints: Where the training is kept after every epoch, or the folder; of images, a sample tells whose it is.
        tensorboard: A folder for TensorBoard's logs.
        callbacks: More of Keras' callbacks; a checkpoint holds the state of those that have `get_state`. With a
            recipe's `ema_decay` they see the weights themselves, and not their average: `keep` keeps the best of that.
        verbose: As Keras takes it: 0 is silent, 1 a progress bar, 2 a line an epoch; "auto" is a bar for a person at
            a terminal, and for a log the lines.

    Shapes:
        images: (N, H, W, 3) uint8, an array or a memory map. labels: (N,) integers below K.

    Raises:
        ValueError: No images, or images or labels that are not of the shapes above; batches that the devices cannot
            share; a model without softmax at its end; `keep` or `patience` without validation; or the checkpoints
            of another network, recipe or data.
        TrainingDiverged: The loss became infinite or NaN.

    Source: He et al. 2015, section 4.2.
    """
    # Lists and tables will do too.
    images, labels = np.asarray(images), np.asarray(labels)
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise ValueError(f"validation is a {type(validation).__name__}; expected a pair, images and labels")
        validation = (np.asarray(validation[0]), np.asarray(validation[1]))
    callbacks = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else callbacks
    checkpoints = Checkpoints(checkpoints) if isinstance(checkpoints, str | Path) else checkpoints
    check(model, images, labels, recipe, validation)
    check_callbacks(model, callbacks)
    classes = model.output_shape[-1]
    steps = steps_per_epoch(len(images), recipe)
    schedule = learning_rate(recipe, steps)
    with (
        body_frozen(model) if recipe.body_learning_rate == 0 else contextlib.nullcontext(),
        devices_of(model),
    ):
        model.compile(
            optimizer=OPTIMIZERS[recipe.optimizer](
                schedule,
                momentum=recipe.momentum,
                nesterov=recipe.nesterov,
                kernel_decay=recipe.weight_decay,
                body_rate=recipe.body_learning_rate,
            ),
            loss="categorical_crossentropy",
            metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
            # Keras, left to choose, takes XLA wherever a GPU is plugged in, even when the CPU is to be used.
            # Under JAX it takes what is not compiled operation by operation, and compiles a loop anew at every step.
            jit_compile=recipe.jit or keras.backend.backend() == "jax",
        )
        # Variables made within the first step, as by a metric that is but a name, would have TensorFlow trace it twice.
        model.optimizer.build(model.trainable_variables)
        start = Start(checkpoints.newest() if checkpoints else None, recipe)
        chosen = [
            RestOfEpoch(start, steps),
            *([OneState()] if device_count(model) > 1 else []),
            LearningRateLog(schedule),
            StopOnDivergence(schedule, (start.epoch, start.step)),
            *_callbacks(model, recipe, tensorboard),
            *callbacks,
            History(),
        ]
        if checkpoints is not None:
            chosen.append(
                Checkpointing(
                    checkpoints, start, steps, recipe, fingerprint(images, labels, *(validation or ())), chosen
                )
            )
        return model.fit(
            feeding.endless(
                functools.partial(training_batches, images, labels, classes, recipe, start.epoch, start.step)
            ),
            initial_epoch=start.epoch,
            steps_per_epoch=steps,
            epochs=recipe.epochs,
            validation_data=validation
            and feeding.in_order(EvaluationBatches(*shared_equally(validation, model), classes, recipe.batch_size)),
            callbacks=chosen,
            shuffle=False,
            verbose=(1 if sys.stdout.isatty() else 2) if verbose == "auto" else verbose,
        )


def learning_rate(recipe: Recipe, steps: int) -> LearningRateSchedule:
    """Make the schedule of a recipe whose epochs have so many steps."""
    total = recipe.epochs * steps
    if recipe.schedule == "step":
        schedule = schedules.step(recipe.learning_rate, total, recipe.milestones)
    else:
        schedule = schedules.cosine(recipe.learning_rate, total)
    return schedules.WarmUp(schedule, round(recipe.warmup_epochs * steps))


def _callbacks(model: keras.Model, recipe: Recipe, tensorboard: Path | str | None) -> list[keras.callbacks.Callback]:
    chosen: list[keras.callbacks.Callback] = []
    weights = model.get_weights
    if recipe.ema_decay:
        chosen.append(average := MovingAverage(recipe.ema_decay))
        weights = average.current
    if recipe.keep == "best":
        chosen.append(KeepBest(weights))
    if recipe.patience is not None:
        chosen.append(EarlyStopping("val_loss", patience=recipe.patience))
    if tensorboard is not None:
        chosen.append(keras.callbacks.TensorBoard(str(tensorboard)))
    return chosen
