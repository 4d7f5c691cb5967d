import re

import pytest
from pydantic import ValidationError

from stages.params import load

# Nine lines that stand for a billion words.
EXPLOSION = b"a0: &a0 [ha, ha]\n" + b"".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n".encode() for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sed": 0}, "unknown key sed (did you mean seed?)"),
        ({"reporting": {}}, "unknown key reporting (did you mean report?)"),
        ({"data.image_sise": 32}, "unknown key data.image_sise (did you mean image_size?)"),
        ({"validate.decodeable": {}}, "unknown key validate.decodeable (did you mean decodable?)"),
        ({"validate.side.atleast": 8}, "unknown key validate.side.atleast (did you mean at_least?)"),
        ({"train.colour": "red"}, "unknown key train.colour; remove it"),
        ({"seed": ...}, "seed is missing"),
        ({"report": ...}, "report is missing"),
        ({"train.epochs": ...}, "train.epochs is missing"),
        ({"validate.side.at_most": ...}, "validate.side.at_most is missing"),
    ],
)
def test_an_unknown_or_missing_key_is_named_at_every_level(params_file, refusal, changes, sentence):
    assert sentence in refusal(load, params_file(**changes))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("seed", -1, "greater than or equal to 0"),
        ("seed", 2**32, "less than 4294967296"),
        ("data.path", 5, "valid string"),
        ("data.path", "", "at least 1 character"),
        ("data.image_size", 32.5, "valid integer"),
        ("data.image_size", 7, "greater than or equal to 8"),
        ("data.validation_fraction", 1.5, "less than 1"),
        ("data.test_fraction", -0.1, "greater than or equal to 0"),
        ("validate.decodable.tolerated", 2, "less than or equal to 1"),
        ("validate.decodable.severity", "error", "'fail' or 'warn'"),
        ("validate.channels.allowed", 3, "valid list"),
        ("validate.channels.allowed", [], "at least 1 item"),
        ("validate.near_duplicates.distance", 9, "less than or equal to 8"),
        ("model.name", None, "valid string"),
        ("model.shortcut", "D", "'A', 'B' or 'C'"),
        ("train.epochs", 0, "greater than or equal to 1"),
        ("train.epochs", "12", "valid integer"),
        ("train.epochs", True, "valid integer"),
        ("train.epochs", 12.0, "valid integer"),
        ("train.learning_rate", 0, "greater than 0"),
        ("train.learning_rate", "0.1", "valid number"),
        ("train.learning_rate", float("nan"), "finite"),
        ("train.learning_rate", float("inf"), "finite"),
        ("train.optimizer", "adam", "'sgd' or 'muon'"),
        ("train.schedule", "cosin", "'cosine' or 'step'"),
        ("train.nesterov", "yes", "valid boolean"),
        ("train.jit", "yes", "'auto', True or False"),
        ("train.patience", 0, "greater than or equal to 1"),
        ("evaluate.calibration_bins", 1, "greater than or equal to 2"),
        ("evaluate.bootstrap.resamples", 10, "greater than or equal to 100"),
        ("evaluate.bootstrap.level", 1, "less than or equal to 0.9999"),
        ("evaluate.corrupted_images", 0, "greater than or equal to 1"),
        ("evaluate.gradients.learning_rate", 0, "greater than 0"),
        ("report.pictures", -1, "greater than or equal to 0"),
        ("report.title", "", "at least 1 character"),
        ("train.epochs", 2**63 - 1, "less than or equal to 1000000000"),
        ("train.learning_rate", 1e308, "less than or equal to"),
        ("train.threads", 2**31, "less than or equal to 1024"),
        ("evaluate.threads", 2**31, "less than or equal to 1024"),
        ("evaluate.bootstrap.level", 0.9999999999999999, "less than or equal to 0.9999"),
        ("evaluate.bootstrap.resamples", 10**9, "less than or equal to 1000000"),
    ],
)
def test_a_wrong_type_or_an_impossible_value_is_told_with_what_would_do(params_file, refusal, key, value, expected):
    sentence = refusal(load, params_file(**{key: value}))
    assert re.search(rf": {re.escape(key)} must (be|have) .*{re.escape(expected)}.*, but is ", sentence)
    assert sentence.endswith(f", but is {value!r}")


def test_a_place_in_a_list_is_named(params_file, refusal):
    assert "train.milestones.1 must be" in refusal(load, params_file(**{"train.milestones": [0.5, 2]}))


@pytest.mark.parametrize("value", [None, [], "photos"])
def test_a_section_that_holds_no_keys_is_told_in_the_words_of_yaml(params_file, refusal, value):
    assert f"data must be a mapping of keys, but is {value!r}" in refusal(load, params_file(data=value))


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"data.validation_fraction": 0.5, "data.test_fraction": 0.5},
            ["data.validation_fraction 0.5 and test_fraction 0.5", "nothing to train on", "below 1"],
        ),
        (
            {"data.image_size": 15, "model.name": "resnet50"},
            ["data.image_size is 15", "resnet50 needs images of 16 pixels"],
        ),
        (
            {"data.image_size": 31, "model.name": "resnet50", "model.stem": "large"},
            ["data.image_size is 31", "resnet50 needs images of 32 pixels"],
        ),
        ({"model.width": 1e308}, ["model.width is 1e+308", "at most 100"]),
        ({"model.width": 0.01}, ["model.width 0.01 leaves resnet20 groups of (0, 0, 1) filters"]),
        (
            {"model.name": "resnet50", "model.width": 0.2, "data.image_size": 64},
            ["the large stem of resnet50 13 filters", "it needs 16", "choose a greater width, or stem small"],
        ),
        ({"model.name": "resnet21"}, ["model.name: there is no architecture 'resnet21'; the nearest are"]),
        ({"train.crop_padding": 8}, ["train.crop_padding is 8", "below data.image_size, 8"]),
        ({"train.warmup_epochs": 13}, ["train.warmup_epochs 13", "more than epochs 12"]),
        ({"train.milestones": [0.75, 0.5]}, ["train.milestones [0.75, 0.5] must rise"]),
        ({"train.nesterov": True, "train.momentum": 0.0}, ["train.nesterov needs a momentum above 0", "false"]),
        (
            {"train.class_weights": "balanced", "train.sampling": "balanced"},
            ["train.class_weights and sampling", "leave one of them balanced"],
        ),
        ({"train.jit": True}, ["train.jit: true asks for XLA", "deterministic: false"]),
        ({"train.devices": 3}, ["train.batch_size", "among devices 3", "make it a multiple"]),
        ({"model.weights": "imagenet"}, ["model.weights is imagenet", "none for resnet20", "resnet50, resnet101"]),
        ({"model.weights": "former.keras"}, ["model.weights is a file", "weights_sha256 (sha256sum former.keras)"]),
        ({"model.weights_sha256": "0" * 64}, ["model.weights_sha256 pins a file", "null"]),
        (
            {"model.weights": "./models/model.keras", "model.weights_sha256": "0" * 64},
            ["model.weights is ./models/model.keras", "copy it"],
        ),
        (
            {"model.weights": "./models/../models/model.keras", "model.weights_sha256": "0" * 64},
            ["model.weights is ./models/../models/model.keras", "copy it"],
        ),
        ({"model.two_views": True}, ["model.two_views asks for mirror images", "set train.horizontal_flip: true"]),
        ({"train.body_learning_rate": 0.0}, ["train.body_learning_rate is 0", "set it to 1.0"]),
        ({"validate.side.at_least": 9, "validate.side.at_most": 8}, ["validate.side.at_least 9", "above at_most 8"]),
        ({"data.root": "."}, ["data.root is '.'"]),
    ],
)
def test_values_that_do_not_fit_together_are_refused(params_file, refusal, changes, parts):
    sentence = refusal(load, params_file(**changes))
    assert all(part in sentence for part in parts)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnet21", "resnet20"),
        ("ResNet50", "resnet50"),
        ("resnet-110", "resnet110"),
        ("vgg", "resnet20"),
        ("", "resnet20"),
    ],
)
def test_an_unknown_architecture_is_told_with_the_nearest_ones(params_file, refusal, name, near):
    told = re.search(r"no architecture '(.*?)'; .*?(resnet.*)", refusal(load, params_file(**{"model.name": name})))
    assert told[1] == name
    assert near in told[2].replace(",", "").split()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "must be a mapping of keys, but is empty", id="empty"),
        pytest.param(b"# nothing\n", "must be a mapping of keys, but is empty", id="comment"),
        pytest.param(b"- seed: 0\n", "must be a mapping of keys, but holds list", id="list"),
        pytest.param(b"data: [1\n", "is not valid YAML: line 2: .*expected ',' or ']'", id="open bracket"),
        pytest.param(b"\tseed: 0\n", "is not valid YAML: line 1: .*cannot start", id="tab"),
        pytest.param(b"seed: 0\nseed: 1\n", 'is not valid YAML: line 2: .*duplicate key "seed"', id="twice"),
        pytest.param(
            b"data:\n  path: a\n  path: b\n", 'is not valid YAML: line 3: .*duplicate key "path"', id="twice below"
        ),
        pytest.param(b"seed: 0\n---\nseed: 1\n", "is not valid YAML: .*single document", id="two documents"),
        pytest.param("title: Zähler".encode("latin-1"), "is not valid YAML: .*utf-8", id="Latin-1"),
        pytest.param(b"seed: \x00\n", "is not valid YAML: .*#x0000", id="binary"),
        pytest.param(b"seed: !!python/object/apply:os.getcwd []\n", "is not valid YAML: .*constructor", id="code"),
        pytest.param(EXPLOSION, "is not valid YAML: line 2: .a0 is an alias; write its value out", id="aliases"),
        pytest.param(b"[" * 5000, "is not valid YAML: .*recursion", id="endless depth"),
        pytest.param(b"seed: 0\n" * 100_000, "is not valid YAML: .*more than 500,000 characters", id="endless file"),
        pytest.param(b"seed: !!bool x\n", "is not valid YAML: ", id="no boolean"),
        pytest.param(b'seed: !!int ""\n', "is not valid YAML: ", id="no integer"),
        pytest.param(b'seed: !!float ""\n', "is not valid YAML: ", id="no float"),
        pytest.param(b"seed: !!omap x\n", "is not valid YAML: ", id="no map"),
        pytest.param(b"%YAML 1.3\n---\nseed: 0\n", "is not valid YAML: version", id="another version"),
        pytest.param(b"seed: " + b"9" * 5000, "is not valid YAML: .*5000 digits", id="endless number"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused_in_one_line(here, refusal, content, sentence):
    (here / "params.yaml").write_bytes(content)
    assert re.search(f"params.yaml {sentence}", refusal(load, here / "params.yaml"))


@pytest.mark.parametrize("key", ["data.path", "data.root", "model.weights", "report.title"])
def test_a_text_with_a_nul_is_refused(params_file, refusal, key):
    assert f"{key}: holds a NUL, which no path can hold; remove it" in refusal(load, params_file(**{key: "a\0b"}))


def test_a_missing_file_says_where_to_run(here, refusal):
    assert "there is no other.yaml here; run from the project's root" in refusal(
        load, here.relative_to(here) / "other.yaml"
    )


def test_a_folder_in_place_of_the_file_is_refused(here, refusal):
    assert "Is a directory" in refusal(load, here)


def test_all_errors_are_told_at_once(params_file, refusal):
    sentence = refusal(
        load,
        params_file(
            **{"data.image_size": 7, "model.name": "resnet21", "train.epochs": 0, "train.kept": "last", "seed": ...}
        ),
    )
    parts = ("seed is missing", "data.image_size", "'resnet21'", "train.epochs", "unknown key train.kept")
    assert all(part in sentence for part in parts)


@pytest.mark.parametrize(("text", "value"), [("1e-4", 1e-4), ("1E-4", 1e-4), ("2.5e+1", 25.0), ("3", 3.0)])
def test_numbers_are_those_of_yaml_1_2(params_file, text, value):
    file = params_file()
    file.write_text(re.sub(r"weight_decay: .*", f"weight_decay: {text}", file.read_text()))
    assert load(file).train.weight_decay == value


@pytest.mark.parametrize("word", ["yes", "on", "no"])
def test_words_that_yaml_1_1_took_for_booleans_are_words(params_file, refusal, word):
    file = params_file()
    file.write_text(re.sub(r"tensorboard: .*", f"tensorboard: {word}", file.read_text()))
    assert f"train.tensorboard must be a valid boolean, but is '{word}'" in refusal(load, file)


def test_a_section_cannot_be_changed(settings):
    with pytest.raises(ValidationError, match="frozen"):
        settings().train.epochs = 3


def test_the_params_of_the_repository_load(request):
    params = load(request.config.rootpath / "params.yaml")
    assert params.train.epochs >= 1
    assert params.validate_.decodable.severity in ("fail", "warn")
