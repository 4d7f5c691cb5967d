"""Do images that do not fit into memory train from their memory map, in memory that stays flat?

`python -m benchmarks.larger_than_memory --gigabytes 6`. Writes a memory map of random images to the temporary folder,
trains an epoch on it, and prints the process's own memory as it goes. A limit is set from outside, under which the
pages of the map count too: `systemd-run --scope -p MemoryMax=2G -p MemorySwapMax=0 python -m ...`, or a control group.
"""

import resnet  # before Keras, so that TensorFlow is told to use oneDNN

# isort: split
import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
import psutil
from numpy.lib.format import open_memmap

SIDE, CLASSES, BATCH = 224, 10, 64


class Memory(keras.callbacks.Callback):
    """What the process holds itself, without the pages of files, every so many steps."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every
        self.megabytes: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if batch % self.every == 0:
            memory = psutil.Process().memory_info()
            self.megabytes.append((memory.rss - memory.shared) / 1e6)
            own, all_pages = self.megabytes[-1], memory.rss / 1e6
            print(f"step {batch}: {own:,.0f} MB of its own, {all_pages:,.0f} MB with the map's pages", flush=True)


def main() -> None:
    """Write, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=6.0, metavar="GB")
    options = parser.parse_args()
    count = int(options.gigabytes * 1e9 / (3 * SIDE * SIDE))
    if count < 3 * BATCH:
        parser.error(
            f"--gigabytes {options.gigabytes:g} is {count} images; growth shows in three batches of {BATCH} or more"
        )
    with tempfile.TemporaryDirectory() as folder:
        images = written(Path(folder) / "images.npy", count)
        labels = np.arange(count) % CLASSES
        # Narrow: what is measured is the way to the network.
        model = resnet.create_for_training("resnet18", input_shape=(SIDE, SIDE, 3), classes=CLASSES, width=0.25)
        recipe = resnet.Recipe(epochs=1, batch_size=BATCH, learning_rate=0.01)
        memory = Memory(every=max(1, count // BATCH // 20))
        resnet.fit(model, images, labels, recipe, callbacks=[memory])
    # The first tenth warms up.
    warm = memory.megabytes[2:]
    print(f"{count:,} images, {options.gigabytes} GB: {warm[0]:,.0f} MB at first, {max(warm):,.0f} MB at most")


def written(file: Path, count: int) -> np.ndarray:
    """A memory map of random images, opened to be read."""
    images = open_memmap(file, "w+", np.uint8, (count, SIDE, SIDE, 3))
    draw = np.random.default_rng(0)
    for start in range(0, count, 256):
        part = images[start : start + 256]
        part[:] = draw.integers(0, 256, part.shape, np.uint8)
    images.flush()
    del images
    return open_memmap(file, "r")


if __name__ == "__main__":
    main()
