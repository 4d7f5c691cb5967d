import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages import backend

ROOT = Path(__file__).parents[2]
TRAINING = """
import hashlib
from stages import backend
backend.start(threads=2, device="cpu", deterministic=True, seed=3, instruction_set="avx2")
import numpy as np
import resnet
from tensorflow.python.framework.config import is_op_determinism_enabled
draw = np.random.default_rng(0)
images, labels = draw.integers(0, 256, (64, 8, 8, 3), dtype=np.uint8), draw.integers(0, 3, 64)
model = resnet.create_for_training("resnet20", input_shape=(8, 8, 3), classes=3)
resnet.fit(model, images, labels, resnet.Recipe(epochs=2, batch_size=16, learning_rate=0.1))
weights = b"".join(weight.tobytes() for weight in model.get_weights())
print("result", is_op_determinism_enabled(), hashlib.sha256(weights).hexdigest())
"""

STEPS = """
import json
import sys
from stages import backend
count = int(sys.argv[1])
backend.start(threads=2, device="cpu", devices=count, deterministic=True, seed=3, instruction_set="avx2")
import keras
import numpy as np
from resnet.training import OPTIMIZERS
draw = np.random.default_rng(0)
images = draw.integers(0, 256, (8, 4, 4, 3)).astype(np.uint8)
targets = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0, 1]]
found = {}
for name in ("sgd", "muon"):
    keras.utils.set_random_seed(3)
    with backend.devices("cpu", count):
        flat = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(3, 1), keras.layers.Flatten()]
        model = keras.Sequential([keras.Input((4, 4, 3)), *flat, keras.layers.Dense(3, "softmax", name="predictions")])
        optimizer = OPTIMIZERS[name](0.1, momentum=0.9, kernel_decay=0.5, body_rate=0.5)
        model.compile(optimizer, "categorical_crossentropy")
    for _ in range(3):
        model.fit(images, targets, batch_size=8, verbose=0)
    found[name] = [float(value) for weight in model.get_weights() for value in weight.ravel()]
print(json.dumps(found))
"""


def result_of(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


THREE_DEVICES = """
from stages import backend
backend.start(threads=2, device="cpu", devices=3, deterministic=True, seed=3, instruction_set="avx2")
import keras
import numpy as np
from resnet.devices import OneState
with backend.devices("cpu", 3):
    frozen = keras.layers.Dense(100, trainable=False)
    model = keras.Sequential([keras.Input((4,)), frozen, keras.layers.BatchNormalization(), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
before = [weight.tobytes() for weight in frozen.get_weights()]
average = model.layers[1].get_weights()[2]
model.fit(np.random.default_rng(0).normal(size=(6, 4)), np.ones((6, 2)), verbose=0, callbacks=[OneState()])
assert (model.layers[1].get_weights()[2] != average).all()
print([weight.tobytes() for weight in frozen.get_weights()] == before)
"""


def test_on_several_devices_what_is_frozen_stays_so_to_the_bit():
    assert result_of(THREE_DEVICES) == "True"


def test_two_devices_take_the_steps_that_one_takes_by_each_optimizer_decay_included():
    one, two = (json.loads(result_of(STEPS, count)) for count in "12")
    for optimizer in ("sgd", "muon"):
        assert len(one[optimizer]) == 3 * 3 + 3 + 4 * 4 * 3 * 3 + 3
        assert two[optimizer] == pytest.approx(one[optimizer], abs=2e-6)


GPUS = """
import sys
from stages import backend
from stages.errors import BadInput
wanted = int(sys.argv[1])
try:
    backend.start(threads=1, device="gpu", devices=wanted, deterministic=False, seed=0, instruction_set="avx2")
    said = "started"
except BadInput as error:
    said = error
import tensorflow as tf
print(len(tf.config.list_physical_devices("GPU")), said)
"""


@pytest.mark.parametrize("wanted", [1, 1000])
def test_gpus_that_are_not_there_are_not_waited_for(wanted):
    found, said = result_of(GPUS, str(wanted)).split(maxsplit=1)
    if wanted <= int(found):
        assert said == "started"
    else:
        assert f"TensorFlow finds {found if int(found) else 'none'}" in said
        assert "set train.device: cpu" in said


def test_with_determinism_on_two_processes_train_the_same_bits():
    first = result_of(TRAINING)
    assert first.startswith("result True ")
    assert result_of(TRAINING) == first


@pytest.mark.parametrize(
    ("device", "deterministic", "precision", "jit", "decided"),
    [
        ("cpu", True, "auto", "auto", ("float32", False, "avx2")),
        ("cpu", False, "auto", "auto", ("float32", False, "avx2")),
        ("gpu", False, "auto", "auto", ("mixed_bfloat16", True, "native")),
        ("gpu", True, "auto", "auto", ("mixed_bfloat16", False, "native")),
        ("cpu", False, "mixed_bfloat16", True, ("mixed_bfloat16", True, "native")),
        ("cpu", False, "float32", True, ("float32", True, "native")),
        ("gpu", False, "float32", False, ("float32", False, "avx2")),
    ],
)
def test_precision_and_xla_follow_the_device_unless_they_are_set_and_with_either_every_instruction(
    settings, device, deterministic, precision, jit, decided
):
    changes = {"device": device, "deterministic": deterministic, "precision": precision, "jit": jit}
    train = backend.resolved(settings(**{f"train.{name}": value for name, value in changes.items()}).train)
    assert (train.precision, train.jit, train.instruction_set) == decided


@pytest.mark.parametrize(
    ("precision", "device", "instruction_set", "emulated"),
    [
        ("mixed_bfloat16", "cpu", ["X86_V2", "X86_V3"], True),
        ("mixed_float16", "cpu", ["SSE", "SSE2", "SSE3", "AVX2"], True),
        ("float32", "cpu", ["X86_V2", "X86_V3"], False),
        ("mixed_bfloat16", "gpu", ["X86_V2", "X86_V3"], False),
        ("mixed_bfloat16", "cpu", ["X86_V2", "X86_V3", "X86_V4"], False),
        ("mixed_bfloat16", "cpu", ["SSE", "AVX2", "AVX512F"], False),
        ("mixed_bfloat16", "cpu", ["NEON", "ASIMD"], False),
    ],
)
def test_half_precision_is_emulated_on_x86_without_avx512(precision, device, instruction_set, emulated):
    assert backend.is_emulated(precision, device, instruction_set) == emulated
