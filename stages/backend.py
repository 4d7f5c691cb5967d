"""TensorFlow, started the same way by every stage that needs it."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from stages.errors import BadInput


def start(*, threads: int, device: str, deterministic: bool, seed: int) -> None:
    """Start TensorFlow on one device with a fixed number of threads; everything random follows the seed.

    Raises:
        BadInput: A GPU is asked for, and there is none.
    """
    with without_start_messages():
        import keras
        import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise BadInput("train.device is gpu, but TensorFlow finds none here; set train.device: cpu")
    if device == "cpu" and gpus:
        tf.config.set_visible_devices([], "GPU")
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


@contextmanager
def without_start_messages() -> Iterator[None]:
    """Hold back what TensorFlow's libraries print before any setting can silence them; show it on failure."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    own = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(own, held.read())
            raise
        finally:
            os.dup2(own, 2)
            os.close(own)
