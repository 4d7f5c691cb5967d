"""What makes one CPU's results another's to the bit, as far as TensorFlow chooses by the CPU it finds."""

import os
from typing import Any

import numpy as np

AVX512 = ("X86_V4", "AVX512")
LIMIT = "ONEDNN_MAX_CPU_ISA"
Tensor = Any


def keep_to_avx2() -> None:
    """Have oneDNN, which writes its kernels for the CPU at hand, add up in the order of one without AVX-512.

    It asks once, so TensorFlow must not have been imported yet.
    """
    os.environ[LIMIT] = "AVX2"


def instruction_set() -> list[str]:
    """What of this CPU may shape a result, by NumPy's names."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    names = [*simd.get("baseline", []), *simd.get("found", [])]
    limited = os.environ.get(LIMIT) == "AVX2"
    return [name for name in names if not (limited and name.startswith(AVX512))]


def normalise_by_exact_roots() -> None:
    """Have Keras' normalisation divide by a root wherever it multiplies by TensorFlow's inverse root.

    That one starts from the CPU's own estimate, of which Intel and AMD have different ones, and a third of the values
    differ in their last bit. Of a root and of a division IEEE 754 says every bit.
    """
    import tensorflow as tf

    tf.nn.batch_normalization = _batch_normalization


def _batch_normalization(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    offset: Tensor | None,
    scale: Tensor | None,
    variance_epsilon: float,
) -> Tensor:
    """TensorFlow's function of this name, as Keras calls it."""
    import tensorflow as tf

    factor = (1.0 if scale is None else scale) / tf.sqrt(variance + variance_epsilon)
    shift = (0.0 if offset is None else offset) - mean * factor
    return x * factor + shift
