"""What a recipe reaches in how many minutes, images and FLOPs: the mean of several seeds on the test images.

`python -m benchmarks.time_to_accuracy --data FOLDER fifteen_minutes paper`, a quarter of an hour a recipe and seed. A
recipe is a file of benchmarks/recipes/: what it sets in params.yaml. Each training is the pipeline's, in a folder of
its own; the test images are looked at once, when it is over. Prints a line each; writes them to benchmarks/results/.
"""

import argparse
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

RECIPES = ROOT / "benchmarks/recipes"


def main() -> None:
    """Train by each recipe and seed, print a row each, keep them."""
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
                "{recipe}, seed {seed}: accuracy {accuracy:.4f}, {minutes:.1f} minutes".format(**rows[-1]), flush=True
            )
    for recipe in options.recipe:
        print(summary(recipe, [row for row in rows if row["recipe"] == recipe]))
    keep("time-to-accuracy", {"data": options.data.name, "trainings": rows})


def trained(recipe: str, seed: int, data: Path) -> dict[str, Any]:
    """Prepare, validate and train in a new folder; measure on its test images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        params = write_params(recipe, seed, data, folder / "params.yaml")
        for stage in ("prepare", "validate", "train"):
            command = [sys.executable, "-m", f"stages.{stage}"]
            with (folder / f"{stage}.txt").open("w+") as said:
                done = subprocess.run(
                    command, cwd=folder, env=environment(), stdout=said, stderr=subprocess.STDOUT, check=False
                )
                if done.returncode:
                    raise SystemExit(f"{stage} failed:\n{(folder / f'{stage}.txt').read_text()[-2000:]}")
        log = json.loads((folder / "logs/train.json").read_text())
        images, labels = (np.load(folder / f"data/prepared/test_{what}.npy") for what in ("images", "labels"))
        probabilities = resnet.load(folder / "models/model.keras").predict(images, batch_size=256, verbose=0)
    model = params["model"]
    # The backward pass is two of such a size as the forward one, and a multiply-add two operations.
    work = resnet.describe(model["name"], images.shape[1], probabilities.shape[1], model["width"]).multiply_adds
    return {
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == labels)),
        "minutes": log["seconds"] / 60,
        "images": log["images"],
        "flops": 2 * 3 * work * log["images"],
    }


def write_params(recipe: str, seed: int, data: Path, file: Path) -> dict[str, Any]:
    """Write params.yaml with what the recipe sets in it; return it."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    for section, values in yaml.load(RECIPES / f"{recipe}.yaml").items():
        params[section] |= values
    params["seed"] = seed
    params["data"]["path"] = str(data)
    yaml.dump(params, file)
    return params


def environment() -> dict[str, str]:
    """That of a stage which is run by hand, elsewhere."""
    return {name: value for name, value in os.environ.items() if name != "DVC_STAGE"} | {"PYTHONPATH": str(ROOT)}


def summary(recipe: str, rows: list[dict[str, Any]]) -> str:
    """A line on all trainings of a recipe."""
    accuracies = [row["accuracy"] for row in rows]
    minutes = [row["minutes"] for row in rows]
    return (
        f"{recipe}: accuracy {statistics.mean(accuracies):.4f} ({min(accuracies):.4f} to {max(accuracies):.4f}), "
        f"{max(minutes):.1f} minutes at most, {rows[0]['images']:,} images, {rows[0]['flops']:.2e} FLOPs"
    )


if __name__ == "__main__":
    main()
