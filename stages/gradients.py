"""Do skip connections do their work? The network and its plain twin, both fresh, before and after a few steps."""

from typing import Any

import numpy as np
import pandas as pd

from stages.params import GradientParams
from stages.prepared import Labelled


def compare_gradients(model: Any, train: Labelled, settings: GradientParams, seed: int) -> pd.DataFrame:
    """Measure the gradient of each convolution of a network like this one, and of its twin without shortcuts.

    Both start from the same weights, take the same steps and are measured on the same images.

    Returns:
        A row a convolution, first to last: depth, layer, initial, trained, plain_initial, plain_trained. A model
        without shortcuts has no twin, and the last two are empty.
    """
    import keras

    from resnet import gradients
    from resnet.views import one_view

    model = one_view(model)
    keras.utils.set_random_seed(seed)
    fresh = gradients.untrained_copy(model)
    networks = {"": fresh} | ({"plain_": gradients.plain_twin(fresh)} if gradients.has_shortcuts(model) else {})
    order = np.random.default_rng(seed).permutation(len(train.images))
    images = [order[start : start + settings.images] for start in range(0, len(order), settings.images)]
    held = _batch(train, images[0])
    table: dict[str, dict[str, float]] = {}
    for name, network in networks.items():
        table[f"{name}initial"] = gradients.gradient_norms(network, *held)
        steps = (_batch(train, images[step % len(images)]) for step in range(1, settings.steps + 1))
        gradients.take_steps(network, steps, settings.learning_rate)
        table[f"{name}trained"] = gradients.gradient_norms(network, *held)
    columns = ["initial", "trained", "plain_initial", "plain_trained"]
    frame = pd.DataFrame(table, columns=columns).rename_axis("layer").reset_index()
    frame.insert(0, "depth", np.arange(1, len(frame) + 1))
    return frame


def _batch(train: Labelled, chosen: Any) -> tuple[Any, Any]:
    return np.asarray(train.images[chosen]), train.labels[chosen]
