"""The same module under Keras' other backend, in a process of its own: a backend is chosen once."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEP = """
import dataclasses
import keras
import numpy as np
import resnet
from resnet.fused import FusedConvolutions
from resnet.looped import LoopedStack
from resnet.network import Architecture, Form
from resnet.training_form import portable_weights, set_portable_weights
assert keras.backend.backend() == "jax"
row = dataclasses.replace(resnet.variant("resnet20"), repeats=(5, 1, 1), filters=(4, 8, 12))
stock = Architecture(row, (8, 8, 3), 2, True, None, "softmax").build()
looped = stock.architecture.build(Form(FusedConvolutions, LoopedStack(3)))
set_portable_weights(looped, stock.get_weights())
images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
for model in (stock, looped):
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.train_on_batch(images, np.arange(8) % 2)
for one, other in zip(stock.get_weights(), portable_weights(looped), strict=True):
    np.testing.assert_allclose(one, other, atol=1e-4)
"""

LEARNING = """
import dataclasses
import keras
import numpy as np
import resnet
assert keras.backend.backend() == "jax"
images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
for optimizer in ("sgd", "muon"):
    model = resnet.create_for_training("resnet20", input_shape=(8, 8, 3), classes=2, width=0.25)
    before = model.get_weights()[0]
    recipe = resnet.Recipe(optimizer=optimizer, epochs=1, batch_size=8, crop_padding=0, horizontal_flip=False)
    resnet.fit(model, images, np.arange(8) % 2, recipe)
    step = np.linalg.svd(np.reshape(model.get_weights()[0] - before, (27, 4)), compute_uv=False)
    if optimizer == "muon":
        np.testing.assert_allclose(step, 0.1 * 0.05, rtol=0.4)
    losses = resnet.fit(model, images, np.arange(8) % 2, dataclasses.replace(recipe, epochs=10)).history["loss"]
    assert losses[-1] < losses[0] / 2, (optimizer, losses)
"""


def run_under_jax(code):
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_under_jax_a_loop_takes_the_step_that_its_blocks_take():
    run_under_jax(STEP)


def test_under_jax_each_optimizer_learns():
    run_under_jax(LEARNING)
