"""Training on a GPU: ours under JAX beside PyTorch and timm on the same card, in turn.

`python -m benchmarks.gpu` needs Keras, JAX and NumPy; PyTorch and timm take part where they are installed. First it
checks outputs and gradients against those of stock layers in float32 on the CPU. `--dry-run` does all of it in small,
on whatever device there is.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
# PyTorch needs a part of the card too.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# A step's convolutions are launched with the rest, as CUDA graphs, as PyTorch's are here.
os.environ["XLA_FLAGS"] = "--xla_gpu_enable_command_buffer=+CONVOLUTION " + os.environ.get("XLA_FLAGS", "")

# isort: split
import argparse
import dataclasses
import importlib.util
import itertools
import logging
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.records import keep

CLASSES = 10
# In float32 the last bit of a sum decides whether ReLU lets its whole gradient pass; what is wrong differs by far more.
TOLERANCE = 0.02
# Trains so many steps, and returns when all of them are done.
Train = Callable[[int], Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, the side of its images, how many are in a batch, and how many steps one measurement takes."""

    network: str
    side: int
    images: int
    steps: int


CASES = [
    Case("resnet20", 32, 128, 500),
    Case("resnet50", 224, 256, 30),
    Case("resnet56", 32, 128, 300),
    Case("resnet110", 32, 128, 200),
]
SMALL_CASES = [Case("resnet20", 32, 8, 10)]
# After each execution Keras goes through all of the state in Python: beside a small network's step that is much.
STEPS_PER_EXECUTION = 10


def batch(case: Case) -> tuple[Any, Any]:
    """Random images and labels, in the machine's memory."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (case.images, case.side, case.side, 3)).astype(np.uint8)
    return images, draw.integers(0, CLASSES, case.images).astype(np.int32)


def ours(case: Case) -> Train:
    """The form that trains, in bfloat16, as Keras' `fit` runs it."""
    import keras

    import resnet

    model = resnet.create_for_training(
        case.network, precision="mixed_bfloat16", input_shape=(case.side, case.side, 3), classes=CLASSES
    )
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=True,
        steps_per_execution=STEPS_PER_EXECUTION,
    )
    # Keras takes a generator and no other iterator.
    same = (each for each in itertools.repeat(batch(case)))
    return lambda steps: model.fit(same, steps_per_epoch=steps, shuffle=False, verbose=0)


def pytorch(case: Case) -> Train:
    """A plain PyTorch network."""
    from benchmarks.pytorch_resnet import ResNet

    return _torch(ResNet(case.network, CLASSES), case)


def timm(case: Case) -> Train:
    """The network of timm, which strides in the 3x3 convolution: 6 % more arithmetic than ours."""
    import timm as library

    return _torch(library.create_model(case.network, num_classes=CLASSES), case)


def _torch(network: Any, case: Case) -> Train:
    """Channels last, bfloat16, compiled to CUDA graphs; the host does not wait for a batch to be copied."""
    import torch

    # Else its compiler says a hundred times what it could not know of a size.
    logging.getLogger("torch.utils._sympy.interp").setLevel(logging.ERROR)
    on_gpu = torch.cuda.is_available()
    device = "cuda" if on_gpu else "cpu"
    torch.backends.cudnn.benchmark = True
    network = network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, fused=on_gpu)
    pixels, labels = (torch.from_numpy(each).pin_memory() if on_gpu else torch.from_numpy(each) for each in batch(case))

    def loss_of(pixels: Any, labels: Any) -> Any:
        # As they lie, so they are channels last.
        inputs = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.autocast(device, torch.bfloat16):
            return torch.nn.functional.cross_entropy(network(inputs), labels)

    compiled = torch.compile(loss_of, mode="reduce-overhead") if on_gpu else loss_of

    def train(steps: int) -> None:
        for _ in range(steps):
            torch.compiler.cudagraph_mark_step_begin()
            loss = compiled(pixels.to(device, non_blocking=True), labels.to(device, torch.int64, non_blocking=True))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        loss.item()

    return train


PEERS = {"pytorch": pytorch, "timm": timm}


def taking_part(case: Case) -> dict[str, Train]:
    """Ours, and the peers that are installed and have the network."""
    chosen = {"ours": ours(case)}
    for name, peer in PEERS.items():
        library = "timm" if name == "timm" else "torch"
        if not importlib.util.find_spec(library) or (library == "timm" and case.network != "resnet50"):
            continue
        chosen[name] = peer(case)
    return chosen


def seconds(train: Train, steps: int) -> float:
    """Seconds a step."""
    start = time.perf_counter()
    train(steps)
    return (time.perf_counter() - start) / steps


def ceiling(side: int) -> float:
    """Multiply-adds a second of one large matrix product in bfloat16."""
    import jax

    # Of zeros or ones a card makes more than of data.
    matrix = jax.random.normal(jax.random.key(0), (side, side), jax.numpy.bfloat16)
    product = jax.jit(lambda a, b: a @ b)

    def multiply(steps: int) -> None:
        for _ in range(steps):
            result = product(matrix, matrix)
        result.block_until_ready()

    multiply(2)
    return side**3 / min(seconds(multiply, 20) for _ in range(3))


def errors(network: str) -> dict[str, float]:
    """How far the form that trains is from stock layers on the CPU, in float32, as shares of the largest value."""
    import jax
    import keras

    import resnet
    from resnet.training_form import set_portable_weights

    shape = {"input_shape": (32, 32, 3), "classes": CLASSES}
    images, labels = batch(Case(network, 32, 8, 1))
    with jax.default_device(jax.devices("cpu")[0]):
        keras.utils.set_random_seed(0)
        stock = resnet.create(network, **shape)
        # Untrained averages let the residuals grow until one class has it all; small ones do not.
        weights = [0.3 * weight if weight.ndim == 4 else weight for weight in stock.get_weights()]
        stock.set_weights(weights)
        expected = outputs_and_gradients(stock, images, labels)
    # So that there are loops in a small network too.
    fast = resnet.create_for_training(network, rematerialize=True, **shape)
    set_portable_weights(fast, weights)
    with jax.default_matmul_precision("highest"):
        found = outputs_and_gradients(fast, images, labels)
    return {name: _largest_error(found[name], expected[name]) for name in expected}


def outputs_and_gradients(model: Any, images: Any, labels: Any) -> dict[str, list[Any]]:
    """What a network answers, and by how much one plain step at a rate of 1 moves its weights and averages."""
    import keras

    from resnet.training_form import portable_weights

    before = portable_weights(model)
    outputs = model.predict_on_batch(images)
    model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    model.train_on_batch(images, labels)
    moved = [old - new for old, new in zip(before, portable_weights(model), strict=True)]
    return {"outputs": [outputs], "gradients": moved}


def _largest_error(found: list[Any], expected: list[Any]) -> float:
    # NumPy's maximum, unlike Python's, is NaN where a value is.
    apart = np.max([np.abs(a - b).max() for a, b in zip(found, expected, strict=True)])
    return float(apart / np.max([np.abs(each).max() for each in expected]))


def compare(case: Case, rounds: int, most: float) -> dict[str, list[float]]:
    """Measure all in turn and print a row for each; return seconds a step, round by round."""
    import resnet

    print(f"\n{case.network}, {case.side} x {case.side}, batch {case.images}, bfloat16", flush=True)
    trainings = taking_part(case)
    for name, train in trainings.items():
        first = seconds(train, STEPS_PER_EXECUTION) * STEPS_PER_EXECUTION
        print(f"{name:8} {first:6.1f} s to compile and take {STEPS_PER_EXECUTION} steps", flush=True)
    taken: dict[str, list[float]] = {name: [] for name in trainings}
    for _ in range(rounds):
        for name, train in trainings.items():
            taken[name].append(seconds(train, case.steps))
    work = 3 * resnet.describe(case.network, case.side, CLASSES).multiply_adds * case.images
    for name, each in taken.items():
        step = statistics.median(each)
        ratios = [theirs / own for theirs, own in zip(each, taken["ours"], strict=True)]
        print(
            f"{name:8} {case.images / step:10.0f} images/s, {work / step / most:6.1%} of the matrix ceiling; "
            f"ours is {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) times as fast",
            flush=True,
        )
    return taken


def main() -> None:
    """Check, measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    networks = [case.network for case in CASES]
    parser.add_argument("--case", choices=networks, action="append", help="may be repeated; all, if none is given")
    parser.add_argument("--dry-run", action="store_true", help="one small case, one round; nothing is kept")
    options = parser.parse_args()
    cases = [case for case in CASES if case.network in (options.case or networks)]
    rounds, side = options.rounds, 8192
    if options.dry_run:
        cases, rounds, side = SMALL_CASES, 1, 256

    import jax

    device = jax.devices()[0].device_kind
    print(f"on {device}")
    if jax.default_backend() == "cpu" and not options.dry_run:
        raise SystemExit("JAX finds no GPU here: install jax[cuda12], or take --dry-run")
    apart = errors("resnet20")
    print(f"resnet20: outputs differ by {apart['outputs']:.1e}, gradients by {apart['gradients']:.1e}")
    if not all(each < TOLERANCE for each in apart.values()):
        raise SystemExit(f"resnet20 is not what it is on the CPU: more than {TOLERANCE:g} apart")
    most = ceiling(side)
    print(f"the matrix ceiling is {2 * most / 1e12:.1f} TFLOP/s in bfloat16")
    for case in cases:
        taken = compare(case, rounds, most)
        if not options.dry_run:
            found = {"device": device, "errors": apart, "ceiling_multiply_adds": most, "seconds_a_step": taken}
            # Each at once: compiling takes minutes, and a lent card can be gone before the last.
            keep(f"gpu-{case.network}", {"case": dataclasses.asdict(case)} | found)


if __name__ == "__main__":
    main()
