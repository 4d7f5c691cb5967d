"""A small project of the repository's own code, with real git, real DVC and a real training."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
SMALL = {
    "data": {"path": "photos", "image_size": 16},
    # The network of fewest layers, in narrow.
    "model": {"name": "resnet10", "width": 0.25},
    # A checkpoint a step, for those who kill it.
    "train": {"epochs": 2, "batch_size": 16, "crop_padding": 1, "ema_decay": 0.9, "checkpoint_seconds": 0},
    "evaluate": {"gradients": {"images": 16, "steps": 2, "learning_rate": 0.05}},
}


class Project:
    """A git repository with the pipeline in it."""

    def __init__(self, folder, variables=None):
        self.folder = folder
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder.parent),
            "DVC_SITE_CACHE_DIR": str(folder.parent / "site-cache"),
            "DVC_NO_ANALYTICS": "1",
            **{f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            **(variables or {}),
        }

    def run(self, *command, fails=False):
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *command):
        """Start a command in a session of its own; what it says is to be read line by line."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def commit(self, message):
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def set_params(self, **sections):
        yaml = YAML()
        params = yaml.load(self.folder / "params.yaml")
        for section, values in sections.items():
            params[section].update(values)
        yaml.dump(params, self.folder / "params.yaml")

    def lock(self):
        return (self.folder / "dvc.lock").read_bytes()


def take_photos(folder, per_class=40):
    """Write noisy pictures of three colours, each with a bright spot somewhere."""
    draw = np.random.default_rng(0)
    for name, colour in {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}.items():
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            pixels = np.clip(np.array(colour) + draw.normal(0, 40, (20, 24, 3)), 0, 255).astype(np.uint8)
            row, column = draw.integers(0, 15, 2)
            pixels[row : row + 5, column : column + 5] = draw.integers(0, 256, 3)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")


def make_project(base):
    """Run the pipeline for the first time, and commit; write down the seconds of each stage."""
    folder = base / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    made = Project(folder)
    (folder / "dvc.lock").unlink(missing_ok=True)
    take_photos(folder / "photos")
    made.set_params(**SMALL)
    made.run("git", "init", "--quiet")
    with made.start("dvc", "repro") as process:
        # Each stage with what DVC does after it.
        began = [(line.split("'")[1], time.monotonic()) for line in process.stdout if line.startswith("Running stage")]
    assert process.returncode == 0
    ends = [*(start for _, start in began[1:]), time.monotonic()]
    seconds = {stage: end - start for (stage, start), end in zip(began, ends, strict=True)}
    (base / "seconds.json").write_text(json.dumps(seconds))
    made.commit("first run")


@pytest.fixture(scope="session")
def project(made_once):
    """The project after its first `dvc repro`, committed. Tests leave it as they found it."""
    base = made_once("project", make_project)
    made = Project(base / "project")
    made.seconds = json.loads((base / "seconds.json").read_text())
    return made
