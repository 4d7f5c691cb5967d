"""TensorFlow, started the same way by every stage that needs it."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from resnet.lean_import import lean_import
from stages import same_bits
from stages.errors import BadInput
from stages.params import TrainParams

X86 = ("X86_", "SSE")


def start(
    *,
    threads: int,
    device: str,
    deterministic: bool,
    seed: int,
    instruction_set: str,
    devices: int = 1,
) -> None:
    """Start TensorFlow on so many devices with a fixed number of threads; everything random follows the seed.

    Several devices of a CPU are parts of it that each train on a share of a batch, as several GPUs would.

    Args:
        instruction_set: See `train.instruction_set` in params.yaml.

    Raises:
        BadInput: More GPUs are asked for than there are.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    same_bits.limit(instruction_set)
    with lean_import():
        import keras
        import tensorflow as tf
    same_bits.normalise_by_exact_roots()
    # Of every variable on several devices it tells how it is copied.
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and len(gpus) < devices:
        found = f"{len(gpus)} of them" if gpus else "none"
        raise BadInput(
            f"train.device is gpu and train.devices {devices}, but TensorFlow finds {found} here; "
            "set train.device: cpu, or train.devices to what there is"
        )
    tf.config.set_visible_devices(gpus[:devices] if device == "gpu" else [], "GPU")
    if device == "cpu":
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def resolved(settings: TrainParams) -> TrainParams:
    """Decide what params.yaml leaves to us: mixed precision and XLA pay on a GPU, and slow most CPUs."""
    on_gpu = settings.device == "gpu"
    # Keras leaves XLA out while TensorFlow is deterministic.
    automatic = {
        "precision": "mixed_bfloat16" if on_gpu else "float32",
        "jit": on_gpu and not settings.deterministic,
    }
    known = settings.model_copy(
        update={name: value for name, value in automatic.items() if getattr(settings, name) == "auto"}
    )
    # Half precision is made of instructions that AVX2 lacks, and XLA has its own choice of them.
    unlimited = known.precision != "float32" or known.jit
    return known.model_copy(update={"instruction_set": "native"}) if unlimited else known


def is_emulated(precision: str, device: str, instruction_set: Iterable[str]) -> bool:
    """Whether TensorFlow has no fast kernels for half precision: on an x86 CPU without AVX-512, by NumPy's names."""
    names = list(instruction_set)
    x86, avx512 = (any(name.startswith(starts) for name in names) for starts in (X86, same_bits.AVX512))
    return device == "cpu" and precision.startswith("mixed_") and x86 and not avx512


@contextmanager
def enough_memory(batch_size: int, advice: str) -> Iterator[None]:
    """Say what to lower when memory runs out, on the host or on the device.

    Raises:
        BadInput: It has run out.
    """
    import tensorflow as tf

    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise BadInput(f"there is not enough memory for batches of {batch_size} images; {advice}") from error


def devices(device: str, count: int) -> AbstractContextManager[Any]:
    """Build a network on so many devices: each has a copy of it, and all take the same steps."""
    import tensorflow as tf

    if count == 1:
        return tf.distribute.get_strategy().scope()
    # Gradients are summed on one device in one order, so that the sum has the same bits each time.
    together = tf.distribute.MirroredStrategy(
        [f"{device.upper()}:{number}" for number in range(count)],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )
    return together.scope()
