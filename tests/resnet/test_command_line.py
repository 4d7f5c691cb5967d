import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import resnet
from resnet.__main__ import main
from resnet.classifier import Classifier
from resnet.commands import list_architectures
from resnet.picture_files import Failure, find_pictures
from resnet.predicting import predict_files

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
    resnet.save(model, folder / "twice.keras", ["cat", "dog", "cat"])
    bias.assign([np.nan, 0, 0])
    resnet.save(model, folder / "diverged.keras", ["cat", "dog", "eel"])
    for name, size in {"one.png": (8, 8), "two.jpg": (300, 200)}.items():
        Image.new("RGB", size, "red").save(folder / name)
    (folder / "note.txt").write_text("no image")
    (folder / "broken.keras").write_text("no model")
    return folder


@pytest.fixture
def tree(folder):
    """Images in a folder, in one below it and in hidden places, and an empty folder."""
    for name in ("b.png", "deep/a.png", "deep/c.jpg", ".hidden.png", ".cache/d.png"):
        file = folder / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(file)
    (folder / "tree/empty").mkdir(exist_ok=True)
    yield folder / "tree"
    shutil.rmtree(folder / "tree")


@pytest.fixture
def predict(folder, monkeypatch, capsys):
    """Run predict in the folder: status, lines printed, sentences of errors."""
    monkeypatch.chdir(folder)

    def run(*arguments, model="model.keras"):
        status = main(["predict", "--model", model, *arguments])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run


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


def test_a_folder_stands_for_every_file_below_it_but_hidden_ones(predict, tree):
    status, lines, errors = predict("tree")
    assert (status, errors) == (0, [])
    assert [line.split()[0] for line in lines] == ["tree/b.png", "tree/deep/a.png", "tree/deep/c.jpg"]


def test_patterns_stand_for_the_files_that_match_and_the_folders_too(predict, tree):
    assert [line.split()[0] for line in predict("tree/*.png")[1]] == ["tree/b.png"]
    assert [line.split()[0] for line in predict("tree/**/*.png")[1]] == ["tree/b.png", "tree/deep/a.png"]
    assert [line.split()[0] for line in predict("tree/d*")[1]] == ["tree/deep/a.png", "tree/deep/c.jpg"]
    assert len(predict("tree/**")[1]) == 3


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(predict, tree):
    (tree / "b.png").rename(tree / "[b].png")
    assert predict("tree/[b].png")[:2] == (0, ["tree/[b].png  dog 70.0%"])


@pytest.mark.parametrize(
    ("nothing", "reason"),
    [("tree/*.gif", "no file matches this pattern"), ("tree/empty", "there are no files in this folder")],
)
def test_what_stands_for_no_file_is_told_and_the_others_are_still_predicted(predict, tree, nothing, reason):
    assert predict(nothing, "one.png") == (1, ["one.png  dog 70.0%"], [f"resnet: {nothing}: {reason}"])


def test_more_files_than_a_batch_are_answered_in_order_each_by_its_own_image(tmp_path, tiny):
    model = tiny("plain20")
    brighter_is_second(model)
    classifier = Classifier(model, ["dark", "bright"], 8)
    bright = np.random.default_rng(0).random(50) < 0.5
    for number, lit in enumerate(bright):
        Image.new("RGB", (8, 8), "white" if lit else "black").save(tmp_path / f"{number:02}.png")
    # In the first batch, in the middle and at the end.
    broken = {3, 20, 49}
    for number in broken:
        (tmp_path / f"{number:02}.png").write_text("no image")
    results = list(predict_files(classifier, find_pictures([str(tmp_path)]), batch_size=8))
    assert [result.path.name for result in results] == [f"{number:02}.png" for number in range(50)]
    assert {n for n, result in enumerate(results) if isinstance(result, Failure)} == broken
    for number in set(range(50)) - broken:
        assert results[number].probabilities.argmax() == bright[number]


def brighter_is_second(model):
    """Set the head so that it answers by how white an image's features are from black's."""
    features = keras.Model(model.input, model.layers[-2].output)
    black, white = features.predict(np.stack([np.zeros((8, 8, 3)), np.full((8, 8, 3), 255)]), verbose=0)
    away = (white - black) / ((white - black) ** 2).sum()
    *_, kernel, bias = model.weights
    kernel.assign(np.stack([np.zeros_like(away), 10 * away], axis=1))
    bias.assign([0, -10 * (black + white) @ away / 2])


def test_files_are_read_only_as_they_are_needed(tmp_path, tiny):
    asked = []

    def endless():
        Image.new("RGB", (8, 8)).save(tmp_path / "black.png")
        while True:
            asked.append(1)
            yield tmp_path / "black.png"

    answers = predict_files(Classifier(tiny("plain20"), ["a", "b"], 8), endless(), batch_size=4)
    for _ in range(5):
        next(answers)
    assert len(asked) <= 12


def test_a_reader_that_has_enough_ends_it_quietly(folder):
    command = f"'{sys.executable}' -m resnet predict --model model.keras one.png two.jpg | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=folder, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_top_must_be_a_whole_number_from_one_up(predict, count, capsys):
    with pytest.raises(SystemExit, match="2"):
        predict("--top", count, "one.png")
    assert "expected a whole number from 1 up" in capsys.readouterr().err


def test_a_model_of_something_else_than_pictures_is_refused(predict, folder):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(folder / "table.keras")
    status, lines, errors = predict("one.png", model="table.keras")
    assert (status, lines) == (1, [])
    assert errors == ["resnet: table.keras takes inputs of (4,); expected RGB images of one fixed, square size"]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_model_that_answers_with_no_number_is_refused(predict, form):
    status, lines, errors = predict("one.png", *form, model="diverged.keras")
    assert (status, lines) == (1, [])
    assert errors == ["resnet: the model predicts NaN or infinity, as after a training that diverged; use another one"]


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "inf"])
def test_a_time_that_cannot_pass_is_refused(seconds, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["time", "--model", "model.keras", f"--seconds={seconds}"])
    assert f"{seconds} is no number of seconds; expected more than 0" in capsys.readouterr().err


@pytest.mark.parametrize("pattern", ["tree/pipe", "tree/p*"])
def test_a_pipe_is_told_and_not_waited_for(predict, tree, pattern):
    os.mkfifo(tree / "pipe")
    assert predict(pattern) == (1, [], ["resnet: tree/pipe: not a file"])


def test_a_name_that_is_no_text_is_printed_as_it_can_be(folder, monkeypatch):
    monkeypatch.chdir(folder)
    name = os.fsdecode(b"caf\xe9.png")
    shutil.copy("one.png", name)
    # As in every locale but C's.
    strict = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict")
    monkeypatch.setattr(sys, "stdout", strict)
    assert main(["predict", "--model", "model.keras", name, "one.png"]) == 0
    strict.seek(0)
    assert strict.read() == "caf\\udce9.png  dog 70.0%\none.png  dog 70.0%\n"


def test_a_backend_that_keras_does_not_have_is_refused(predict, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    status, lines, errors = predict("one.png")
    assert (status, lines) == (1, [])
    assert errors == [
        "resnet: KERAS_BACKEND is 'nonsense'; expected tensorflow, jax, torch, numpy, openvino, or nothing, which is "
        "tensorflow"
    ]


def test_a_backend_that_is_not_installed_is_refused(predict, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    status, lines, errors = predict("one.png")
    assert (status, lines) == (1, [])
    assert errors == [
        "resnet: KERAS_BACKEND is 'openvino', which is not installed; pip install openvino, or set another"
    ]


def test_a_backend_of_keras_own_settings_that_is_not_installed_is_refused(predict, monkeypatch, tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "openvino"}')
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert f"backend of {tmp_path / 'keras.json'} is 'openvino', which is not inst" in predict("one.png")[2][0]
    (tmp_path / "keras.json").write_text("[")
    assert predict("one.png")[0] == 0


def test_ctrl_c_is_told_and_exit_130(predict, monkeypatch):
    def interrupted(_):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(list_architectures, "run", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["list"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)


def test_help_needs_no_heavy_library():
    code = """
import sys
from resnet.__main__ import main
try:
    main(["--help"])
finally:
    assert not {"keras", "tensorflow", "numpy", "PIL"} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("missing.keras", "there is no model at missing.keras"),
        (".", ". is a folder; expected a .keras file"),
        ("twice.keras", "twice.keras names several classes 'cat'; save it anew with names that differ"),
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
