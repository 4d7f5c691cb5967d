import json
import logging
import re
from pathlib import Path

import pandas as pd
import pytest

from stages.prepared import MANIFEST


@pytest.fixture
def validated(here, validate, settings, thresholds):
    """Write a manifest and validate it by strict rules, some of them changed."""

    def run(table, **changes):
        MANIFEST.parent.mkdir(exist_ok=True)
        if isinstance(table, bytes):
            MANIFEST.write_bytes(table)
        else:
            table.to_parquet(MANIFEST, index=False)
        validate.run(settings(validate=thresholds(**changes).model_dump()))

    return run


@pytest.fixture
def dark(manifest):
    manifest.loc[[3, 5], "mean"] = 1.0
    return manifest


def report():
    return json.loads(Path("reports/validation.json").read_text())


def test_good_images_pass_and_leave_a_report(validated, manifest, here):
    validated(manifest)
    found = report()
    assert found["success"] is True
    assert (found["images"], found["splits"]) == (40, {"train": 24, "validation": 8, "test": 8})
    assert found["classes"] == [{"label": name, "training_images": 12} for name in ("cat", "dog")]
    assert len(found["rules"]) == 16
    assert {rule["outcome"] for rule in found["rules"]} == {"pass"}
    assert all(rule["expectation"].startswith("expect_column_values") for rule in found["rules"])
    assert "The images may be trained on." in (here / "reports/validation.html").read_text()


def test_a_failure_names_rule_count_and_examples_and_leaves_its_report(validated, dark, refusal, here):
    sentence = refusal(validated, dark)
    assert "1 of 16 rules failed: fail  brightness: 2 of 40 break it, such as 03.png, 05.png" in sentence
    assert "reports/validation.html" in sentence
    found = report()
    assert found["success"] is False
    (rule,) = [rule for rule in found["rules"] if rule["outcome"] != "pass"]
    assert {name: rule[name] for name in ("rule", "outcome", "checked", "broken", "examples")} == {
        "rule": "brightness",
        "outcome": "fail",
        "checked": 40,
        "broken": 2,
        "examples": ["03.png", "05.png"],
    }
    page = (here / "reports/validation.html").read_text()
    assert "The images may not be trained on." in page
    assert "03.png" in page


def test_a_warning_is_told_and_stops_nothing(validated, dark, caplog):
    caplog.set_level(logging.INFO)
    validated(dark, brightness={"severity": "warn"})
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["warn  brightness: 2 of 40 break it, such as 03.png, 05.png"]
    assert report()["success"] is True
    assert [rule["outcome"] for rule in report()["rules"]].count("warn") == 1


def test_a_share_that_is_tolerated_is_counted_and_passes(validated, dark):
    validated(dark, brightness={"tolerated": 0.05})
    (rule,) = [rule for rule in report()["rules"] if rule["rule"] == "brightness"]
    assert (rule["outcome"], rule["broken"], rule["examples"]) == ("pass", 2, ["03.png", "05.png"])


def test_two_runs_give_the_same_bytes(validated, dark, refusal, outputs):
    refusal(validated, dark)
    first = outputs("reports")
    refusal(validated, dark)
    assert outputs("reports") == first
    assert sorted(first) == ["reports/validation.html", "reports/validation.json"]


def test_the_page_needs_no_network_and_runs_no_script_of_a_name(validated, manifest, refusal, here):
    manifest.loc[0, ["path", "mean"]] = ["<script>alert(1)</script>.png", 1.0]
    manifest["label"] = manifest["label"].replace("cat", "<script>cat</script>")
    refusal(validated, manifest)
    page = (here / "reports/validation.html").read_text()
    assert not re.search(r"https?://|<script[^>]|<link|@import|url\(", page)
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    "column",
    [
        "path",
        "label",
        "split",
        "width",
        "height",
        "channels",
        "sha256",
        "perceptual_hash",
        "mean_color",
        "mean",
        "std",
        "error",
    ],
)
def test_a_manifest_that_lost_a_column_is_refused(validated, manifest, refusal, column):
    assert f"lacks the columns {column};" in refusal(validated, manifest.drop(columns=column))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("label", None),
        ("split", None),
        ("split", "dev"),
        ("sha256", None),
        ("perceptual_hash", None),
        ("perceptual_hash", "no hash"),
        ("perceptual_hash", "0" * 17),
        ("mean_color", None),
        ("mean_color", "red"),
        ("mean", None),
        ("mean", "bright"),
        ("width", None),
        ("width", "30"),
    ],
)
def test_a_manifest_that_was_edited_to_nonsense_is_refused(validated, manifest, refusal, column, value):
    manifest[column] = manifest[column].astype(object)
    rows = slice(None) if isinstance(value, str) and column in ("mean", "width") else 3
    manifest.loc[rows, column] = value
    sentence = refusal(validated, manifest)
    assert "data/manifest.parquet" in sentence
    assert column in sentence


@pytest.mark.parametrize("content", [b"", b"path,label\n"])
def test_what_is_no_manifest_is_refused(validated, refusal, content):
    assert "cannot read data/manifest.parquet" in refusal(validated, content)


def test_a_manifest_without_images_does_not_pass(validated, manifest, refusal):
    assert "data/manifest.parquet" in refusal(validated, manifest.head(0))


def test_a_missing_manifest_says_what_to_run(here, validate, settings, refusal):
    assert "run `dvc repro prepare`" in refusal(validate.run, settings())


def test_what_prepare_writes_validates(photos, prepared, validate, settings, thresholds):
    photos(count=60)
    (photos() / "dog/broken.png").write_bytes(b"x")
    prepared()
    found = thresholds(decodable={"severity": "warn"}, contrast={"at_most": 255}, split_shares={"validation": 0.0})
    validate.run(settings(validate=found.model_dump()))
    assert [rule["rule"] for rule in report()["rules"] if rule["outcome"] == "warn"] == ["decodable"]
    assert report()["rules"][0]["examples"] == ["dog/broken.png"]
    assert report()["images"] == len(pd.read_parquet(MANIFEST)) == 121


def test_a_failed_stage_exits_with_1_and_one_line(dark, params_file, thresholds, run_stage, here):
    (here / "data").mkdir()
    dark.to_parquet(here / MANIFEST, index=False)
    params_file(validate=thresholds().model_dump())
    done = run_stage("validate")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: 1 of 16 rules failed: fail  brightness")
    # What runs it shows the rules and nothing of Great Expectations' own.
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["pass"] * 8 + ["fail"] + ["pass"] * 7
    assert report()["success"] is False
