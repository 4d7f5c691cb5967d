"""The same module under Keras' other backend, in a process of its own: a backend is chosen once."""

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
from resnet.fused import FusedConvolutions
from resnet.looped import LoopedStack
from resnet.network import Architecture, Form
assert keras.backend.backend() == "jax"
images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
row = dataclasses.replace(resnet.variant("resnet20"), repeats=(1, 1, 1), filters=(4, 8, 16))
for optimizer in ("sgd", "muon"):
    model = Architecture(row, (8, 8, 3), 2, True, None, "softmax").build(Form(FusedConvolutions, LoopedStack()))
    before = model.get_weights()[0]
    recipe = resnet.Recipe(optimizer=optimizer, epochs=1, batch_size=8, crop_padding=0, horizontal_flip=False)
    resnet.fit(model, images, np.arange(8) % 2, recipe)
    step = np.linalg.svd(np.reshape(model.get_weights()[0] - before, (27, 4)), compute_uv=False)
    if optimizer == "muon":
        np.testing.assert_allclose(step, 0.1 * 0.05, rtol=0.4)
    # Else a loop would be compiled anew at every step.
    assert model.jit_compile
    losses = resnet.fit(model, images, np.arange(8) % 2, dataclasses.replace(recipe, epochs=10)).history["loss"]
    assert losses[-1] < losses[0] / 2, (optimizer, losses)
"""

LAYERS = """
import jax
import keras
import numpy as np
from resnet.fused import FusedBatchNormalization
from resnet.pooling import QuickMaxPooling2D
draw = np.random.default_rng(0)

def passes(layer, inputs, weights):
    layer.build(inputs.shape)
    layer.set_weights(weights)
    learned = [weight.value for weight in layer.trainable_variables]
    averages = [weight.value for weight in layer.non_trainable_variables]
    mode = {"training": True} if weights else {}
    call = lambda learned, inputs: layer.stateless_call(learned, averages, inputs, **mode)
    outputs, backward, averages = jax.vjp(call, learned, inputs, has_aux=True)
    outward = np.random.default_rng(1).normal(size=outputs.shape).astype(np.float32)
    return [outputs, *averages, *jax.tree.leaves(backward(outward))]

def equal(ours, theirs, inputs, weights=(), tolerance=1e-5):
    for mine, other in zip(passes(ours, inputs, weights), passes(theirs, inputs, weights), strict=True):
        assert np.abs(mine - other).max() <= tolerance * max(1, np.abs(other).max()), np.abs(mine - other).max()

features = draw.normal(2, 3, (8, 9, 12, 16)).astype(np.float32)
gamma, beta = draw.uniform(0.5, 2, (2, 16))
for mean in (2, 1000):
    weights = [gamma, beta, np.full(16, mean - 0.5), np.ones(16)]
    layers = (each(momentum=0.9) for each in (FusedBatchNormalization, keras.layers.BatchNormalization))
    # Of 1000 float32 holds 4 digits behind the point.
    equal(*layers, features + (mean - 2), weights, 1e-5 if mean == 2 else 1e-3)
for size, strides in ((3, 2), (3, None), ((2, 3), (1, 2))):
    equal(*(each(size, strides) for each in (QuickMaxPooling2D, keras.layers.MaxPooling2D)), features)
# Of equal values none may lose or gain.
_, backward = jax.vjp(QuickMaxPooling2D(3, 2).call, features * 0)
np.testing.assert_allclose(backward(np.ones((8, 4, 5, 16), np.float32))[0].sum(), 8 * 4 * 5 * 16, rtol=1e-5)
"""


def succeed(python, code):
    done = python("-c", code)
    assert done.returncode == 0, done.stderr[-3000:]


def test_under_jax_normalisation_and_pooling_are_kerass_own_with_their_gradients(python_under_jax):
    succeed(python_under_jax, LAYERS)


def test_under_jax_a_loop_takes_the_step_that_its_blocks_take(python_under_jax):
    succeed(python_under_jax, STEP)


def test_under_jax_each_optimizer_learns(python_under_jax):
    succeed(python_under_jax, LEARNING)
