"""Two revisions side by side, in a project in miniature with one stage, and the page in a real Chromium."""

import json
import re
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import comparison, gate, registry
from pipeline.__main__ import main
from pipeline.errors import PipelineError

PARAMS = (Path(__file__).parents[2] / "params.yaml").read_text().replace("resamples: 1000", "resamples: 100")
STAGE = """
stages:
  everything:
    cmd: cp -r made/. .
    deps: [made]
    outs: [data/prepared, data/manifest.parquet, data/predictions.parquet, models/model.keras]
    metrics:
      - metrics/evaluate.json: {cache: false}
artifacts:
  model: {path: models/model.keras, type: model}
"""
TEST, TRAIN = range(100), range(1000, 1020)


class Miniature:
    """A project whose models are right about whatever images we say."""

    def __init__(self, small):
        self.small, self.folder = small, small.folder
        small.git("rm", "--quiet", "-r", "dvc.lock", "dvc.yaml", "metrics", "data/words.txt.dvc")
        small.write(".gitignore", small.read(".gitignore") + "/made/\n")
        small.write("dvc.yaml", STAGE)

    def train(self, knows, test=TEST, train=TRAIN, labels=None, classes=("ant", "bee"), epochs=20, mean=100.0):
        """Make a model, without committing it."""
        self.small.write("params.yaml", PARAMS.replace("epochs: 20", f"epochs: {epochs}"))
        made = self.folder / "made"
        shutil.rmtree(made, ignore_errors=True)
        for name in ("data/prepared", "models", "metrics"):
            (made / name).mkdir(parents=True)
        numbers = [*test, *train]
        manifest = pd.DataFrame({"sha256": [f"image {number}" for number in numbers]}).assign(
            path=[f"{number}.png" for number in numbers],
            label=[(labels or {}).get(number, classes[number % 2]) for number in numbers],
            split=["test"] * len(test) + ["train"] * len(train),
            mean=mean,
            std=10.0,
            width=8,
            height=8,
            error=None,
        )
        tested = manifest[manifest["split"] == "test"]
        correct = np.array([number in knows for number in test])
        truth = tested["label"].map(classes.index).to_numpy()
        predicted = np.where(correct, truth, 1 - truth)
        probabilities = np.full((len(test), len(classes)), 0.2 / (len(classes) - 1), np.float32)
        probabilities[np.arange(len(test)), predicted] = 0.8
        manifest.to_parquet(made / "data/manifest.parquet")
        tested[["path", "sha256", "label"]].assign(
            predicted=np.array(classes)[predicted],
            confidence=0.8,
            correct=correct,
            probabilities=list(probabilities),
        ).to_parquet(made / "data/predictions.parquet")
        np.save(made / "data/prepared/test_images.npy", np.zeros((len(test), 8, 8, 3), np.uint8) + 90)
        (made / "data/prepared/classes.json").write_text(json.dumps(list(classes)))
        (made / "models/model.keras").write_text(json.dumps(sorted(knows)))
        interval = {"accuracy": {"low": 0.25, "high": 0.75}}
        metrics = {"accuracy": float(correct.mean()), "images": len(test), "intervals": interval}
        (made / "metrics/evaluate.json").write_text(json.dumps(metrics))
        with self.small.dvc() as repo:
            repo.reproduce()

    def commit(self, *arguments, **keywords):
        """Make a model and commit it."""
        self.train(*arguments, **keywords)
        return self.small.commit("a model")

    def compare(self, former=None, new="workspace"):
        return comparison.write(self.small.found, former, new)


@pytest.fixture
def miniature(small):
    return Miniature(small)


def test_metrics_are_compared_on_the_same_test_images(miniature):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(4, 90))
    page, found = miniature.compare("HEAD")
    assert page == miniature.folder / "logs/compare/HEAD-workspace.html"
    paired = found["paired"]
    assert paired["images"] == 100
    rows = {row["name"]: row for row in paired["metrics"]}
    assert list(rows) == ["accuracy", "loss", "top5_accuracy", "macro_f1"]
    assert rows["accuracy"]["former"] == "0.8000"
    assert rows["accuracy"]["new"] == "0.8600"
    assert rows["accuracy"]["difference"] == "+0.0600"
    # An image more that is right takes log 4 off the loss' sum.
    assert float(rows["loss"]["difference"]) == pytest.approx(-0.06 * np.log(4), abs=1e-4)
    low, high = map(float, rows["loss"]["interval"].split("\u00a0to\u00a0"))
    assert low < float(rows["loss"]["difference"]) < high
    # The accuracy's is the gate's own.
    right, before = (np.isin(np.arange(100), knows) for knows in (range(4, 90), range(80)))
    assert paired["difference"] == gate.compare(right, before, np.arange(100), 0.95, 0)
    assert [row["path_new"] for row in paired["lost"]] == [f"{number}.png" for number in range(4)]
    assert sorted(row["path_new"] for row in paired["gained"]) == sorted(f"{number}.png" for number in range(80, 90))
    assert all(row["image"].startswith("data:image/png;base64,") for row in paired["gained_pictures"])
    assert miniature.small.git("status", "--porcelain", "logs") == ""


def test_the_champion_is_what_one_compares_with(miniature):
    champion = registry.promote(miniature.folder, miniature.commit(knows=range(80)))
    miniature.commit(knows=range(85))
    miniature.train(knows=range(90))
    page, found = miniature.compare()
    assert page.name == "model@v0.0.1-workspace.html"
    assert found["former"].commit == champion.commit


def test_without_a_champion_the_parent_is_what_one_compares_with(miniature):
    parent = miniature.commit(knows=range(80))
    child = miniature.commit(knows=range(85))
    assert miniature.compare()[1]["former"].commit == parent
    miniature.train(knows=range(90))
    assert miniature.compare()[1]["former"].commit == child


def test_two_commits_are_compared_whatever_is_in_the_workspace(miniature):
    miniature.commit(knows=range(80), test=range(100))
    miniature.commit(knows=range(90), test=range(100))
    miniature.train(knows=range(500, 510), test=range(500, 510))
    page, found = miniature.compare("HEAD~1", "HEAD")
    assert page.name == "HEAD~1-HEAD.html"
    assert found["paired"]["difference"].accuracy == 0.9
    # The workspace has other pictures, so that these come from DVC's cache.
    assert len(found["paired"]["gained_pictures"]) == 10
    assert found["stale"] == []


def test_it_says_what_changed(miniature):
    miniature.small.write("stages/train.py", "one\ntwo\n")
    miniature.commit(knows=range(80), test=range(100), train=range(1000, 1020))
    miniature.small.write("stages/train.py", "one\nthree\nfour\n")
    miniature.small.write("stages/more.py", "new\n")
    # 0 to 9 have gone, 100 to 104 have come, 1000 to 1002 are tested now, and 20 has another label.
    tested = [*range(10, 105), *range(1000, 1003)]
    miniature.train(knows=range(80), test=tested, train=range(1003, 1020), labels={20: "bee"}, epochs=3)
    _, found = miniature.compare("HEAD")
    assert found["settings"] == [{"key": "train.epochs", "former": 20, "new": 3}]
    assert found["files"] == [
        {"added": "2", "removed": "1", "file": "stages/train.py"},
        {"added": "not in git yet", "removed": "", "file": "stages/more.py"},
    ]
    changed = {row["key"] for row in found["data"]}
    assert changed == {"made", "data/prepared", "data/manifest.parquet", "data/predictions.parquet"}
    assert all(row["former"] != row["new"] for row in found["data"])
    counts = {row["what"]: (row["all"], row["train"], row["test"]) for row in found["images"]}
    assert counts == {
        "added": (5, 0, 5),
        "removed": (10, 0, 10),
        "relabelled": (1, 0, 1),
        "moved to another split": (3, 0, 3),
        "unchanged": (106, 17, 89),
    }
    # The same images under the same label, and trained on by neither.
    assert found["paired"]["images"] == 89


def test_what_data_a_dvc_file_names_is_among_the_changes(miniature):
    miniature.small.write("photos/a.txt", "a")
    with miniature.small.dvc() as repo:
        repo.add("photos")
    miniature.commit(knows=range(80))
    miniature.small.write("photos/b.txt", "b")
    with miniature.small.dvc() as repo:
        repo.add("photos")
    assert "photos.dvc" in {row["key"] for row in miniature.compare("HEAD")[1]["data"]}


def test_images_that_either_was_trained_on_do_not_count(miniature):
    # The same content may be in training and in test at once.
    miniature.commit(knows=range(80), train=range(10))
    miniature.train(knows=range(80), train=range(10, 30))
    assert miniature.compare("HEAD")[1]["paired"]["images"] == 70


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"classes": ("ant", "bug")}, r"HEAD has different classes \(gone: bee; new: bug\)"),
        ({"test": range(200, 300)}, "no test image is the same, of 100 and 100"),
        ({"train": range(100)}, "every test image that is the same is in the training data of one of the two"),
    ],
)
def test_what_cannot_be_compared_image_by_image_stands_side_by_side(miniature, changes, reason, capsys):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(90), **changes)
    page, found = miniature.compare("HEAD")
    assert found["paired"] is None
    assert re.search(reason, found["missing"]["paired"])
    assert found["evaluated"][0]["name"] == "accuracy"
    assert found["evaluated"][0]["former"] == "0.8000 (0.2500\u00a0to\u00a00.7500)"
    assert "The two cannot be compared image by image" in page.read_text()
    comparison.print_summary(page, found)
    assert "0.8000 (0.2500\u00a0to\u00a00.7500)" in capsys.readouterr().out


def test_what_has_been_lost_from_the_cache_is_said_on_the_page(miniature):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(90))
    shutil.rmtree(miniature.folder / ".dvc/cache/files")
    page, found = miniature.compare("HEAD")
    assert set(found["missing"]) == {"paired", "images", "drift"}
    assert "is neither in DVC&#39;s cache nor in a remote" in page.read_text()
    assert found["evaluated"][0]["former"] == "0.8000 (0.2500\u00a0to\u00a00.7500)"


def test_answers_of_another_version_of_the_code_are_not_guessed_at(miniature):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(90))
    file = miniature.folder / "data/predictions.parquet"
    content = pd.read_parquet(file).drop(columns="probabilities")
    file.unlink()
    content.to_parquet(file)
    said = miniature.compare("HEAD")[1]["missing"]["paired"]
    assert said.endswith("of the workspace, of another version of this code, lacks probabilities")


def test_a_damaged_file_is_named(miniature):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(90))
    file = miniature.folder / "data/manifest.parquet"
    file.unlink()
    file.write_text("cut o")
    assert "data/manifest.parquet of the workspace is damaged" in miniature.compare("HEAD")[1]["missing"]["drift"]


def test_pictures_that_are_not_at_hand_are_named_all_the_same(miniature):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(90))
    (miniature.folder / "data/prepared/test_images.npy").unlink()
    page, found = miniature.compare("HEAD")
    assert found["paired"]["gained_pictures"] == []
    assert len(found["paired"]["gained"]) == 10
    assert "the pictures are not at hand: data/prepared/test_images.npy is not in the workspace" in page.read_text()


def test_results_that_are_not_of_the_files_are_warned_of(miniature):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(90))
    assert miniature.compare("HEAD")[1]["stale"] == []
    miniature.small.write("made/more.txt", "an edit")
    page, found = miniature.compare("HEAD")
    assert found["stale"] == ["everything"]
    assert "The results in the workspace are not those of its files: everything is out of date" in page.read_text()


def test_images_that_look_different_are_warned_of(miniature):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(80), mean=200.0)
    page, found = miniature.compare("HEAD")
    assert [row["feature"] for row in found["drift"] if row["warning"]] == ["brightness"]
    assert "The images differ in brightness" in page.read_text()


def test_times_come_from_the_logs_of_the_workspace_and_of_retrainings(miniature):
    record = {"stage": "train", "started": "2026-11-24T03:00:00+00:00", "images": 300, "seconds": 60.0, "host": "here"}
    miniature.commit(knows=range(80))
    miniature.small.git("branch", "retrain/night")
    miniature.small.write("logs/retrain/night/train.json", json.dumps(record))
    miniature.small.write("logs/retrain/night/result.json", '{"outcome": "promoted"}')
    miniature.small.write("logs/train.json", json.dumps(record | {"seconds": 30.0}))
    miniature.small.write("logs/evaluate.json", "cut o")
    miniature.train(knows=range(90))
    rows = miniature.compare("retrain/night")[1]["times"]
    assert [(row["side"], row["seconds"], row["images"]) for row in rows] == [
        ("retrain/night", 60.0, 5.0),
        ("the workspace", 30.0, 10.0),
    ]


def test_the_command_prints_a_short_table_and_where_the_page_is(miniature, capsys):
    miniature.commit(knows=range(80))
    miniature.train(knows=range(4, 90))
    with chdir(miniature.folder):
        assert main(["compare", "HEAD"]) == 0
    said = capsys.readouterr().out
    assert "+0.0600" in said
    assert "on 100 test images that both have and neither was trained on: 10 now right, 4 now wrong" in said
    assert said.splitlines()[-1] == str(miniature.folder / "logs/compare/HEAD-workspace.html")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "there is no revision 'nowhere' here; expected a branch, a tag or a commit"),
        (["HEAD", "--output=x"], "unrecognized arguments"),
        (["HEAD~1"], "HEAD~1 has no metrics/evaluate.json in its dvc.lock"),
        (["HEAD", "HEAD~1"], "HEAD~1 has no metrics/evaluate.json in its dvc.lock"),
    ],
)
def test_a_revision_that_cannot_be_compared_gets_a_sentence(miniature, capsys, arguments, sentence):
    miniature.small.git("commit", "--quiet", "--message", "nothing yet")
    miniature.commit(knows=range(80))
    with chdir(miniature.folder):
        try:
            status = main(["compare", *arguments])
        except SystemExit as error:
            status = error.code
    assert status != 0
    assert sentence in capsys.readouterr().err
    assert not (miniature.folder / "logs/compare").exists()


def test_a_workspace_without_results_gets_a_sentence(miniature):
    miniature.commit(knows=range(80))
    (miniature.folder / "metrics/evaluate.json").unlink()
    with pytest.raises(PipelineError, match=r"metrics/evaluate\.json is not in the workspace; dvc checkout brings it"):
        miniature.compare("HEAD")


def test_a_first_commit_has_nothing_to_be_compared_with(miniature):
    miniature.small.git("checkout", "--quiet", "--orphan", "fresh")
    miniature.commit(knows=range(80))
    with pytest.raises(PipelineError, match="neither a champion nor a commit before this one"):
        miniature.compare()


def test_the_page_opens_without_network_on_a_phone_and_on_a_desk(miniature, open_page, keep_screenshot):
    classes = ("<img src=x onerror=console.log(1)>", "bee")
    record = {"stage": "train", "started": "2026-11-24T03:00:00+00:00", "images": 300, "seconds": 60.0, "host": "here"}
    miniature.small.write("logs/train.json", json.dumps(record))
    miniature.commit(knows=range(80), classes=classes)
    miniature.train(knows=range(4, 90), classes=classes, epochs=3)
    page, _ = miniature.compare("HEAD")
    for width in (390, 1280):
        opened = open_page(page, width)
        keep_screenshot(opened, f"compare-{width}")
        assert (opened.said, opened.asked) == ([], [])
        assert opened.ask("() => document.documentElement.scrollWidth") == width
        assert opened.ask("() => [...document.querySelectorAll('caption')].map(node => node.textContent)") == [
            "Both on the same test images",
            "Each on its own test images",
            "Images that only the new side classifies correctly",
            "Images that only the former side classified correctly",
            "Keys of params.yaml with other values",
            "What DVC has under another hash",
            "Images by their content",
            "Properties of the images",
            "Time and throughput",
        ]
        assert opened.ask("() => [...document.images].map(image => image.complete && image.naturalWidth)") == [8] * 14
        assert opened.ask("() => [...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))")
    opened.ask("() => document.querySelectorAll('thead th button').forEach(button => button.click())")
    assert opened.said == []


def test_a_number_that_only_the_new_side_has_is_shown_though_both_have_its_section():
    former = {"without_repeated": {"images": 0}}
    new = {"without_repeated": {"images": 5, "accuracy": 0.9, "low": 0.8, "high": 0.95}}
    rows = {row["name"]: (row["former"], row["new"]) for row in comparison._as_evaluated(former, new)}
    assert rows["without_repeated.accuracy"] == ("\u2013", "0.9000 (0.8000\u00a0to\u00a00.9500)")
    assert rows["without_repeated.images"] == ("0", "5")
