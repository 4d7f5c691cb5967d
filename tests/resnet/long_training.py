"""Train a tiny network for many epochs in a process of its own; print what the process holds after each, as JSON."""

import dataclasses
import json
import sys
from pathlib import Path

import keras
import numpy as np
import psutil

import resnet
from resnet.checkpoints import Checkpoints
from resnet.network import Architecture
from resnet.variants import variant


class Held(keras.callbacks.Callback):
    """Prints memory and open files."""

    def on_epoch_end(self, epoch, logs=None):
        process = psutil.Process()
        held = {"bytes": process.memory_info().rss, "files": process.num_fds(), "threads": process.num_threads()}
        print(json.dumps(held), flush=True)


def main(epochs, folder):
    """Use all that may hold on to something: validation, averages, mixup, checkpoints within epochs and after."""
    row = dataclasses.replace(variant("resnet20"), repeats=(1, 1, 1), filters=(4, 8, 12))
    model = Architecture(row, (8, 8, 3), 2, True, None, "softmax").build()
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(24) % 2
    recipe = resnet.Recipe(
        epochs=epochs, batch_size=8, learning_rate=0.01, crop_padding=1, mixup=0.2, ema_decay=0.9, keep="best"
    )
    checkpoints = Checkpoints(folder, seconds=0)
    validation = (images[:8], labels[:8])
    resnet.fit(model, images, labels, recipe, validation=validation, checkpoints=checkpoints, callbacks=[Held()])


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
