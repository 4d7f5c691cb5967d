"""Small real photos, params and manifests; every test that writes works in an empty folder of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from stages import evaluate, params, prepare
from stages.corruptions import CORRUPTIONS
from stages.errors import BadInput
from stages.outputs import write_json, write_text
from stages.prepared import MANIFEST, PREPARED, note_manifest

ROOT = Path(__file__).parents[2]
# What these tests must know of params.yaml, which belongs to whoever uses the project.
KNOWN = {
    "data.path": "photos",
    "data.root": "images",
    "data.image_size": 8,
    "data.validation_fraction": 0.1,
    "data.test_fraction": 0.2,
    "model.name": "resnet20",
    "model.shortcut": None,
    "model.stem": None,
    "model.width": 1.0,
    "model.weights": None,
    "model.weights_sha256": None,
    "train.epochs": 12,
    "train.warmup_epochs": 1.0,
    "train.body_learning_rate": 1.0,
    "train.class_weights": "none",
    "train.sampling": "shuffled",
    "train.crop_padding": 2,
    "train.keep": "last",
    "train.precision": "float32",
    "train.instruction_set": "avx2",
    "train.patience": None,
    "evaluate.calibration_bins": 10,
    "evaluate.bootstrap.resamples": 100,
    "evaluate.bootstrap.level": 0.95,
    "evaluate.corrupted_images": 1000,
    "evaluate.gradients.steps": 10,
    "report.title": "Cats & <dogs>",
    "report.worst_classes": 3,
    "report.pictures": 6,
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def params_file(here):
    """Write the real params.yaml with some keys changed, or removed where the value is `...`."""

    def write(**changes):
        yaml = YAML(typ="safe", pure=True)
        content = yaml.load((ROOT / "params.yaml").read_text())
        for key, value in {**KNOWN, **changes}.items():
            *sections, last = key.split(".")
            section = content
            for name in sections:
                section = section[name]
            section[last] = value
            if value is ...:
                del section[last]
        yaml.dump(content, here / "params.yaml")
        return here / "params.yaml"

    return write


@pytest.fixture
def settings(params_file):
    """The params with some keys changed."""
    return lambda **changes: params.load(params_file(**changes))


@pytest.fixture(scope="session")
def refusal():
    """Do what must be refused, and return the one line that says why."""

    def refuse(work, *arguments, **named):
        with pytest.raises(BadInput) as caught:
            work(*arguments, **named)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refuse


@pytest.fixture(scope="session")
def scene():
    """Draw a smooth random picture; pictures of different seeds do not look alike."""

    def draw(seed, size=(12, 10)):
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)

    return draw


@pytest.fixture
def photos(here, scene):
    """Write folders of photos; those of equal seeds are equal."""

    def take(folder="photos", classes=("cat", "dog"), count=15, seed=0):
        for name in classes:
            (here / folder / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                scene([seed, *name.encode(), number]).save(here / folder / name / f"{number:02}.png")
        return here / folder

    return take


@pytest.fixture
def prepared(settings):
    """Prepare and return the manifest."""

    def run(**changes):
        prepare.run(settings(**changes))
        return pd.read_parquet(MANIFEST)

    return run


@pytest.fixture
def outputs(here):
    """The content of everything below a folder, by path."""

    def read(*folders):
        files = [file for folder in folders or (PREPARED.parent,) for file in sorted((here / folder).rglob("*"))]
        return {str(file.relative_to(here)): file.read_bytes() for file in files if file.is_file()}

    return read


@pytest.fixture
def run_stage(here):
    """Run a stage as a person does, without network."""

    def run(name, *arguments, **environment):
        closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        inherited = {name: value for name, value in os.environ.items() if name not in ("DVC_STAGE", "KERAS_BACKEND")}
        return subprocess.run(
            [sys.executable, "-m", f"stages.{name}", *arguments],
            cwd=here,
            env=inherited | closed | {"PYTHONPATH": str(ROOT)} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def thresholds():
    """Strict rules with some keys changed, such as `brightness={"severity": "warn"}`."""
    strict = {"tolerated": 0.0, "severity": "fail"}
    rules = {
        "decodable": strict,
        "side": {"at_least": 8, "at_most": 100, **strict},
        "channels": {"allowed": [1, 3], **strict},
        "known_labels": strict,
        "smallest_class": {"at_least": 10, "severity": "fail"},
        "class_balance": {"at_least": 0.5, "severity": "fail"},
        "split_shares": {"train": 0.5, "validation": 0.1, "test": 0.1, "severity": "fail"},
        "brightness": {"at_least": 5, "at_most": 250, **strict},
        "contrast": {"at_least": 3, "at_most": 128, **strict},
        "near_duplicates": {"distance": 2},
        **{
            f"{what}_{where}": strict
            for what in ("duplicates", "near_duplicates", "label_conflicts")
            for where in ("within_split", "across_splits")
        },
    }
    return lambda **changes: params.ValidateParams.model_validate(
        {name: {**rule, **changes.get(name, {})} for name, rule in rules.items()}
    )


@pytest.fixture
def manifest():
    """A manifest that no rule objects to: rows 0 to 11 are cats to train on, 20 to 31 dogs."""
    hashes = np.random.default_rng(0).integers(0, 2**64, 40, dtype=np.uint64)
    rows = {
        "path": [f"{number:02}.png" for number in range(40)],
        "label": ["cat"] * 20 + ["dog"] * 20,
        "split": (["train"] * 12 + ["validation"] * 4 + ["test"] * 4) * 2,
        "group": None,
        "width": 30,
        "height": 20,
        "channels": 3,
        "format": "PNG",
        "bytes": 1000,
        "sha256": [f"{number:064x}" for number in range(40)],
        "perceptual_hash": [f"{code:016x}" for code in hashes],
        "mean_color": "787878",
        "mean": 120.0,
        "std": 50.0,
        "error": None,
    }
    return pd.DataFrame(rows).astype(prepare.COLUMNS)


@pytest.fixture(scope="session")
def validate():
    """The stage validate; Great Expectations imports what Python deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from stages import validate

    return validate


def test_rows(classes, images, draw):
    """A row of a manifest for each test image, in the order of the classes."""
    count = sum(images)
    rows = {
        "path": [f"{number:04}.png" for number in range(count)],
        "label": [name for name, its in zip(classes, images, strict=True) for _ in range(its)],
        "split": "test",
        "width": draw.choice([20, 30], count),
        "height": 20,
        "channels": 3,
        "bytes": draw.integers(500, 900, count),
        "sha256": [f"{number:064x}" for number in range(count)],
        "mean": draw.uniform(50, 200, count),
        "std": draw.uniform(20, 80, count),
        "repeated": False,
        "group": pd.array([None] * count, dtype="string"),
    }
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def known_results():
    """The folders of results that were asked for before, by what was asked for."""
    return {}


@pytest.fixture
def results(here, settings, known_results, tmp_path_factory):
    """Write what the other stages write, for a model that takes the first `wrong` test images for the next class."""

    def give(**asked):
        if (kind := repr(asked)) not in known_results:
            known_results[kind] = tmp_path_factory.mktemp("results")
            with contextlib.chdir(known_results[kind]):
                write(**asked)
        shutil.copytree(known_results[kind], here, dirs_exist_ok=True)

    def write(classes=("cat", "dog", "eel"), images=None, wrong=2, epochs=3, rules=(), validation=20, twin=True):
        draw, images = np.random.default_rng(0), images or [10] * len(classes)
        labels = np.repeat(np.arange(len(classes)), images)
        answers = np.where(np.arange(len(labels)) < wrong, (labels + 1) % len(classes), labels)
        sure = draw.uniform(0.6, 0.99, (len(labels), 1))
        probabilities = sure * np.eye(len(classes))[answers] + (1 - sure) / len(classes)
        norms = {name: np.geomspace(1, 4, 19) for name in ("initial", "trained", "plain_initial", "plain_trained")}
        gradients = pd.DataFrame({"depth": range(1, 20), "layer": [f"conv{depth}" for depth in range(1, 20)], **norms})
        if not twin:
            gradients[["plain_initial", "plain_trained"]] = np.nan
        corrupted = pd.DataFrame({"strength": range(6), **{name: np.linspace(0.9, 0.4, 6) for name in CORRUPTIONS}})
        measured = evaluate.Measured(probabilities, probabilities[:validation], corrupted, gradients)
        tested = test_rows(classes, images, draw)
        changed = settings()
        labelled = (tested, labels, labels[:validation], list(classes))
        evaluate.write_results(Path(), changed.evaluate, 0, measured, *labelled)
        write_json(PREPARED / "classes.json", list(classes))
        np.save(PREPARED / "test_images.npy", draw.integers(0, 256, (len(labels), 8, 8, 3), dtype=np.uint8))
        np.save(PREPARED / "test_labels.npy", labels)
        for name in ("data/manifest.parquet", "models/model.keras"):
            write_text(Path(name), name)
        note_manifest(MANIFEST, PREPARED)
        falling = {"loss": np.geomspace(2, 0.1, epochs), "accuracy": 0.6, "learning_rate": 0.1, "val_loss": 0.7}
        history = pd.DataFrame({"epoch": range(1, epochs + 1), **falling, "val_accuracy": 0.5})
        history.to_csv("plots/history.csv", index=False)
        resolved = {"device": "cpu", "devices": 1, "precision": "float32", "threads": 2, "instruction_set": ["AVX2"]}
        trained = {"epochs": epochs, "kept_epoch": epochs, "accuracy": 0.6, "val_accuracy": 0.5, "parameters": 270_000}
        write_json(Path("metrics/train.json"), trained | {"resolved": resolved})
        validated = {
            "success": True,
            "images": 40,
            "splits": {"train": 1234, "validation": validation, "test": len(labels)},
            "classes": [{"label": name, "training_images": 100 + len(name)} for name in classes],
            "rules": list(rules),
        }
        write_json(Path("reports/validation.json"), validated)

    return give
