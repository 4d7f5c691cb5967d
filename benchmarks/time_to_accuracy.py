"""What a recipe reaches in how many minutes, images and FLOPs: the mean of several seeds on the test images.

`python -m benchmarks.time_to_accuracy --data FOLDER fifteen_minutes paper`, a quarter of an hour a recipe and seed. A
recipe is a file of benchmarks/recipes/: what it sets in params.yaml, a YAML document a training, each of which begins
with the weights of the one before. Each training is the pipeline's, in a folder of its own; the test images are looked
at once, when all is over. The minutes are those of training alone, without preparing, imports and saving. Prints a
line a seed and writes it to benchmarks/results/ at once.
"""

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

import resnet
from benchmarks.records import ROOT, keep
from stages.provenance import sha256

RECIPES = ROOT / "benchmarks/recipes"


def main() -> None:
    """Train by each recipe and seed; print and keep a row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="+", choices=sorted(file.stem for file in RECIPES.glob("*.yaml")))
    parser.add_argument(
        "--data", required=True, type=Path, metavar="FOLDER", help="of train/ and test/, such as CIFAR-10"
    )
    parser.add_argument("--seed", type=int, action="append", help="may be repeated; 0, 1 and 2, if none is given")
    options = parser.parse_args()
    rows = []
    for recipe in options.recipe:
        for seed in options.seed or [0, 1, 2]:
            rows.append({"recipe": recipe, "seed": seed} | trained(recipe, seed, options.data.absolute()))
            print(
                "{recipe}, seed {seed}: accuracy {accuracy:.4f}, of one view {accuracy_of_one_view:.4f}, "
                "{minutes:.1f} minutes".format(**rows[-1]),
                flush=True,
            )
            keep(f"time-to-accuracy-{recipe}-{seed}", {"data": options.data.name, "training": rows[-1]})
    for recipe in options.recipe:
        print(summary(recipe, [row for row in rows if row["recipe"] == recipe]))


def trained(recipe: str, seed: int, data: Path) -> dict[str, Any]:
    """Prepare, validate and train in new folders; measure on the test images."""
    seconds, images, flops = 0.0, 0, 0.0
    weights = None
    with tempfile.TemporaryDirectory() as name:
        for number, params in enumerate(settings(recipe, seed, str(data))):
            folder = Path(name, str(number))
            folder.mkdir()
            if weights:
                params["model"] |= {"weights": str(weights), "weights_sha256": sha256(weights)}
            YAML().dump(params, folder / "params.yaml")
            run_stages(folder)
            log = json.loads((folder / "logs/train.json").read_text())
            weights = folder / "models/model.keras"
            seconds += log["seconds"]
            images += log["images"]
            flops += log["images"] * training_flops(params, folder)
        measured = accuracies(folder)
    return measured | {"minutes": seconds / 60, "images": images, "flops": flops}


def settings(recipe: str, seed: int, data: str) -> list[dict[str, Any]]:
    """All of params.yaml for each training of a recipe; what one sets holds for those after it."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["seed"] = seed
    params["data"]["path"] = data
    found = []
    for training in yaml.load_all(RECIPES / f"{recipe}.yaml"):
        for section, values in training.items():
            params[section] |= values
        found.append(copy.deepcopy(params))
    return found


def run_stages(folder: Path) -> None:
    """Run the first three stages there.

    Raises:
        SystemExit: One failed; the message is what it said.
    """
    for stage in ("prepare", "validate", "train"):
        said = folder / f"{stage}.txt"
        with said.open("w") as file:
            command = [sys.executable, "-m", f"stages.{stage}"]
            done = subprocess.run(
                command, cwd=folder, env=environment(), stdout=file, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode:
            raise SystemExit(f"{stage} failed:\n{said.read_text()[-2000:]}")


def training_flops(params: dict[str, Any], folder: Path) -> float:
    """The operations that training on one image takes."""
    model, size = params["model"], params["data"]["image_size"]
    classes = len(json.loads((folder / "data/prepared/classes.json").read_text()))
    # The backward pass is two of such a size as the forward one, and a multiply-add two operations.
    return 2 * 3 * resnet.describe(model["name"], size, classes, model["width"]).multiply_adds


def accuracies(folder: Path) -> dict[str, float]:
    """The accuracy on the test images of the model that was trained there, and of its one view, if it takes two."""
    images, labels = (np.load(folder / f"data/prepared/test_{what}.npy") for what in ("images", "labels"))
    model = resnet.load(folder / "models/model.keras")
    answering = {"accuracy": model, "accuracy_of_one_view": resnet.one_view(model)}
    return {
        name: float(np.mean(each.predict(images, batch_size=256, verbose=0).argmax(axis=1) == labels))
        for name, each in answering.items()
    }


def environment() -> dict[str, str]:
    """That of a stage which is run by hand, elsewhere."""
    return {name: value for name, value in os.environ.items() if name != "DVC_STAGE"} | {"PYTHONPATH": str(ROOT)}


def summary(recipe: str, rows: list[dict[str, Any]]) -> str:
    """A line on all trainings of a recipe."""
    said = []
    for name in ("accuracy", "accuracy_of_one_view"):
        found = [row[name] for row in rows]
        said.append(f"{name.replace('_', ' ')} {statistics.mean(found):.4f} ({min(found):.4f} to {max(found):.4f}), ")
    minutes = max(row["minutes"] for row in rows)
    return (
        f"{recipe}: {''.join(said)}{minutes:.1f} minutes at most, "
        f"{rows[0]['images']:,} images, {rows[0]['flops']:.2e} FLOPs"
    )


if __name__ == "__main__":
    main()
