"""What one network's training takes on this machine: to build, for its first step and for the others, and of memory.

`python -m benchmarks.training_step resnet1202 --batch 16`. Two settings, such as TF_ENABLE_ONEDNN_OPTS=0 and 1, are
compared by running the command with each in turn, several times.
"""

import resnet  # before Keras, so that TensorFlow is told to use oneDNN

# isort: split
import argparse
import json
import resource
import statistics
import time
from typing import Any

import keras
import numpy as np

from resnet.training import OPTIMIZERS


def _training(name: str, precision: str, **arguments: Any) -> keras.Model:
    return resnet.create_for_training(name, precision=precision, **arguments)


def _rematerialized(name: str, precision: str, **arguments: Any) -> keras.Model:
    return resnet.create_for_training(name, precision=precision, rematerialize=True, **arguments)


def _stock(name: str, precision: str, **arguments: Any) -> keras.Model:
    keras.config.set_dtype_policy(precision)
    return resnet.create(name, **arguments)


# What trains, the same with less memory, and stock layers.
FORMS = {"training": _training, "rematerialized": _rematerialized, "stock": _stock}


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "name", choices=resnet.names(), metavar="NAME", help="an architecture of `python -m resnet list`"
    )
    parser.add_argument("--side", type=int, default=32, metavar="PIXELS")
    parser.add_argument("--batch", type=int, default=128, metavar="IMAGES")
    parser.add_argument("--steps", type=int, default=10, metavar="N", help="after the first")
    parser.add_argument("--precision", default="float32", metavar="POLICY", help="mixed_bfloat16, for one")
    parser.add_argument("--form", choices=FORMS, default="training")
    parser.add_argument("--width", type=float, default=1.0, metavar="FACTOR", help="of the filters")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd")
    parser.add_argument("--json", action="store_true", help="print the numbers alone")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (options.batch, options.side, options.side, 3)).astype(np.uint8)
    targets = np.eye(10, dtype=np.float32)[draw.integers(0, 10, options.batch)]

    begun = time.perf_counter()
    shape = {"input_shape": images.shape[1:], "classes": 10, "width": options.width}
    model = FORMS[options.form](options.name, options.precision, **shape)
    optimizer = OPTIMIZERS[options.optimizer](0.01, momentum=0.9, nesterov=True)
    model.compile(optimizer, "categorical_crossentropy", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    built = time.perf_counter()
    model.train_on_batch(images, targets)
    first = time.perf_counter()
    steps = []
    for _ in range(options.steps):
        start = time.perf_counter()
        model.train_on_batch(images, targets)
        steps.append(time.perf_counter() - start)
    step = statistics.median(steps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if options.json:
        taken = {"build": built - begun, "first_step": first - built, "step": step, "steps": steps, "peak_mb": peak}
        print(json.dumps(taken))
        return
    print(
        f"{options.name} width {options.width} {options.side}x{options.side} batch {options.batch}",
        f"{options.precision} {options.optimizer}:",
        f"build {built - begun:.1f} s, first step {first - built:.1f} s,",
        f"step {step:.3f} s ({min(steps):.3f} to {max(steps):.3f}),",
        f"{options.batch / step:.1f} images/s, peak {peak:,} MB",
    )


if __name__ == "__main__":
    main()
