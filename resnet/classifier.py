"""A saved classifier with what is needed to use it: its class names and the size of its images."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras

from resnet.errors import BadInput
from resnet.loading import class_names, load


@dataclass(frozen=True)
class Classifier:
    """A loaded model.

    Attributes:
        classes: Names in the order of the outputs; numbers where none were stored.
        side: Of its square images, in pixels.
    """

    model: keras.Model
    classes: list[str]
    side: int


def load_classifier(path: Path) -> Classifier:
    """Load a `.keras` file.

    Raises:
        BadInput: No such file, no Keras model, none that takes square RGB images of one size, or one of whose classes
            two have one name.
    """
    model, names = load(path), class_names(path)
    shape, answers = model.input_shape, model.output_shape
    if len(shape) != 4 or not shape[1] or shape[2] != shape[1] or shape[3] != 3:
        raise BadInput(f"{path} takes inputs of {shape[1:]}; expected RGB images of one fixed, square size")
    if len(answers) != 2 or (names is not None and len(names) != answers[1]):
        known = "no names" if names is None else f"{len(names):,} names"
        raise BadInput(
            f"{path} answers with {answers[1:]} and has {known} of classes; expected a number for each class"
        )
    if twice := [name for name, count in Counter(names or ()).items() if count > 1]:
        raise BadInput(f"{path} names several classes {twice[0]!r}; save it anew with names that differ")
    return Classifier(model, names or [str(number) for number in range(answers[1])], shape[1])
