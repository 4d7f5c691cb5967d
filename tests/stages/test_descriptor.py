import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from sklearn.datasets import load_digits

from stages.sources.descriptor import read_descriptor

CLOTHES = ["shirt", "boot"]


@pytest.fixture
def descriptor(here, request):
    """Write the repository's digits.yaml with some keys changed, or removed where the value is None."""

    def write(**changes):
        yaml = YAML(typ="safe", pure=True)
        content = yaml.load((request.config.rootpath / "datasets/digits.yaml").read_text()) | changes
        (here / "set.yaml").unlink(missing_ok=True)
        yaml.dump({key: value for key, value in content.items() if value is not None}, here / "set.yaml")
        return (here / "set.yaml").relative_to(here)

    return write


@pytest.fixture
def clothes(here, descriptor):
    """A tiny data set in Fashion-MNIST's format where Keras keeps what it downloaded, and its descriptor."""
    cache = here / "keras/datasets/fashion-mnist"
    cache.mkdir(parents=True)
    files = {}
    for name, count in (("train", 24), ("t10k", 6)):
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        for kind, content in (
            ("images-idx3", bytes(16) + images.tobytes()),
            ("labels-idx1", bytes(8) + bytes([0, 1] * (count // 2))),
        ):
            file = cache / f"{name}-{kind}-ubyte.gz"
            file.write_bytes(gzip.compress(content, mtime=0))
            files[file.name] = {
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "url": f"https://example.org/{file.name}",
            }
    descriptor(source="keras.datasets.fashion_mnist", files=files, classes=CLOTHES)
    return cache


def test_the_digits_are_those_of_scikit_learn(descriptor):
    entries, digits = read_descriptor(descriptor()), load_digits()
    assert [entry.label for entry in entries] == [str(label) for label in digits.target]
    assert len({entry.path for entry in entries}) == len(entries) == 1797
    assert {(entry.split, entry.group) for entry in entries} == {(None, None)}
    assert all(entry.image.dtype == np.uint8 and entry.image.shape == (8, 8) for entry in entries)
    shades = np.stack([entry.image for entry in entries]) / 255 * 16
    np.testing.assert_allclose(shades, digits.images, atol=0.04)
    assert shades.max() == 16


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"source": "sklearn.datasets.load_iris"}, ["source", "load_digits"]),
        ({"classes": None}, ["classes is missing", "datasets/digits.yaml is an example"]),
        ({"clases": []}, ["unknown key clases (did you mean classes?)"]),
        (
            {"files": {"digits.csv.gz": {"sha256": "0" * 64, "ulr": ""}}},
            ["unknown key files.digits.csv.gz.ulr (did you mean url?)"],
        ),
        ({"classes": ["0", 1]}, ["classes.1", "valid string"]),
        ({"classes": [str(number) for number in range(9)]}, ["9 classes", "10 labels"]),
        ({"classes": ["0"] * 10}, ["classes", "'0'", "twice"]),
        ({"files": {}}, ["files", "at least 1"]),
        ({"files": {"digits.csv.gz": {"sha256": "0" * 63}}}, ["files.digits.csv.gz.sha256", "pattern"]),
        (
            {"files": {"digits.csv.gz": {"sha256": "0" * 64}}},
            ["digits.csv.gz has sha256 09f66e6d", "set.yaml pins 0000"],
        ),
        ({"files": {"letters.csv": {"sha256": "0" * 64}}}, ["letters.csv", "No such file"]),
    ],
)
def test_a_descriptor_that_cannot_be_followed_is_refused(descriptor, refusal, changes, parts):
    sentence = refusal(lambda: read_descriptor(descriptor(**changes)))
    assert all(part in sentence for part in ["set.yaml", *parts])


@pytest.mark.parametrize("content", ["", "- a\n", "source: [\n", "a: 1\na: 2\n", "\0"])
def test_what_is_no_descriptor_is_refused(here, refusal, content):
    (here / "set.yaml").write_text(content)
    sentence = refusal(read_descriptor, (here / "set.yaml").relative_to(here))
    said = ("set.yaml is not valid YAML: ", "set.yaml must be a mapping of keys, but ", "set.yaml: source is missing")
    assert any(part in sentence for part in said)
    assert ": :" not in sentence


def test_a_set_of_keras_is_read_from_its_cache_and_keeps_its_test_images(clothes, params_file, run_stage):
    params_file(**{"data.path": "set.yaml", "data.image_size": 28})
    done = run_stage("prepare", KERAS_HOME=str(clothes.parents[1]))
    assert done.returncode == 0, done.stderr
    manifest = pd.read_parquet("data/manifest.parquet")
    assert json.loads(Path("data/prepared/classes.json").read_text()) == sorted(CLOTHES)
    assert list(manifest["split"]).count("test") == 6
    assert set(manifest.loc[manifest["path"].str.startswith("train/"), "split"]) == {"train", "validation"}
    assert list(manifest["label"][:4]) == CLOTHES * 2
    first = np.random.default_rng(6).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    tested = np.load("data/prepared/test_images.npy")
    np.testing.assert_array_equal(tested, np.repeat(first[..., None], 3, axis=3))


def test_without_network_the_cache_folder_and_the_file_are_named(clothes, params_file, run_stage):
    missing = clothes / "t10k-images-idx3-ubyte.gz"
    missing.unlink()
    params_file(**{"data.path": "set.yaml", "data.image_size": 28})
    done = run_stage("prepare", KERAS_HOME=str(clothes.parents[1]))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: keras.datasets.fashion_mnist cannot be loaded")
    assert f"save https://example.org/{missing.name} as {missing}" in line
    assert not (clothes.parents[2] / "data").exists()
