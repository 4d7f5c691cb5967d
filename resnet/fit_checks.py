"""What `resnet.fit` is given, held to what it can train on, before anything is trained."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.devices import device_count
from resnet.finetuning import HEAD
from resnet.recipe import Recipe
from resnet.views import one_view

# Of 255, what bicubic resizing may add at an edge.
OVERSHOOT = 40
SOFTMAX = (keras.activations.softmax, keras.ops.softmax)

Labelled = tuple[NDArray[np.uint8], NDArray[np.integer]]


def check(
    model: keras.Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    recipe: Recipe,
    validation: Labelled | None,
) -> None:
    """Refuse what cannot be trained, or would learn something else.

    Raises:
        ValueError: Says what was expected and what came.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe is a {type(recipe).__name__}; expected a resnet.Recipe")
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
    if recipe.body_learning_rate != 1 and (last.name != HEAD or not last.trainable_variables):
        raise ValueError(
            f"the last layer is called {last.name!r} and has {len(last.trainable_variables)} arrays to train; expected "
            f"{HEAD!r}, by which it is told from the body, with some, as body_learning_rate is "
            f"{recipe.body_learning_rate}"
        )
    _check_labelled("", images, labels, model)
    if validation is not None:
        _check_labelled("validation ", *validation, model)
    if (batch := min(recipe.batch_size, len(images))) % (devices := device_count(model)):
        raise ValueError(f"batches of {batch} images cannot be shared equally among {devices} devices")


def check_callbacks(model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Refuse at once what would end the training when it is first called for.

    Raises:
        ValueError: A callback that sets the learning rate.
        NotImplementedError: One that saves the model, which is of a form that cannot be.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.LearningRateScheduler | keras.callbacks.ReduceLROnPlateau):
            raise ValueError(
                f"{type(callback).__name__} cannot set the learning rate, whose schedule is the recipe's; leave it "
                "out, and set schedule, milestones and warmup_epochs"
            )
        if isinstance(callback, keras.callbacks.ModelCheckpoint) and not callback.save_weights_only:
            # Of what cannot be saved, this tells why.
            model.get_config()


def _check_labelled(which: str, images: NDArray[np.uint8], labels: NDArray[np.integer], model: keras.Model) -> None:
    shape, classes = model.input_shape[1:], model.output_shape[-1]
    if images.ndim != 4 or any(side not in (None, found) for side, found in zip(shape, images.shape[1:], strict=True)):
        raise ValueError(f"the {which}images are of shape {images.shape}; expected {(len(images), *shape)}")
    if images.dtype != np.uint8 and len(images):
        some = images[:: max(1, len(images) // 100)]
        low, high = float(some.min()), float(some.max())
        # Scaled to 1, standardised, with ImageNet's mean taken off, or of 16 bits; resizing may overshoot a little.
        if not (low >= -OVERSHOOT and 3 < high <= 255 + OVERSHOOT):
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
