"""Training on a GPU: ours under JAX beside PyTorch and timm on the same card, a process each, in turn.

`python -m benchmarks.gpu` needs Keras, JAX and NumPy; PyTorch and timm take part where they are installed. First it
checks outputs and gradients against those of stock layers in float32 on the CPU. `--dry-run` does all of it in small,
on whatever device there is.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
# Several processes follow each other, and none needs all of the card.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

# isort: split
import argparse
import dataclasses
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.processes import measured
from benchmarks.records import keep

CLASSES = 10
# In float32 the last bit of a sum decides whether ReLU lets its whole gradient pass; what is wrong differs by far more.
TOLERANCE = 0.02
Step = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, the side of its images, and how many are in a batch."""

    network: str
    side: int
    images: int


CASES = [Case("resnet50", 224, 256), Case("resnet20", 32, 128), Case("resnet56", 32, 128), Case("resnet110", 32, 128)]
SMALL_CASES = [Case("resnet20", 32, 8)]


def batch(case: Case) -> tuple[Any, Any]:
    """Random images and labels, in the machine's memory."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (case.images, case.side, case.side, 3)).astype(np.uint8)
    return images, draw.integers(0, CLASSES, case.images)


def ours(case: Case) -> Step:
    """The form that trains, in bfloat16."""
    import keras

    import resnet

    model = resnet.create_for_training(
        case.network, precision="mixed_bfloat16", input_shape=(case.side, case.side, 3), classes=CLASSES
    )
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy", jit_compile=True)
    images, labels = batch(case)
    return lambda: model.train_on_batch(images, labels)


def pytorch(case: Case) -> Step:
    """A plain PyTorch network, compiled."""
    from benchmarks.pytorch_resnet import ResNet

    return _torch_step(ResNet(case.network, CLASSES), case)


def timm(case: Case) -> Step:
    """The network of timm, compiled."""
    import timm as library

    return _torch_step(library.create_model(case.network, num_classes=CLASSES), case)


def _torch_step(network: Any, case: Case) -> Step:
    """Channels last, bfloat16."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    network = network.to(device, memory_format=torch.channels_last)
    compiled = torch.compile(network) if device == "cuda" else network
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    pixels, labels = map(torch.from_numpy, batch(case))

    def step() -> Any:
        inputs = pixels.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16):
            answers = compiled(inputs.contiguous(memory_format=torch.channels_last))
            loss = torch.nn.functional.cross_entropy(answers, labels.to(device))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


CONTENDERS = {"ours": ours, "pytorch": pytorch, "timm": timm}


def taking_part(case: Case) -> list[str]:
    """Ours, and the peers that are installed and have the network."""
    names = ["ours", *(["pytorch"] if importlib.util.find_spec("torch") else [])]
    return names + (["timm"] if importlib.util.find_spec("timm") and case.network == "resnet50" else [])


def seconds_a_step(step: Step, steps: int) -> float:
    """The median, after two that build and warm up; each step ends with its loss in hand."""
    step()
    step()
    taken = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def ceiling(side: int) -> float:
    """Multiply-adds a second of one large matrix product in bfloat16."""
    import jax

    matrix = jax.numpy.ones((side, side), jax.numpy.bfloat16)
    product = jax.jit(lambda a, b: a @ b)
    return side**3 / seconds_a_step(lambda: product(matrix, matrix).block_until_ready(), 20)


def errors(network: str) -> dict[str, float]:
    """How far the form that trains is from stock layers on the CPU, in float32, as shares of the largest value."""
    import jax
    import keras

    import resnet
    from resnet.training_form import set_portable_weights

    shape = {"input_shape": (32, 32, 3), "classes": CLASSES}
    images, labels = batch(Case(network, 32, 8))
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
    outputs = np.asarray(model(images))
    model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    model.train_on_batch(images, labels)
    moved = [old - new for old, new in zip(before, portable_weights(model), strict=True)]
    return {"outputs": [outputs], "gradients": moved}


def _largest_error(found: list[Any], expected: list[Any]) -> float:
    # NumPy's maximum, unlike Python's, is NaN where a value is.
    apart = np.max([np.abs(a - b).max() for a, b in zip(found, expected, strict=True)])
    return float(apart / np.max([np.abs(each).max() for each in expected]))


def compare(case: Case, rounds: int, steps: int, most: float) -> dict[str, list[float]]:
    """Measure all in turn and print a row for each; return seconds a step, round by round."""
    import resnet

    names = taking_part(case)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            taken[name].append(measured("gpu", "--only", name, *dataclasses.astuple(case), steps))
    work = 3 * resnet.describe(case.network, case.side, CLASSES).multiply_adds * case.images
    print(f"\n{case.network}, {case.side} x {case.side}, batch {case.images}, bfloat16")
    for name, seconds in taken.items():
        step = statistics.median(seconds)
        ratios = [theirs / own for theirs, own in zip(seconds, taken["ours"], strict=True)]
        print(
            f"{name:10} {case.images / step:10.0f} images/s, {work / step / most:6.1%} of the matrix ceiling; "
            f"ours is {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) times as fast"
        )
    return taken


def main() -> None:
    """Check, measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry-run", action="store_true", help="small images, one round; nothing is kept")
    parser.add_argument("--only", nargs=5, metavar="X", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        name, network, *numbers = options.only
        side, images, steps = map(int, numbers)
        print(seconds_a_step(CONTENDERS[name](Case(network, side, images)), steps))
        return
    cases, rounds, steps, side = (SMALL_CASES, 1, 1, 256) if options.dry_run else (CASES, options.rounds, 20, 8192)

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
    taken = {case.network: compare(case, rounds, steps, most) for case in cases}
    if not options.dry_run:
        keep("gpu", {"device": device, "errors": apart, "ceiling_multiply_adds": most, "seconds_a_step": taken})


if __name__ == "__main__":
    main()
