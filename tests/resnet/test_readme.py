"""The examples of README.md that show how a model is used elsewhere are run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import resnet
from resnet import exporting
from resnet.classifier import load_classifier

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLES = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "probabilities" in block]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, noise):
    """A model and its exports, by the names that the examples use."""
    folder = tmp_path_factory.mktemp("readme")
    model = resnet.create("resnet10", input_shape=(32, 32, 3), classes=2, width=0.25)
    *_, bias = model.weights
    bias.assign([0, 100])
    (folder / "models").mkdir()
    resnet.save(model, folder / "models/model.keras", ["cat", "dog"])
    classifier = load_classifier(folder / "models/model.keras")
    for form, path in (("onnx", "model.onnx"), ("savedmodel", "savedmodel"), ("tflite", "model.tflite")):
        exporting.export(classifier, form, folder / path, noise(4, side=32))
    return folder


def test_there_is_an_example_of_six_lines_for_each_form():
    assert [sum(map(bool, example.splitlines())) for example in EXAMPLES] == [6] * 4


@pytest.mark.parametrize("example", EXAMPLES, ids=["onnx", "savedmodel", "tflite", "keras"])
def test_an_example_answers_with_the_name_of_the_class(folder, example):
    done = subprocess.run(
        [sys.executable, "-I", "-c", example], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "dog"
