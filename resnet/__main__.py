"""The command line of the network: `python -m resnet list` and `python -m resnet predict`."""

import argparse
import json
import os
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m resnet", description="Residual networks in Keras.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="every architecture: layers, parameters, multiply-adds")
    listing.set_defaults(run=lambda _: print_architectures())
    predicting = commands.add_parser("predict", help="class and probability of each image")
    predicting.add_argument("--model", type=Path, required=True, help="a .keras file, such as models/model.keras")
    predicting.add_argument("--top", type=int, default=1, metavar="K", help="the K most probable classes (default: 1)")
    predicting.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    predicting.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files")
    predicting.set_defaults(run=predict)
    options = parser.parse_args(arguments)
    return int(options.run(options))


def print_architectures() -> int:
    """Print the table of architectures, each at the image size and the classes of its paper."""
    import resnet

    print(f"{'name':<13} {'layers':>6} {'parameters':>12} {'multiply-adds':>14}   paper")
    for name in resnet.names():
        cost = resnet.describe(name)
        row = resnet.variant(name)
        print(f"{name:<13} {cost.layers:>6,} {cost.parameters:>12,} {cost.multiply_adds:>14,}   He et al. {row.paper}")
    return 0


def predict(options: argparse.Namespace) -> int:
    """Print the most probable classes of each image; 1 when some file was no image."""
    import keras
    import numpy as np

    from resnet.images import UnreadableImage, read_picture
    from resnet.saving import class_names

    if not options.model.is_file():
        return _refuse(f"there is no model at {options.model}")
    try:
        model = keras.saving.load_model(options.model, compile=False)
        names = class_names(options.model)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        return _refuse(f"{options.model} is no Keras model that can be loaded: {error}")
    side = model.input_shape[1]
    if not side or model.input_shape[2] != side:
        return _refuse(f"{options.model} takes images of {model.input_shape[1:3]}; expected one fixed, square size")
    names = names or [str(number) for number in range(model.output_shape[-1])]
    pictures, failed = [], 0
    for path in options.images:
        try:
            pictures.append((path, read_picture(path, side).pixels))
        except UnreadableImage as error:
            failed = _refuse(f"{path}: {error}")
    if pictures:
        probabilities = model.predict(np.stack([pixels for _, pixels in pictures]), verbose=0)
        for (path, _), row in zip(pictures, probabilities, strict=True):
            best = [(names[k], float(row[k])) for k in np.argsort(-row)[: max(1, options.top)]]
            if options.json:
                print(json.dumps({"image": str(path), "classes": dict(best)}))
            else:
                print(f"{path}  " + "  ".join(f"{name} {probability:.1%}" for name, probability in best))
    return failed


def _refuse(sentence: str) -> int:
    print(f"resnet: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
