"""How much longer predicting image files takes than `model.predict` of the same images in memory.

`python -m benchmarks.predicting [ROUNDS]`, in turn, a ratio for each round.
"""

import resnet  # before Keras, so that TensorFlow is told to use oneDNN

# isort: split
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from resnet.classifier import load_classifier
from resnet.predicting import predict_files

IMAGES, SIDE, BATCH = 3000, 32, 32


def main(rounds: int) -> None:
    """Measure, and print each round's ratio, and the median of all."""
    keras.utils.set_random_seed(0)
    model = resnet.create("resnet20", input_shape=(SIDE, SIDE, 3), classes=10)
    with tempfile.TemporaryDirectory() as folder:
        model_file = Path(folder, "model.keras")
        resnet.save(model, model_file, classes=[str(number) for number in range(10)])
        files = list(write_images(Path(folder)))
        classifier = load_classifier(model_file)
        images = np.stack([resnet.read_picture(file, SIDE).pixels for file in files])

        def from_files() -> None:
            assert len(list(predict_files(classifier, files, BATCH))) == len(files)

        def from_memory() -> None:
            classifier.model.predict(images, batch_size=BATCH, verbose=0)

        from_files()
        from_memory()
        ratios = []
        for _ in range(rounds):
            ratios.append(seconds(from_files) / seconds(from_memory))
            print(f"{ratios[-1]:.3f}")
    print(
        f"files / memory, {IMAGES:,} JPEGs, batch {BATCH}: median {statistics.median(ratios):.3f}, "
        f"{min(ratios):.3f} to {max(ratios):.3f}"
    )


def write_images(folder: Path) -> list[Path]:
    """Write small JPEGs of coarse noise."""
    draw = np.random.default_rng(0)
    files = [folder / f"{number}.jpg" for number in range(IMAGES)]
    for file in files:
        coarse = Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, quality=90)
    return files


def seconds(work: Callable[[], None]) -> float:
    """Time some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
