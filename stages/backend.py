"""TensorFlow, started the same way by every stage that needs it."""

import os

from resnet.native_messages import held_back
from stages.errors import BadInput


def start(*, threads: int, device: str, deterministic: bool, seed: int) -> None:
    """Start TensorFlow on one device with a fixed number of threads; everything random follows the seed.

    Raises:
        BadInput: A GPU is asked for, and there is none.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with held_back():
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
