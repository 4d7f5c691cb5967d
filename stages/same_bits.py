"""What makes one CPU's results another's to the bit, as far as TensorFlow chooses by the CPU it finds."""

import os
import sys
from typing import Any

import numpy as np

AVX512 = ("X86_V4", "AVX512")
LIMIT = "ONEDNN_MAX_CPU_ISA"
# Its former name, which oneDNN still reads.
FORMER_LIMIT = "DNNL_MAX_CPU_ISA"
Tensor = Any


def limit(instruction_set: str) -> None:
    """Have oneDNN, which writes its kernels for the CPU at hand, do as params.yaml says, whatever the environment says.

    With `avx2` it adds up in the order of a CPU without AVX-512.

    Raises:
        RuntimeError: TensorFlow is imported already, and oneDNN asks for its limit once.
    """
    wanted = {LIMIT: "AVX2"} if instruction_set == "avx2" else {}
    found = {name: os.environ[name] for name in (LIMIT, FORMER_LIMIT) if name in os.environ}
    if "tensorflow" in sys.modules and found != wanted:
        raise RuntimeError(f"expected to set {LIMIT} before TensorFlow is imported, but it is")
    for name in found:
        del os.environ[name]
    os.environ.update(wanted)


def instruction_set() -> list[str]:
    """What of this CPU may shape what oneDNN works out, by NumPy's names."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    names = [*simd.get("baseline", []), *simd.get("found", [])]
    limited = os.environ.get(LIMIT) == "AVX2"
    return [name for name in names if not (limited and name.startswith(AVX512))]


def normalise_by_exact_roots() -> None:
    """Have Keras' BatchNormalization divide by a root where it multiplies by TensorFlow's inverse root.

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
    name: str | None = None,
) -> Tensor:
    """TensorFlow's function of this name."""
    import tensorflow as tf

    root = tf.sqrt(variance + variance_epsilon)
    # Of a plain division by a root a graph makes a product with the inverse root again.
    factor = tf.math.divide_no_nan(tf.ones_like(root) if scale is None else scale, root)
    shift = (0.0 if offset is None else offset) - mean * factor
    return tf.add(x * factor, shift, name=name)
