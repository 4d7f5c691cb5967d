import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONVOLUTION = """
import sys
from stages import backend
from stages.same_bits import AVX512, instruction_set
backend.start(threads=1, device="cpu", deterministic=True, seed=0, instruction_set=sys.argv[1])
import tensorflow as tf
tf.nn.conv2d(tf.ones((1, 8, 8, 16)), tf.ones((3, 3, 16, 16)), 1, "SAME")
print("recorded", any(name.startswith(AVX512) for name in instruction_set()))
"""
NORMALISATION = """
from stages import backend
backend.start(threads=1, device="cpu", deterministic=True, seed=0, instruction_set="avx2")
import keras, numpy as np, tensorflow as tf
draw = np.random.default_rng(0)
some = lambda *shape: draw.uniform(0.5, 50, shape).astype("float32")
values, gamma, beta, mean, variance = some(4, 2, 2, 500), *(some(500) for _ in range(4))
one, epsilon = np.float32(1), np.float32(1e-3)
for scale, center in ((True, True), (False, False)):
    layer = keras.layers.BatchNormalization(epsilon=1e-3, scale=scale, center=center)
    model = keras.Sequential([keras.Input(values.shape[1:]), layer])
    layer.set_weights([*([gamma] if scale else []), *([beta] if center else []), mean, variance])
    factor = (gamma if scale else one) / np.sqrt(variance + epsilon)
    expected = values * factor + ((beta if center else 0) - mean * factor)
    assert (layer(values).numpy() == expected).all(), "called"
    assert (tf.function(layer)(values).numpy() == expected).all(), "called in a graph"
    assert (model.predict_on_batch(values) == expected).all(), "predicted"
# In training it takes the moments of the batch, by the same formula.
steady = keras.layers.BatchNormalization(momentum=0.0, epsilon=1e-3)
trained = steady(values, training=True).numpy()
assert (steady(values, training=False).numpy() == trained).all(), "trained"
"""


def run(code, *arguments, **limits):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_MAX_CPU_ISA")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment | limits | {"PYTHONPATH": str(ROOT), "ONEDNN_VERBOSE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


@pytest.mark.parametrize("setting", ["avx2", "native"])
def test_onednn_keeps_to_the_instructions_that_are_recorded_and_to_avx2_if_asked(setting):
    # The params decide, whatever the environment says.
    said = run(CONVOLUTION, setting, ONEDNN_MAX_CPU_ISA="SSE41", DNNL_MAX_CPU_ISA="SSE41")
    (used,) = [line for line in said if "info,cpu,isa:" in line]
    assert said[-1] == f"recorded {'AVX-512' in used}"
    assert "AVX-512" not in used or setting == "native"
    assert "SSE" not in used


def test_keras_normalises_by_roots_and_divisions_that_are_exact_on_every_cpu():
    run(NORMALISATION)
