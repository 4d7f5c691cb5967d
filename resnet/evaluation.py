"""Images as they are measured: in order, as they are, and read only as they are needed."""

import math

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.targets import smoothed_targets


class EvaluationBatches(keras.utils.PyDataset):
    """Batches of images with their targets, the last one smaller.

    Shapes:
        images: (N, H, W, 3), an array or a memory map. labels: (N,).
    """

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.integer], classes: int, batch_size: int) -> None:
        super().__init__()
        self.images, self.labels, self.classes, self.batch_size = images, labels, classes, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return np.asarray(self.images[part]), smoothed_targets(self.labels[part], self.classes)
