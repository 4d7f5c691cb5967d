"""Keras and TensorFlow without what they import for others, and without what they print."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from resnet.native_messages import held_back


@contextmanager
def lean_import() -> Iterator[None]:
    """Have Keras imported in silence, and without scikit-learn, nor JAX where the environment names TensorFlow.

    Where they are installed, Keras and TensorFlow Lite load them for adapters that nothing here uses: a third of the
    time of the import (benchmarks/LOG.md). Whoever imports them afterwards gets them.
    """
    unused = {"sklearn"} | ({"jax"} if os.environ.get("KERAS_BACKEND") == "tensorflow" else set())
    hidden = unused - sys.modules.keys()
    # Python's own way to say that a module is not there.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        with held_back():
            yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
