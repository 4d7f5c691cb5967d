import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRAINING = """
import hashlib
from stages import backend
backend.start(threads=2, device="cpu", deterministic=True, seed=3)
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


def test_with_determinism_on_two_processes_train_the_same_bits():
    def train():
        done = subprocess.run(
            [sys.executable, "-c", TRAINING],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()[-1]

    first = train()
    assert first.startswith("result True ")
    assert train() == first
