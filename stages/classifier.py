"""A saved model, opened to answer for prepared images."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import BadInput


def open_model(model_file: Path, images: NDArray[np.uint8], classes: list[str]) -> Any:
    """Load a model that fits the images and their classes.

    Raises:
        BadInput: It is missing, no model, or made for images of another size or for other classes.
    """
    from resnet.errors import BadInput as BadModel
    from resnet.loading import class_names, load

    if not model_file.is_file():
        raise BadInput(f"there is no model at {model_file}; run `dvc repro train` or `dvc checkout`")
    try:
        model, names = load(model_file), class_names(model_file)
    except BadModel as error:
        raise BadInput(f"{error} (`dvc repro train` or `dvc checkout`)") from error
    # Keras would choose XLA wherever a GPU is plugged in, although the CPU is what measures here.
    model.jit_compile = False
    again = "run `dvc repro` so that both come from the same data"
    expected, found = (images.shape[1:], len(classes)), (model.input_shape[1:], model.output_shape[-1])
    if expected != found:
        raise BadInput(
            f"{model_file} takes images of {found[0]} and knows {found[1]} classes, but the prepared ones have "
            f"{expected[0]} and {expected[1]}; {again}"
        )
    if names is not None and names != classes:
        theirs, ours = next((a, b) for a, b in zip_longest(names, classes) if a != b)
        raise BadInput(f"{model_file} knows the class {theirs!r} where the prepared images have {ours!r}; {again}")
    return model


def predict(model: Any, images: NDArray[np.uint8], batch_size: int) -> NDArray[np.float64]:
    """Run a model over images.

    Keras' own `predict` makes a stream of them first, which takes longer than to answer for a few small ones.

    Shapes:
        (N, H, W, 3), an array or a memory map, to (N, K), rows that sum to 1.

    Raises:
        BadInput: An answer is infinite or no number.
    """
    if not len(images):
        return np.empty((0, model.output_shape[-1]))
    starts = range(0, len(images), batch_size)
    batches = [model.predict_on_batch(images[start : start + batch_size]) for start in starts]
    probabilities = np.concatenate(batches, dtype=np.float64)
    if wrong := int((~np.isfinite(probabilities)).any(axis=1).sum()):
        raise BadInput(
            f"the model predicts NaN or infinity for {wrong} of {len(images)} images, as something overflows; "
            "train it for longer, or with a lower train.learning_rate"
        )
    # float32 rows sum to 1 within its rounding only.
    return probabilities / probabilities.sum(axis=1, keepdims=True)
