"""The model in use, with the files that a candidate is compared with."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from pipeline import dvc, git, registry
from pipeline.errors import Incomparable, PipelineError
from pipeline.processes import Say, supervised
from pipeline.project import PARAMS

MODEL = "models/model.keras"
PREDICTIONS = "data/predictions.parquet"
MANIFEST = "data/manifest.parquet"
CLASSES = "data/prepared/classes.json"


@dataclass(frozen=True)
class Champion:
    """A champion whose files have been put into a folder."""

    version: registry.Version
    files: Path

    @property
    def model(self) -> Path:
        """The saved model."""
        return self.files / MODEL

    def manifest(self) -> pd.DataFrame:
        """A row an image that it was made of."""
        return pd.read_parquet(self.files / MANIFEST)

    def classes(self) -> list[str]:
        """What it tells apart."""
        names: list[str] = json.loads((self.files / CLASSES).read_text(encoding="utf-8"))
        return names

    def predictions(self) -> pd.DataFrame:
        """What it said to the test images of its own time."""
        return pd.read_parquet(self.files / PREDICTIONS)

    def predictions_on_images_of(self, folder: Path, say: Say, held: int | None) -> pd.DataFrame:
        """What it says to the test images that a checkout has prepared.

        Raises:
            PipelineError: It cannot be evaluated on them.
        """
        out = self.files / "on-new-images"
        command = [sys.executable, "-m", "stages.evaluate", "--model", str(self.model), "--out", str(out)]
        status, lines = supervised(command, folder, say, held)
        if status:
            raise PipelineError(f"{self.version} could not be evaluated on the new images: " + "\n".join(lines[-5:]))
        return pd.read_parquet(out / PREDICTIONS)


def fetch(folder: Path, version: registry.Version, to: Path) -> Champion:
    """Get a champion's files from DVC's cache or a remote.

    Raises:
        Incomparable: They are in neither.
    """
    try:
        dvc.fetch_files(folder, version.commit, {path: to / path for path in (MODEL, MANIFEST, PREDICTIONS, CLASSES)})
    except PipelineError as error:
        raise Incomparable(f"the files of {version} cannot be had: {error}") from error
    return Champion(version, to)


def image_size(folder: Path, version: registry.Version) -> Any:
    """The side of the images that a version takes, in pixels, as its params.yaml says."""
    content = git.read(folder, version.commit, PARAMS) or "{}"
    return YAML(typ="safe", pure=True).load(content).get("data", {}).get("image_size")
