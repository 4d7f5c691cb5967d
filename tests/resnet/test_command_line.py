import json
import re

import numpy as np
import pytest
from PIL import Image

import resnet
from resnet.__main__ import main

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny, dark_and_bright):
    """A model that knows dark from bright from a third thing it never answers, and a few files."""
    folder = tmp_path_factory.mktemp("predict")
    model = tiny("plain20", classes=3)
    *_, kernel, bias = model.weights
    # The features do not matter: the biases decide.
    kernel.assign(np.zeros(kernel.shape))
    bias.assign(np.log([0.2, 0.7, 0.1]))
    resnet.save(model, folder / "model.keras", ["cat", "dog", "eel"])
    resnet.save(model, folder / "nameless.keras")
    for name, size in {"one.png": (8, 8), "two.jpg": (300, 200)}.items():
        Image.new("RGB", size, "red").save(folder / name)
    (folder / "note.txt").write_text("no image")
    (folder / "broken.keras").write_text("no model")
    return folder


@pytest.fixture
def predict(folder, monkeypatch, capsys):
    """Run predict in the folder: status, lines printed, sentences of errors."""
    monkeypatch.chdir(folder)

    def run(*arguments, model="model.keras"):
        status = main(["predict", "--model", model, *arguments])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run


def test_list_prints_every_architecture_with_its_cost(capsys):
    assert main(["list"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "layers", "parameters", "multiply-adds", "paper"]
    table = {row.split()[0]: row.split()[1:] for row in rows}
    assert list(table) == resnet.names()
    assert table["resnet20"] == ["20", "269,722", "40,551,040", "He", "et", "al.", "2015"]
    assert table["resnet1001v2"][:2] == ["1,001", "10,327,706"]
    assert table["resnet1001v2"][-1] == "2016"
    assert len({len(row) for row in rows}) == 1


def test_predict_prints_the_most_probable_class_of_each_image(predict):
    assert predict("one.png", "two.jpg") == (0, ["one.png  dog 70.0%", "two.jpg  dog 70.0%"], [])


def test_top_asks_for_more_classes_the_most_probable_first(predict):
    assert predict("--top", "2", "one.png") == (0, ["one.png  dog 70.0%  cat 20.0%"], [])
    assert predict("--top", "9", "one.png")[1] == ["one.png  dog 70.0%  cat 20.0%  eel 10.0%"]


def test_json_prints_one_object_a_line(predict):
    status, lines, _ = predict("--json", "--top", "3", "one.png", "two.jpg")
    first, second = map(json.loads, lines)
    assert status == 0
    assert (first["image"], second["image"]) == ("one.png", "two.jpg")
    assert list(first["classes"]) == ["dog", "cat", "eel"]
    assert first["classes"] == pytest.approx({"dog": 0.7, "cat": 0.2, "eel": 0.1}, abs=1e-5)


def test_a_model_without_class_names_answers_with_numbers(predict):
    assert predict("one.png", model="nameless.keras")[1] == ["one.png  1 70.0%"]


@pytest.mark.parametrize("bad", ["note.txt", "missing.png"])
def test_a_file_that_is_no_image_is_named_and_the_others_are_still_predicted(predict, bad):
    status, lines, errors = predict("one.png", bad, "two.jpg")
    assert status == 1
    assert [line.split()[0] for line in lines] == ["one.png", "two.jpg"]
    assert len(errors) == 1
    assert errors[0].startswith(f"resnet: {bad}: ")


def test_no_image_at_all_prints_nothing_but_the_reason(predict):
    status, lines, errors = predict("note.txt")
    assert (status, lines, len(errors)) == (1, [], 1)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("missing.keras", "there is no model at missing.keras"),
        ("broken.keras", "broken.keras is no Keras model that can be loaded"),
        ("one.png", "one.png is no Keras model that can be loaded"),
    ],
)
def test_a_model_that_is_none_is_refused_with_a_sentence(predict, model, sentence):
    status, lines, errors = predict("one.png", model=model)
    assert (status, lines) == (1, [])
    assert re.match(f"resnet: {re.escape(sentence)}", errors[0])


@pytest.mark.parametrize("arguments", [[], ["predict"], ["predict", "--model", "model.keras"], ["paint"]])
def test_a_command_line_that_makes_no_sense_gets_the_usage(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: python -m resnet" in capsys.readouterr().err
