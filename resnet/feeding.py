"""Batches on their way to Keras, in a form that can begin again and is left without a wait.

Under TensorFlow they go through tf.data, as Keras would send them itself, but without its tuning. That runs in a thread
that sleeps for up to a minute and may miss that it is to end, as its cancellation wakes it before it says that it is
cancelled. Whoever lets the batches go waits for it: a training, at its end or after a validation (benchmarks/LOG.md).
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras

# One to be taken while the next is being made.
BATCHES_AHEAD = 2


def endless(batches: Callable[[], Iterator[Any]]) -> Any:
    """Give Keras the batches of a generator that does not end.

    A generator itself could not begin again. Keras looks at the first batches of several devices twice, and how many of
    them were lost would depend on chance.
    """
    return _dataset(batches) if keras.backend.backend() == "tensorflow" else batches()


def in_order(batches: keras.utils.PyDataset) -> Any:
    """Give Keras each of so many batches once."""
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    dataset = _dataset(lambda: map(batches.__getitem__, range(len(batches))))
    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))


def _dataset(batches: Callable[[], Iterator[Any]]) -> Any:
    import tensorflow as tf

    kinds = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in next(batches()))
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_generator(batches, output_signature=kinds).prefetch(BATCHES_AHEAD).with_options(options)
