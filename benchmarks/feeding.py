"""Does a training wait for its images? And what do they cost, augmented one by one?

`python -m benchmarks.feeding`, two minutes. For each batch size: processor time an image, and the share of a training's
time in which it had taken its last step and the next batch was not there yet. Prints a table; writes it to
benchmarks/results/.
"""

import resnet  # before Keras, so that TensorFlow is told to use oneDNN

# isort: split
import argparse
import functools
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from benchmarks.records import keep
from resnet import feeding
from resnet.batches import Batch, training_batches
from resnet.sgd import SGD

IMAGES, SIDE, CLASSES = 20_000, 32, 10
FIRST_STEPS = 5


class StepTimes(keras.callbacks.Callback):
    """When each step was over."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.ends.append(time.perf_counter())


def main() -> None:
    """Measure each batch size, print a row each, keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet20", metavar="NAME", help="(default: resnet20)")
    parser.add_argument("--batch", type=int, nargs="+", default=[8, 32, 128, 512], metavar="IMAGES")
    parser.add_argument("--steps", type=int, default=40, metavar="N")
    parser.add_argument("--precision", default="mixed_bfloat16", metavar="POLICY", help="(default: mixed_bfloat16)")
    options = parser.parse_args()
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (IMAGES, SIDE, SIDE, 3), np.uint8)
    labels = draw.integers(0, CLASSES, IMAGES)
    rows = []
    for batch in options.batch:
        recipe = resnet.Recipe(batch_size=batch)
        batches = functools.partial(training_batches, images, labels, CLASSES, recipe)
        own = cost(batches(), batch)
        step, stall = waited(options, batches)
        rows.append({"batch": batch, "microseconds_an_image": own, "step": step, "stall": stall})
        print(f"batch {batch:3}: {own:5.1f} µs of a core an image, step {step:.3f} s, waits {stall:.2%} of the time")
    keep("feeding", {"network": options.network, "precision": options.precision, "rows": rows})


def cost(batches: Iterator[Batch], batch: int) -> float:
    """Microseconds of processor time that an image takes to be drawn, cropped, mirrored and put into a batch."""
    next(batches)
    count = max(1, IMAGES // 2 // batch)
    start = time.process_time()
    for _ in itertools.islice(batches, count):
        pass
    return (time.process_time() - start) / (count * batch) * 1e6


def waited(options: argparse.Namespace, batches: Callable[[], Iterator[Batch]]) -> tuple[float, float]:
    """Train for some steps; give the mean of a step, and the share of the time in which a batch was awaited."""
    model = resnet.create_for_training(
        options.network, precision=options.precision, input_shape=(SIDE, SIDE, 3), classes=CLASSES
    )
    model.compile(SGD(0.01), "categorical_crossentropy", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    ready: list[float] = []

    def noted() -> Iterator[Any]:
        for batch in batches():
            ready.append(time.perf_counter())
            yield batch

    times, fed = StepTimes(), feeding.endless(noted)
    ready.clear()
    model.fit(fed, steps_per_epoch=FIRST_STEPS + options.steps, verbose=0, callbacks=[times])
    # A step begins when the one before it is over and its batch is there.
    ends = times.ends[FIRST_STEPS:]
    waits = [max(0.0, there - end) for end, there in zip(ends, ready[FIRST_STEPS + 1 :], strict=False)]
    whole = ends[-1] - ends[0]
    return whole / (len(ends) - 1), sum(waits[: len(ends) - 1]) / whole


if __name__ == "__main__":
    main()
