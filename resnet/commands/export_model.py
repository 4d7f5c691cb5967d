"""`python -m resnet export`: a model as SavedModel, ONNX or TensorFlow Lite."""

import argparse
import itertools
from pathlib import Path
from typing import Any

from resnet.errors import BadInput
from resnet.export_libraries import LIBRARIES, check_libraries
from resnet.lean_import import lean_import
from resnet.picture_files import Failure, find_pictures

# What is compared and timed: enough for a stable time, and no folder of a million.
MOST_IMAGES = 32


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "export",
        help="a SavedModel, ONNX or TensorFlow Lite file that answers as the model does",
        description="Write a model in another form, preprocessing inside and class names in its metadata. It takes its "
        "place only if it answers as the Keras model does.",
    )
    parser.add_argument("--model", type=Path, required=True, help="a .keras file, such as models/model.keras")
    parser.add_argument("--format", choices=LIBRARIES, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the file, or for savedmodel the folder, to write")
    parser.add_argument(
        "--images",
        nargs="+",
        metavar="IMAGE",
        help="image files, folders or patterns to compare the answers on (default: random images)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export, and print what came of it."""
    check_libraries(options.format)
    with lean_import():
        import numpy as np

        from resnet import exporting, latency
        from resnet.classifier import load_classifier

    classifier = load_classifier(options.model)
    images = _pictures(options.images, classifier.side) if options.images else None
    compared = latency.random_images(MOST_IMAGES, classifier.side) if images is None else images
    done = exporting.export(classifier, options.format, options.out, compared)
    times = latency.time_rounds(
        [lambda: done.run(compared), lambda: classifier.model.predict_on_batch(compared)], seconds=3
    )
    ratio = latency.paired_ratio(times[:, 0], times[:, 1])
    kind = "random images (name real ones with --images)" if images is None else "images"
    print(f"{options.out}  {exporting.size_on_disk(options.out) / 1e6:.2f} MB")
    print(f"at most {done.difference:.1e} from the Keras model's probabilities on {len(compared)} {kind}")
    print(
        f"{np.median(times[:, 0]):.1f} ms for these {len(compared)}, {ratio.median:.2f} times as long as Keras "
        f"(95 % interval {ratio.low:.2f} to {ratio.high:.2f})"
    )
    return 0


def _pictures(names: list[str], side: int) -> Any:
    import numpy as np

    from resnet.images import UnreadableImage, read_picture

    pictures = []
    for found in itertools.islice(find_pictures(names), MOST_IMAGES):
        if isinstance(found, Failure):
            raise BadInput(f"{found.path}: {found.reason}")
        try:
            pictures.append(read_picture(found, side).pixels)
        except UnreadableImage as error:
            raise BadInput(f"{found}: {error}") from error
    return np.stack(pictures)
