import dataclasses
import json
import os
import runpy
import signal
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

import resnet
from resnet import exporting
from resnet.__main__ import main
from resnet.classifier import Classifier, load_classifier
from resnet.errors import BadInput
from resnet.export_libraries import LIBRARIES

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
CLASSES = ["cat", "Hündin"]
ONLY_TENSORFLOW = """
import gc, sys
gc.disable()
# TensorFlow looks for Keras by itself, and here finds none.
sys.modules["keras"] = None
import numpy, tensorflow
loaded = tensorflow.saved_model.load("model")
numpy.save("answers.npy", loaded.signatures["serving_default"](image=numpy.load("images.npy"))["output_0"])
assert not [name for name in sys.modules if name.startswith(("keras.", "resnet"))]
"""


@pytest.fixture(scope="module")
def photos():
    """Pieces of a photograph."""
    photo = load_sample_image("china.jpg")
    return np.stack([photo[40 * n : 40 * n + 8, 60 * n : 60 * n + 8] for n in range(10)])


@pytest.fixture(scope="module")
def models(tmp_path_factory, tiny, randomised, photos):
    """Files of small models of every kind of block, and the answers of Keras."""
    folder = tmp_path_factory.mktemp("models")
    answers = {}
    for name in ("plain20", "resnet20", "resnet50", "resnet50v2"):
        model = randomised(tiny(name))
        sharpen(model, photos)
        resnet.save(model, folder / f"{name}.keras", CLASSES)
        answers[name] = model.predict(photos, verbose=0)
        assert np.ptp(answers[name][:, 0]) > 0.3
    both = resnet.two_views(model)
    resnet.save(both, folder / "two views.keras", CLASSES)
    answers["two views"] = both.predict(photos, verbose=0)
    return folder, answers


def sharpen(model, images):
    """Spread the answers to some images: if they were all alike, they would prove nothing."""
    *_, kernel, bias = model.weights
    logits = np.log(model.predict(images, verbose=0))
    difference = logits[:, 0] - logits[:, 1]
    kernel.assign(kernel / difference.std())
    bias.assign([-(difference.mean() - bias[0] + bias[1]) / difference.std(), 0])


@pytest.fixture(scope="module")
def classifiers(models):
    folder, answers = models
    return {name: load_classifier(folder / f"{name}.keras") for name in answers}


@pytest.mark.parametrize("name", ["plain20", "resnet20", "resnet50", "resnet50v2", "two views"])
def test_onnx_answers_as_keras_does_for_any_number_of_raw_images(classifiers, models, photos, tmp_path, name):
    exporting.export(classifiers[name], "onnx", tmp_path / "model.onnx", photos)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (entry,), (end,) = session.get_inputs(), session.get_outputs()
    assert (entry.name, entry.type, entry.shape) == ("image", "tensor(uint8)", ["batch", 8, 8, 3])
    assert (end.name, end.shape) == ("probabilities", ["batch", 2])
    for count in (1, 10):
        answer = session.run(None, {"image": photos[:count]})[0]
        np.testing.assert_allclose(answer, models[1][name][:count], atol=1e-4)


@pytest.mark.parametrize("name", ["resnet20", "resnet50", "two views"])
def test_tflite_answers_as_keras_does_for_any_number_of_raw_images(classifiers, models, photos, tmp_path, name):
    done = exporting.export(classifiers[name], "tflite", tmp_path / "model.tflite", photos)
    assert done.difference <= 1e-4
    run = exporting.FORMATS["tflite"].load(tmp_path / "model.tflite")
    for count in (1, 10):
        np.testing.assert_allclose(run(photos[:count]), models[1][name][:count], atol=1e-4)


def test_a_savedmodel_answers_as_keras_does_where_there_is_only_tensorflow(classifiers, models, photos, tmp_path):
    exporting.export(classifiers["resnet50"], "savedmodel", tmp_path / "model", photos)
    np.save(tmp_path / "images.npy", photos)
    subprocess.run([sys.executable, "-I", "-c", ONLY_TENSORFLOW], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), models[1]["resnet50"], atol=1e-4)


def test_class_names_travel_with_every_form(classifiers, photos, tmp_path):
    for form in exporting.FORMATS:
        exporting.export(classifiers["plain20"], form, tmp_path / form, photos)
    assert json.loads((tmp_path / "savedmodel/assets.extra/classes.json").read_text()) == CLASSES
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "onnx").metadata_props}
    assert json.loads(metadata["classes"]) == CLASSES
    with zipfile.ZipFile(tmp_path / "tflite") as archive:
        assert json.loads(archive.read("classes.json")) == CLASSES


def test_an_export_that_answers_otherwise_is_not_put_in_place(classifiers, tmp_path, photos, monkeypatch):
    right, wrong = classifiers["plain20"], classifiers["resnet20"]
    path = tmp_path / "model.onnx"
    path.write_text("the former one")
    onnx_form = exporting.FORMATS["onnx"]
    faulty = dataclasses.replace(onnx_form, write=lambda _, new: onnx_form.write(wrong, new))
    monkeypatch.setitem(exporting.FORMATS, "onnx", faulty)
    with pytest.raises(BadInput, match=r"answers .* away from the Keras model, and 0.0001 is allowed"):
        exporting.export(right, "onnx", path, photos)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_text() == "the former one"


def test_an_export_that_is_asked_to_end_leaves_nothing_half_written(models, photos, tmp_path, monkeypatch):
    def half(_, new):
        new.write_text("half")
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setitem(exporting.FORMATS, "onnx", dataclasses.replace(exporting.FORMATS["onnx"], write=half))
    Image.fromarray(photos[0]).save(tmp_path / "photo.png")
    out = tmp_path / "exports/model.onnx"
    command = ["export", "--model", str(models[0] / "resnet20.keras"), "--format", "onnx", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["resnet", *command, "--images", str(tmp_path / "photo.png")])
    monkeypatch.delitem(sys.modules, "resnet.__main__")
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("resnet", run_name="__main__")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143
    assert list(out.parent.iterdir()) == []


def test_answers_that_are_no_numbers_are_not_put_in_place(tiny, tmp_path, photos):
    model = tiny("plain20")
    model.weights[-1].assign([np.nan, 0])
    with pytest.raises(BadInput, match="answers nan away"):
        exporting.export(Classifier(model, CLASSES, 8), "savedmodel", tmp_path / "model", photos)
    assert not list(tmp_path.iterdir())


def test_a_former_export_is_replaced_and_nothing_else_is(classifiers, tmp_path, photos):
    plain, residual = classifiers["plain20"], classifiers["resnet20"]
    out = tmp_path / "model"
    for classifier in (plain, residual):
        exporting.export(classifier, "savedmodel", out, photos)
    answers = exporting.FORMATS["savedmodel"].load(out)(photos)
    np.testing.assert_allclose(answers, residual.model.predict(photos, verbose=0), atol=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/dear.jpg").write_text("dear")
    (tmp_path / "note.txt").write_text("note")
    for form, place in (("savedmodel", "photos"), ("savedmodel", "note.txt"), ("onnx", "photos")):
        with pytest.raises(BadInput, match=place):
            exporting.export(plain, form, tmp_path / place, photos)
    assert (tmp_path / "photos/dear.jpg").read_text() == "dear"
    assert (tmp_path / "note.txt").read_text() == "note"


@pytest.mark.parametrize(
    ("form", "library"), [("onnx", "tf2onnx"), ("onnx", "onnxruntime"), ("tflite", "ai_edge_litert")]
)
def test_a_missing_library_is_named_with_the_extra_that_has_it(form, library):
    # A process whose Python does not find it, as on a machine where it was never installed.
    code = f"""
import importlib.abc, importlib.machinery, sys
class Missing(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == {library!r} else super().find_spec(name, path, target)
sys.meta_path = [Missing if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
from resnet.__main__ import main
sys.exit(main(["export", "--model", "no.keras", "--format", {form!r}, "--out", "no"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"resnet: --format {form} needs {library}; pip install 'resnet-pipeline[export]'\n"


def test_export_prints_size_parity_and_latency(models, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"photos/{number}.png")
    model = str(models[0] / "resnet20.keras")
    assert main(["export", "--model", model, "--format", "onnx", "--out", "new/model.onnx", "--images", "photos"]) == 0
    size, parity, latency = capsys.readouterr().out.splitlines()
    assert size.startswith("new/model.onnx  ")
    assert size.endswith(" MB")
    assert parity.endswith("from the Keras model's probabilities on 10 images")
    assert " ms for these 10, " in latency


def test_export_refuses_a_picture_that_is_none(models, tmp_path, capsys):
    (tmp_path / "note.txt").write_text("no image")
    model, out = str(models[0] / "resnet20.keras"), str(tmp_path / "model.onnx")
    arguments = ["--model", model, "--format", "onnx", "--out", out, "--images", str(tmp_path / "note.txt")]
    assert main(["export", *arguments]) == 1
    assert "note.txt: not an image" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["note.txt"]


def test_an_export_does_not_take_the_place_of_the_model_or_of_what_is_no_export(models, tmp_path, capsys):
    model = tmp_path / "model.keras"
    model.write_bytes((models[0] / "resnet20.keras").read_bytes())
    before = model.read_bytes()
    for out in (model, tmp_path / "pipe"):
        if out != model:
            os.mkfifo(out)
        assert main(["export", "--model", str(model), "--format", "onnx", "--out", str(out)]) == 1
        assert f"{out} is there and no former export" in capsys.readouterr().err
    assert model.read_bytes() == before


def test_every_form_says_what_it_needs():
    assert set(exporting.FORMATS) == set(LIBRARIES)
