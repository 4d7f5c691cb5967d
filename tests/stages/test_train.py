import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

import resnet
from stages import backend
from stages.checkpoints import store
from stages.errors import BadInput
from stages.params import load
from stages.prepared import MANIFEST, Labelled
from stages.provenance import sha256
from stages.same_bits import instruction_set
from stages.train import SMALLER, make_recipe, summary, warn_of_chance

ROOT = Path(__file__).parents[2]
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "loss": [4.0, 3.0, 2.0, 1.0],
        "val_accuracy": [0.5, 0.9, 0.9, 0.9],
        "val_loss": [0.1, 0.4, 0.2, 0.2],
        "learning_rate": [0.1, 0.1, 0.1, 0.1],
    }
)


@pytest.mark.parametrize(("keep", "epoch"), [("last", 4), ("best", 3)])
def test_the_metrics_are_those_of_the_epoch_that_was_kept(keep, epoch):
    settings = load(ROOT / "params.yaml").train.model_copy(update={"keep": keep})
    found = summary(HISTORY, settings, parameters=7)
    assert (found["epochs"], found["kept_epoch"], found["parameters"]) == (4, epoch, 7)
    assert found["loss"] == HISTORY["loss"][epoch - 1]
    assert "learning_rate" not in found


# The network of fewest layers, in narrow, and a checkpoint a step.
SMALL = {
    **{"data.image_size": 16, "model.name": "resnet10", "model.width": 0.25},
    **{"train.epochs": 3, "train.batch_size": 8, "train.checkpoint_seconds": 0, "train.crop_padding": 1},
}


@pytest.fixture
def ready(prepared, photos, settings, here):
    """Images to train on that have passed, and the smallest training."""
    photos(count=30)
    prepared(**SMALL)
    (here / "reports").mkdir()
    passed = {"success": True, "manifest": sha256(MANIFEST)}
    (here / "reports/validation.json").write_text(json.dumps(passed))
    settings(**SMALL, **{"train.keep": "best"})


RESULTS = ("models", "metrics", "plots")


def start_training(here):
    environment = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    return subprocess.Popen(
        [sys.executable, "-m", "stages.train"],
        cwd=here,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_checkpoint(process, epoch):
    """Wait until that epoch is being trained, whatever that takes."""
    folder = store()
    while not list(folder.glob(f"*/{epoch:06}-*.npz")):
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.01)


@pytest.mark.parametrize("devices", [1, 2])
def test_a_training_that_is_killed_goes_on_and_ends_with_the_same_files(ready, here, outputs, run_stage, devices):
    file = here / "params.yaml"
    file.write_text(file.read_text().replace("devices: 1", f"devices: {devices}"))
    with start_training(here) as process:
        wait_for_checkpoint(process, epoch=1)
        process.kill()
    assert outputs(*RESULTS) == {}
    again = run_stage("train")
    assert re.search(r"^resuming after epoch [12] of 3(, step \d)?$", again.stdout, re.MULTILINE), again.stdout
    killed = outputs(*RESULTS)
    shutil.rmtree(store())
    assert run_stage("train").returncode == 0
    assert outputs(*RESULTS) == killed


@pytest.mark.parametrize(
    ("devices", "batch_size", "told"),
    [
        (100, 100, "validation images cannot be shared among train.devices, 100"),
        (
            7,
            7000,
            "are fewer than train.batch_size, 7000, and as one batch cannot be shared equally among train.devices",
        ),
    ],
)
def test_images_that_the_devices_cannot_share_are_refused(ready, settings, run_stage, devices, batch_size, told):
    settings(**{"train.devices": devices, "train.batch_size": batch_size})
    done = run_stage("train")
    assert (done.returncode, told in done.stderr) == (1, True), done.stderr


def test_a_network_that_is_not_for_the_prepared_images_is_refused(ready, settings, run_stage):
    settings(**{"model.name": "resnet50", "model.stem": "large", "data.image_size": 64})
    done = run_stage("train")
    assert done.returncode == 1
    assert re.match(
        r"error: resnet50 does not go with the images in data/prepared \(.* pixels.*\); run `dvc repro`", done.stderr
    )


def test_ctrl_c_says_where_the_next_run_goes_on(ready, here):
    with start_training(here) as process:
        wait_for_checkpoint(process, epoch=1)
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert process.returncode == 130
    assert re.search(r"^the next run resumes after epoch [12](, step \d)?$", said, re.MULTILINE), said


def test_half_precision_is_warned_of_where_this_cpu_emulates_it(ready, here):
    file = here / "params.yaml"
    file.write_text(file.read_text().replace("precision: float32", "precision: mixed_bfloat16"))
    said = []
    with start_training(here) as process:
        for line in process.stdout:
            said.append(line)
            if line.startswith("training resnet10"):
                break
        process.kill()
    assert said[-1].startswith("training resnet10"), said
    emulated = backend.is_emulated("mixed_bfloat16", "cpu", instruction_set())
    assert any("half precision is many times slower" in line for line in said) == emulated


def test_a_training_is_of_the_width_asked_for_and_known_by_all_the_code_that_dvc_knows_it_depends_on(ready, run_stage):
    assert run_stage("train").returncode == 0
    parameters = json.loads(Path("metrics/train.json").read_text())["parameters"]
    assert parameters == resnet.describe("resnet10", 16, 2, width=0.25).parameters
    whole_batches = len(np.load("data/prepared/train_images.npy")) // 8
    assert json.loads(Path("logs/train.json").read_text())["images"] == 3 * whole_batches * 8
    (file,) = store().glob("*/ingredients.json")
    deps = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["train"]["deps"]
    assert set(json.loads(file.read_text())["code"]) == {path for path in deps if path.endswith(".py")}


def test_a_model_of_two_views_answers_an_image_and_its_mirror_image_alike(ready, here, run_stage):
    file = here / "params.yaml"
    asked = file.read_text().replace("two_views: false", "two_views: true")
    file.write_text(asked.replace("horizontal_flip: false", "horizontal_flip: true"))
    assert run_stage("train").returncode == 0
    model, images = resnet.load("models/model.keras"), np.load("data/prepared/test_images.npy")
    one, other = (model.predict(view, verbose=0) for view in (images, images[:, :, ::-1]))
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert run_stage("evaluate").returncode == 0
    assert pd.read_csv("plots/gradients.csv")["layer"][0] == "conv1_conv"


@pytest.mark.parametrize("learning_rate", [1e30, 1e18])
def test_a_training_that_diverges_writes_no_model_and_says_why_it_will_not_be_tried_again(
    ready, settings, here, outputs, run_stage, learning_rate
):
    settings(**SMALL, **{"train.learning_rate": learning_rate, "train.warmup_epochs": 0, "train.schedule": "step"})
    first = run_stage("train")
    assert first.returncode == 1
    sentence = rf"the (loss|weights) became .* in epoch [12].*, at learning rate {re.escape(f'{learning_rate:.4g}')}; "
    assert re.match(f"error: {sentence}.*. No model is written\n$", first.stderr), first.stderr
    again = run_stage("train")
    assert again.returncode == 1
    assert re.match(f"error: this training diverged before, .*: {sentence}", again.stderr), again.stderr
    assert outputs(*RESULTS) == {}
    (note,) = store().glob("*/diverged.txt")
    assert again.stderr.endswith(f"remove {note}\n")
    for file in store().glob("*/*.npz"):
        arrays = np.load(file, allow_pickle=False)
        assert all(np.isfinite(arrays[name]).all() for name in arrays if name.startswith("model/")), file


def test_memory_that_runs_out_in_the_data_or_in_the_network_names_the_batch_size():
    import tensorflow as tf

    settings = load(ROOT / "params.yaml").train.model_copy(update={"jit": False})
    # More than any machine's addresses reach.
    images = np.broadcast_to(np.uint8(0), (2**16, 2**15, 2**15, 3))

    def batches():
        keras.utils.set_random_seed(0)
        layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, "softmax")]
        model = keras.Sequential([keras.Input((None, None, 3)), *layers])
        recipe = dataclasses.replace(make_recipe(settings, 0), batch_size=len(images), crop_padding=0)
        resnet.fit(model, images, np.zeros(len(images), int), recipe)

    for work in (batches, lambda: tf.zeros(2**50)):
        with (
            pytest.raises(BadInput, match=r"batches of 32 images; lower train\.batch_size .* a smaller model\.name"),
            backend.enough_memory(settings.batch_size, SMALLER),
        ):
            work()


@pytest.mark.parametrize(("accuracy", "warned"), [(0.6, True), (0.9, False)])
def test_a_network_that_learned_nothing_is_warned_of(caplog, accuracy, warned):
    warn_of_chance({"accuracy": 1.0, "val_accuracy": accuracy}, Labelled(np.zeros(0), np.array([0, 0, 0, 1, 1])))
    assert ("learned next to nothing: its accuracy is 0.600" in caplog.text) == warned


def test_the_epoch_that_is_told_is_the_first_of_those_whose_losses_are_no_numbers():
    settings = load(ROOT / "params.yaml").train.model_copy(update={"keep": "best"})
    losses = HISTORY.assign(val_loss=[0.1, np.nan, np.inf, np.inf])
    assert summary(losses, settings, parameters=7)["kept_epoch"] == 2


def test_a_validation_loss_that_is_no_number_is_none_in_the_metrics():
    settings = load(ROOT / "params.yaml").train
    assert summary(HISTORY.assign(val_loss=np.inf), settings, parameters=7)["val_loss"] is None
