import json
import re
from pathlib import Path

import pandas as pd
import pytest

from stages import report
from stages.outputs import write_json, write_text

CLASSES = ["cat", "dog", "eel"]


@pytest.fixture
def results(here):
    """Write what the other stages write: 10 test images of each class, two of the first taken for the second."""

    def write(classes=CLASSES, images=None, accuracy=0.9, epochs=3, rules=()):
        images = images or [10] * len(classes)
        write_json(here / "data/prepared/classes.json", classes)
        for name in ("data/manifest.parquet", "models/model.keras"):
            write_text(here / name, name)
        actual = [name for name, count in zip(classes, images, strict=True) for _ in range(count)]
        predicted = [classes[1]] * 2 + actual[2:]
        per_class = {"class": classes, "precision": 0.9, "recall": 0.9, "f1": 0.9, "images": images}
        epoch = {"epoch": range(1, epochs + 1), "loss": 0.5, "accuracy": 0.6, "learning_rate": 0.1, "val_loss": 0.7}
        for name, table in {
            "classes": per_class,
            "confusion": {"actual": actual, "predicted": predicted},
            "calibration": {"confidence": [0.5, 0.9], "accuracy": [0.4, 1.0], "images": [3, 9]},
            "history": epoch,
        }.items():
            Path("plots").mkdir(exist_ok=True)
            pd.DataFrame(table).to_csv(f"plots/{name}.csv", index=False)
        measured = {"accuracy": accuracy, "loss": 0.31, "top5_accuracy": 1.0, "macro_f1": 0.89, "ece": 0.0321}
        write_json(here / "metrics/evaluate.json", measured | {"images": sum(images)})
        resolved = {"device": "cpu", "precision": "float32", "threads": 2, "instruction_set": ["AVX2"]}
        write_json(here / "metrics/train.json", {"epochs": epochs, "parameters": 270_000, "resolved": resolved})
        splits = {"train": 1234, "validation": 5, "test": sum(images)}
        validated = {"success": True, "images": 40, "splits": splits, "classes": [], "rules": list(rules)}
        write_json(here / "reports/validation.json", validated)

    return write


@pytest.fixture
def reported(results, settings):
    """The report and the model card."""

    def run(**changes):
        results(**changes)
        report.run(settings())
        return Path("reports/report.html").read_text(), Path("reports/MODEL_CARD.md").read_text()

    return run


def test_the_report_and_the_card_state_what_was_measured(reported):
    page, card = reported()
    for text in ("90.00 %", "0.3100", "0.8900", "0.0321", "1,234 images", "Cats &amp; &lt;dogs&gt;: resnet20"):
        assert text in page
    for text in (
        "# Model card: Cats & <dogs>",
        "| 0.9 | 0.31 | 1.0 | 0.89 | 0.0321 |",
        "270,000 parameters",
        "train: 1,234",
    ):
        assert text in card
    assert "<td>cat</td><td>dog</td>" in page
    assert page.count("<svg ") == 3


def test_the_page_needs_no_network_and_runs_no_script(reported):
    page, _ = reported(classes=["<script>alert(1)</script>", "dog", "eel"])
    assert set(re.findall(r"https?://[^\"' <)]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"<script|<link|@import|<iframe|<img|url\((?!#)", page)
    assert "&lt;script&gt;alert(1)" in page


def test_a_broken_rule_stands_in_both(reported):
    rule = {"rule": "brightness", "means": "an image is bright", "severity": "warn", "outcome": "warn"}
    page, card = reported(rules=[rule | {"checked": 40, "broken": 2, "examples": ["<03>.png"]}])
    assert "an image is bright" in page
    assert "&lt;03&gt;.png" in page
    assert "- warn: an image is bright; 2 of 40 break it" in card
    assert "Validation found nothing to report." in reported()[1]


@pytest.mark.parametrize(
    ("images", "accuracy", "warned"),
    [
        ([10, 10, 10], 0.34, True),
        ([10, 10, 10], 0.2, True),
        ([10, 10, 10], 0.5, False),
        ([95, 3, 2], 0.95, True),
        ([95, 3, 2], 1.0, False),
        ([90, 5, 5], 0.98, False),
    ],
)
def test_a_model_that_is_no_better_than_chance_is_called_so(reported, images, accuracy, warned):
    page, _ = reported(images=images, accuracy=accuracy)
    assert ("learned next to nothing" in page) == warned


@pytest.mark.parametrize(("count", "charts"), [(30, 3), (31, 2), (1000, 2)])
def test_a_confusion_matrix_is_drawn_only_where_it_can_be_read(reported, count, charts):
    page, _ = reported(classes=[f"class {number}" for number in range(count)], images=[3] * count)
    assert page.count("<svg ") == charts
    assert (f"{count} classes are too many to draw" in page) == (charts == 2)
    assert "<td>class 0</td><td>class 1</td>" in page


@pytest.mark.parametrize("name", ["actual", "predicted", "images", "share", "NA", "a.b[0]", "q'\"", "a|b", "猫"])
def test_a_class_may_have_any_name(reported, name):
    page, card = reported(classes=[name, "dog", "eel"])
    assert page.count("<svg ") == 3
    assert f"\n| {name.replace('|', chr(92) + '|')} | 0.900 |" in card


def test_a_training_of_many_epochs_is_drawn(reported):
    page, _ = reported(epochs=1500)
    assert page.count("<svg ") == 3


def test_a_model_without_mistakes_and_without_validation_is_reported(results, settings):
    results(accuracy=1.0)
    right = pd.read_csv("plots/confusion.csv").assign(predicted=lambda table: table["actual"])
    right.to_csv("plots/confusion.csv", index=False)
    pd.read_csv("plots/history.csv").drop(columns="val_loss").to_csv("plots/history.csv", index=False)
    report.run(settings())
    assert "Not one test image is classified wrongly." in Path("reports/report.html").read_text()


@pytest.mark.parametrize(
    "name",
    [
        *("data/manifest.parquet", "data/prepared/classes.json", "metrics/evaluate.json", "metrics/train.json"),
        *("models/model.keras", "plots/calibration.csv", "plots/classes.csv", "plots/confusion.csv"),
        *("plots/history.csv", "reports/validation.json"),
    ],
)
def test_a_missing_result_is_named(results, settings, refusal, name):
    results()
    Path(name).unlink()
    sentence = refusal(report.run, settings())
    assert name in sentence
    assert "run `dvc repro" in sentence


@pytest.mark.parametrize(
    ("names", "contents"),
    [
        (["metrics/evaluate.json", "metrics/train.json", "reports/validation.json"], ["", "null", "{}"]),
        (["plots/classes.csv", "plots/confusion.csv", "plots/history.csv"], ["", "x,y\n"]),
    ],
)
def test_a_result_that_was_edited_to_nonsense_is_refused(results, settings, refusal, names, contents):
    for name in names:
        for content in contents:
            results()
            Path(name).write_text(content)
            assert "run `dvc repro" in refusal(report.run, settings())


def test_a_report_that_fails_leaves_the_former_one(reported, settings, refusal, outputs):
    reported()
    former = outputs("reports")
    write_json(Path("metrics/train.json"), {"epochs": 3})
    refusal(report.run, settings())
    assert outputs("reports") == former


def test_two_runs_give_the_same_bytes(results, params_file, run_stage, outputs):
    results()
    params_file()
    written = []
    for seed in ("1", "2"):
        done = run_stage("report", PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
        written.append(outputs("reports"))
    assert written[0] == written[1]
    assert json.loads(written[0]["reports/validation.json"])
