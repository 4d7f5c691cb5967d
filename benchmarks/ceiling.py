"""The most that this machine's convolutions do: the fastest of a few large ones of 3 x 3, by oneDNN in TensorFlow.

`python -m benchmarks.ceiling float32` prints multiply-adds a second, as JSON.
"""

import resnet  # noqa: F401 - before TensorFlow, so that it is told to use oneDNN

# isort: split
import json
import statistics
import sys
import time

import tensorflow as tf

from benchmarks.contenders import set_threads

# Images, side, channels.
SHAPES = [(128, 32, 64), (64, 16, 256), (16, 56, 128)]


def rate(images: int, side: int, channels: int, dtype: str, repeats: int = 20) -> float:
    """Multiply-adds a second of one convolution."""
    features = tf.cast(tf.random.normal((images, side, side, channels)), dtype)
    kernel = tf.cast(tf.random.normal((3, 3, channels, channels)), dtype)
    # What does not depend on its input would be computed once and for all.
    convolve = tf.function(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"))
    taken = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        # A value must be fetched to know that it is there.
        convolve(features, kernel)[0, 0, 0, 0].numpy()
        taken.append(time.perf_counter() - start)
    return images * side**2 * 9 * channels**2 / statistics.median(taken[3:])


def main(precision: str) -> None:
    """Measure, and print one line."""
    set_threads()
    dtype = precision.removeprefix("mixed_")
    print(json.dumps({"multiply_adds": max(rate(*shape, dtype) for shape in SHAPES)}))


if __name__ == "__main__":
    main(sys.argv[1])
