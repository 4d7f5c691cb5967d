"""A training of the pipeline that begins with the weights of another one."""

import hashlib
import json
import os
import zipfile

import keras
import numpy as np
import pytest

from stages import pretrained
from stages.errors import BadInput
from stages.prepared import MANIFEST


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_frozen_body_is_that_of_the_file_and_all_parameters_are_counted(prepared, photos, settings, here, run_stage):
    photos(count=30)
    prepared()
    (here / "reports").mkdir()
    (here / "reports/validation.json").write_text(json.dumps({"success": True, "manifest": sha256(MANIFEST)}))
    changes = {"train.epochs": 1, "train.batch_size": 8, "train.crop_padding": 1}
    settings(**changes)
    assert run_stage("train").returncode == 0
    former = (here / "models/model.keras").rename(here / "former.keras")
    changes |= {"model.weights": "former.keras", "model.weights_sha256": sha256(former)}
    settings(**changes | {"train.body_learning_rate": 0.0})
    done = run_stage("train")
    assert done.returncode == 0, done.stderr
    assert "starting from former.keras, whole" in done.stdout
    before, after = (keras.saving.load_model(path) for path in (former, here / "models/model.keras"))
    for old, new in zip(before.get_weights()[:-2], after.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(old, new)
    assert not np.array_equal(before.get_weights()[-2], after.get_weights()[-2])
    counted = sum(int(np.prod(weight.shape)) for weight in after.trainable_weights)
    assert f'"parameters": {counted}' in (here / "metrics/train.json").read_text()


@pytest.fixture
def refused(settings):
    """The sentence with which a start from a file is refused."""

    def start(weights, pinned):
        chosen = settings(**{"model.weights": weights, "model.weights_sha256": pinned})
        with pytest.raises(BadInput) as error:
            pretrained.start(None, chosen.model, ["cat", "dog"])
        return str(error.value)

    return start


def test_weights_that_are_not_those_that_are_pinned_are_refused_with_what_is_there(here, refused):
    (here / "former.keras").write_text("other weights")
    found, pinned = sha256(here / "former.keras"), "0" * 64
    assert f"former.keras has sha256 {found}, but model.weights_sha256 is {pinned}" in refused("former.keras", pinned)


def test_weights_that_might_never_end_are_refused(here, refused):
    os.mkfifo(here / "pipe.keras")
    for endless in ("pipe.keras", "/dev/zero"):
        assert refused(endless, "0" * 64) == f"model.weights: {endless} is no file; name a .keras file"


def test_weights_that_are_missing_or_no_model_are_refused(here, refused):
    assert refused("lost.keras", "0" * 64).startswith("model.weights: lost.keras cannot be read: No such file")
    with zipfile.ZipFile(here / "empty.keras", "w"):
        pass
    sentence = refused("empty.keras", sha256(here / "empty.keras"))
    assert sentence.startswith("model.weights: empty.keras is no Keras model that can be loaded")
