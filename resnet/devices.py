"""Training on several devices of one machine: what Keras leaves open where TensorFlow copies a model to each.

`tf.distribute.MirroredStrategy(...).scope()` around `create_for_training` makes the copies. For a model on one device,
or on another backend, nothing here does anything.
"""

import contextlib
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def devices_of(model: keras.Model) -> contextlib.AbstractContextManager[Any]:
    """Make what belongs to a model, such as its optimizer, where the model is."""
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy else contextlib.nullcontext()


def device_count(model: keras.Model) -> int:
    """On how many devices a model is."""
    strategy = getattr(model, "distribute_strategy", None)
    return int(strategy.num_replicas_in_sync) if strategy else 1


def shared_equally(
    images: tuple[NDArray[np.uint8], NDArray[np.integer]], model: keras.Model
) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Leave out the last few images of which not every device would have one; Keras cannot share those.

    Raises:
        ValueError: There are fewer images than devices.
    """
    devices = device_count(model)
    if len(images[0]) < devices:
        raise ValueError(f"{len(images[0])} validation images cannot be shared among {devices} devices")
    whole = len(images[0]) // devices * devices
    return images[0][:whole], images[1][:whole]


class OneState(keras.callbacks.Callback):
    """Make one again, after every step, what each device has averaged or counted for itself.

    Keras leaves every device the averages of its own share of the batches, and saves those of the first. A checkpoint
    can hold no more, so that a training that is taken up would go on from another state.
    """

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        import tensorflow as tf

        own = [*self.model.non_trainable_variables, *self.model.metrics_variables]
        copies = [self.model.distribute_strategy.experimental_local_results(variable.value) for variable in own]

        def merge() -> None:
            for each in copies:
                if each[0].dtype.is_floating:
                    # Counts are read as the sum over the devices, which this leaves as it is.
                    # So that what is one already, as frozen weights are, stays so to the bit.
                    first, *others = (copy.read_value() for copy in each)
                    mean = first + tf.add_n([other - first for other in others]) / len(each)
                    for copy in each:
                        copy.assign(mean)

        self._merge = tf.function(merge)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._merge()
