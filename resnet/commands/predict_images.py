"""`python -m resnet predict`: the most probable classes of images."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from resnet.lean_import import lean_import
from resnet.picture_files import Failure, find_pictures


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("predict", help="class and probability of each image")
    parser.add_argument("--model", type=Path, required=True, help="a .keras file, such as models/model.keras")
    parser.add_argument(
        "--top", type=_positive, default=1, metavar="K", help="the K most probable classes (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files, folders, or 'patterns/**/*.png'")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the most probable classes of each image; 1 when some file was no image."""
    with lean_import():
        from resnet.classifier import load_classifier
        from resnet.predicting import predict_files

    classifier = load_classifier(options.model)
    status = 0
    for result in predict_files(classifier, find_pictures(options.images)):
        if isinstance(result, Failure):
            print(f"resnet: {result.path}: {result.reason}", file=sys.stderr)
            status = 1
            continue
        best = (-result.probabilities).argsort(kind="stable")[: options.top]
        answers = {classifier.classes[k]: float(result.probabilities[k]) for k in best}
        if options.json:
            print(json.dumps({"image": str(result.path), "classes": answers}), flush=True)
        else:
            print(f"{result.path}  " + "  ".join(f"{name} {share:.1%}" for name, share in answers.items()), flush=True)
    return status


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text!r}")
    return int(text)
