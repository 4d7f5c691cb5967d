"""One training step of ours and of what else a person would take: the same work, each in a process of its own.

`python -m benchmarks.contenders pytorch resnet20 float32` prints seconds of wall clock and of CPU a step, as JSON. The
work is forward, backward and SGD with momentum, on uint8 images that are already in memory.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

# Side and batch of each network.
CASES = {"resnet20": (32, 128), "resnet18": (64, 64), "resnet50": (224, 16)}
THREADS = 2
CLASSES = 10
Step = Callable[[], Any]


def batch(case: str) -> tuple[Any, Any]:
    """Random images and labels."""
    side, images = CASES[case]
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (images, side, side, 3)).astype(np.uint8), draw.integers(0, CLASSES, images)


def ours(case: str, precision: str) -> Step:
    """The form that trains."""
    import resnet
    from resnet.sgd import SGD

    side, _ = CASES[case]
    set_threads()
    model = resnet.create_for_training(case, precision=precision, input_shape=(side, side, 3), classes=CLASSES)
    return _keras_step(model, case, SGD(0.01, momentum=0.9, kernel_decay=0.0))


def stock(case: str, precision: str) -> Step:
    """The same network of stock layers, in TensorFlow's default settings but for the threads."""
    # Before ours, whose settings then come too late.
    import keras

    import resnet

    side, _ = CASES[case]
    set_threads()
    keras.config.set_dtype_policy(precision)
    return _keras_step(resnet.create(case, input_shape=(side, side, 3), classes=CLASSES), case, _stock_sgd())


def applications(case: str, precision: str) -> Step:
    """keras.applications' network, where it has one."""
    import keras

    side, _ = CASES[case]
    set_threads()
    keras.config.set_dtype_policy(precision)
    inputs = keras.Input((side, side, 3))
    body = keras.applications.ResNet50(weights=None, classes=CLASSES, input_shape=(side, side, 3))
    return _keras_step(keras.Model(inputs, body(keras.layers.Rescaling(1 / 127.5, -1)(inputs))), case, _stock_sgd())


def pytorch(case: str, precision: str) -> Step:
    """A plain PyTorch network, channels last."""
    return _pytorch_step(_pytorch_network(case), case, precision)


def compiled(case: str, precision: str) -> Step:
    """The same, by `torch.compile`, which needs a C++ compiler."""
    import torch

    return _pytorch_step(torch.compile(_pytorch_network(case)), case, precision)


def _pytorch_network(case: str) -> Any:
    import torch

    from benchmarks.pytorch_resnet import ResNet

    torch.set_num_threads(THREADS)
    return ResNet(case, CLASSES).to(memory_format=torch.channels_last)


def _pytorch_step(network: Any, case: str, precision: str) -> Step:
    import torch

    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    images, labels = batch(case)
    pixels, targets = torch.from_numpy(images), torch.from_numpy(labels)

    def step() -> Any:
        inputs = (pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "mixed_bfloat16"):
            loss = torch.nn.functional.cross_entropy(network(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def set_threads() -> None:
    """Let TensorFlow have as many threads as PyTorch has."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)


def _stock_sgd() -> Any:
    import keras

    return keras.optimizers.SGD(0.01, momentum=0.9)


def _keras_step(model: Any, case: str, optimizer: Any) -> Step:
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    images, labels = batch(case)
    return lambda: model.train_on_batch(images, labels)


CONTENDERS = {"ours": ours, "stock": stock, "applications": applications, "pytorch": pytorch, "compiled": compiled}


def main(name: str, case: str, precision: str, steps: int = 6) -> None:
    """Measure, after a first step that builds everything and a second that warms up."""
    step = CONTENDERS[name](case, precision)
    step()
    step()
    walls, start_cpu = [], time.process_time()
    for _ in range(steps):
        start = time.perf_counter()
        step()
        walls.append(time.perf_counter() - start)
    print(json.dumps({"wall": statistics.median(walls), "cpu": (time.process_time() - start_cpu) / steps}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
