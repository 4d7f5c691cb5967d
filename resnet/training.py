"""Fit a network to images."""

import contextlib
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

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
from resnet.finetuning import HEAD, body_frozen
from resnet.muon import Muon
from resnet.recipe import Recipe
from resnet.resuming import Checkpointing, RestOfEpoch, Start, fingerprint
from resnet.sgd import SGD
from resnet.views import one_view

OPTIMIZERS = {"sgd": SGD, "muon": Muon}
SOFTMAX = (keras.activations.softmax, keras.ops.softmax)

Labelled = tuple[NDArray[np.uint8], NDArray[np.integer]]


def fit(
    model: keras.Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    recipe: Recipe,
    *,
    validation: Labelled | None = None,
    checkpoints: Checkpoints | None = None,
    tensorboard: Path | str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.callbacks.History:
    """Train a classifier in place; with checkpoints, begin where the newest of them is.

    A training that was killed and begun again with the same network, data and recipe ends with the same bits.

    Args:
        model: With softmax at its end; with a `body_learning_rate` its last layer is called
            "predictions", as that of `resnet.create` is. It is trained on the devices that it was built on, those
            of a `tf.distribute.MirroredStrategy` too.
        validation: Images and labels to measure on after every epoch.
        checkpoints: Where the training is kept after every epoch; of images, a sample tells whose it is.
        tensorboard: A folder for TensorBoard's logs.
        callbacks: More of Keras' callbacks; a checkpoint holds the state of those that have `get_state`.

    Shapes:
        images: (N, H, W, 3) uint8, an array or a memory map. labels: (N,) integers below K.

    Raises:
        ValueError: No images, or images or labels that are not of the shapes below; batches that the devices cannot
            share; a model without softmax at its end; `keep` or `patience` without validation; or the checkpoints
            of another network, recipe or data.
        TrainingDiverged: The loss became infinite or NaN.

    Source: He et al. 2015, section 4.2.
    """
    # Lists and tables will do too.
    images, labels = np.asarray(images), np.asarray(labels)
    if validation is not None:
        if len(validation) != 2:
            raise ValueError(f"validation has {len(validation)} parts; expected images and labels")
        validation = (np.asarray(validation[0]), np.asarray(validation[1]))
    _check(model, images, labels, recipe, validation)
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
            # A progress bar for a person; for a log the epoch and one line of figures.
            verbose=1 if sys.stdout.isatty() else 2,
        )


def _check(
    model: keras.Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    recipe: Recipe,
    validation: Labelled | None,
) -> None:
    if not images.ndim or not labels.ndim:
        raise ValueError(
            "expected images and labels as two arrays; to train on a generator or a tf.data.Dataset: model.compile and "
            "model.fit, as of any model of Keras"
        )
    if not len(images):
        raise ValueError("there are no images to train on")
    if validation is not None and not len(validation[0]):
        raise ValueError("there are no validation images; leave validation out")
    # What has not been built yet, or by subclassing, does not tell its outputs.
    if len(getattr(model, "outputs", None) or ()) != 1 or len(model.inputs) != 1:
        raise ValueError(
            f"{model.name} is no built network of one input and one output; expected one, as of resnet.create"
        )
    if validation is None and (recipe.keep == "best" or recipe.patience is not None):
        raise ValueError("keeping the best epoch and stopping early both need validation images, and there are none")
    last = end = model.layers[-1]
    while isinstance(end, keras.Model):
        end = end.layers[-1]
    if not isinstance(end, keras.layers.Softmax) and getattr(end, "activation", None) not in SOFTMAX:
        hint = "; of a model of two views train resnet.one_view(model)" if one_view(model) is not model else ""
        raise ValueError(
            f"the last layer, {end.name!r}, has no softmax; expected a probability for each of the classes{hint}"
        )
    if len(model.output_shape) != 2:
        raise ValueError(
            f"the last layer, {last.name!r}, has outputs of shape {model.output_shape}; expected (None, classes)"
        )
    if recipe.body_learning_rate != 1 and last.name != HEAD:
        raise ValueError(
            f"the last layer is called {last.name!r}; expected {HEAD!r}, by which it is told from the body, as "
            f"body_learning_rate is {recipe.body_learning_rate}"
        )
    _check_labelled("", images, labels, model)
    if validation is not None:
        _check_labelled("validation ", *validation, model)
    if (batch := min(recipe.batch_size, len(images))) % (devices := device_count(model)):
        raise ValueError(f"batches of {batch} images cannot be shared equally among {devices} devices")


def _check_labelled(which: str, images: NDArray[np.uint8], labels: NDArray[np.integer], model: keras.Model) -> None:
    shape, classes = model.input_shape[1:], model.output_shape[-1]
    if images.ndim != 4 or any(side not in (None, found) for side, found in zip(shape, images.shape[1:], strict=True)):
        raise ValueError(f"the {which}images are of shape {images.shape}; expected {(len(images), *shape)}")
    if images.dtype == np.bool_:
        raise ValueError(f"the {which}images are True and False; expected 0 to 255, best uint8")
    if np.issubdtype(images.dtype, np.floating) and len(images):
        some = images[:: max(1, len(images) // 100)]
        low, high = some.min(), some.max()
        # Scaled to 1, or standardised.
        if high <= 3:
            raise ValueError(
                f"the {which}images lie within {low:g} and {high:g}; expected 0 to 255, best uint8: the network scales "
                "them"
            )
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"the {which}labels are {labels.dtype} of shape {labels.shape}; expected an integer for each of "
            f"{len(images)} images (of one-hot rows, their argmax)"
        )
    if (low := labels.min(initial=0)) < 0 or (high := labels.max(initial=0)) >= classes:
        raise ValueError(
            f"a {which}label is {low if low < 0 else high}; expected 0 to {classes - 1} for {classes} classes"
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
