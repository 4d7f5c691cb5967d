"""A new model beside the champion, in a project in miniature whose stages and network are a few lines each."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline import candidate, registry
from pipeline.errors import PipelineError

PARAMS = (Path(__file__).parents[2] / "params.yaml").read_text()
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
# A model in miniature is a list of the images that it knows, and the time that it takes.
EVALUATE = """
import argparse, json
from pathlib import Path
import pandas as pd
parser = argparse.ArgumentParser()
parser.add_argument("--model", type=Path)
parser.add_argument("--out", type=Path)
options = parser.parse_args()
known = json.loads(options.model.read_text())["known"]
images = pd.read_parquet("data/manifest.parquet").query("split == 'test'")
(options.out / "data").mkdir(parents=True)
images[["sha256", "label"]].assign(correct=images["sha256"].isin(known)).to_parquet(
    options.out / "data/predictions.parquet"
)
"""
TIME = """
import argparse, json
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["time"])
parser.add_argument("--model", type=Path)
parser.add_argument("--against", type=Path)
parser.add_argument("--json", action="store_true")
options = parser.parse_args()
own, other = (json.loads(path.read_text())["milliseconds"] for path in (options.model, options.against))
print("what TensorFlow has to say")
print(json.dumps({"milliseconds": own, "ratio": own / other, "ratio_low": 0.9 * own / other}))
"""
TEST = range(400)


class Miniature:
    """The project, in which models of any ability are trained in no time."""

    def __init__(self, small):
        self.small, self.folder = small, small.folder
        small.git("rm", "--quiet", "-r", "dvc.lock", "dvc.yaml", "metrics")
        small.write("dvc.yaml", STAGE)
        small.write("stages/__init__.py", "")
        small.write("stages/evaluate.py", EVALUATE)
        small.write("resnet/__init__.py", "")
        small.write("resnet/__main__.py", TIME)

    def train(self, knows, test=TEST, train=range(1000, 1040), milliseconds=10, classes="ab", size=32, mean=100.0):
        """Make a model that is right about some images, and commit it."""
        self.small.write("params.yaml", PARAMS.replace("image_size: 32", f"image_size: {size}"))
        made = self.folder / "made"
        shutil.rmtree(made, ignore_errors=True)
        for name in ("data/prepared", "models", "metrics"):
            (made / name).mkdir(parents=True)
        numbers = [*test, *train]
        manifest = pd.DataFrame({"sha256": [f"image {number}" for number in numbers]}).assign(
            label=["ab"[number % 2] for number in numbers],
            split=["test"] * len(test) + ["train"] * len(train),
            mean=mean,
            std=10.0,
            width=32,
            height=32,
            error=None,
        )
        known = [f"image {number}" for number in knows]
        tested = manifest[manifest["split"] == "test"]
        predictions = tested[["sha256", "label"]].assign(correct=tested["sha256"].isin(known))
        manifest.to_parquet(made / "data/manifest.parquet")
        predictions.to_parquet(made / "data/predictions.parquet")
        (made / "data/prepared/classes.json").write_text(json.dumps(list(classes)))
        (made / "models/model.keras").write_text(json.dumps({"known": known, "milliseconds": milliseconds}))
        (made / "metrics/evaluate.json").write_text(json.dumps({"accuracy": 0.5, "ece": 0.01}))
        with self.small.dvc() as repo:
            repo.reproduce()
        return self.small.commit(f"a model that knows {len(known)}")

    def reign(self, *arguments, **keywords):
        """Make a model, and make it the champion."""
        return registry.promote(self.folder, self.train(*arguments, **keywords))

    def judge(self, said=None):
        return candidate.judge(self.folder, (said if said is not None else []).append)


@pytest.fixture
def miniature(small):
    return Miniature(small)


def test_the_first_model_is_promoted_by_the_limits_alone(miniature):
    miniature.train(knows=range(300))
    verdict = miniature.judge()
    assert (verdict.outcome, verdict.reasons) == ("promoted", ["there is no champion yet, and every limit holds"])
    assert verdict.numbers["champion"] is None
    assert verdict.numbers["candidate"]["worst_class_recall"] == 0.75
    assert verdict.numbers["candidate"]["calibration_error"] == 0.01


def test_the_first_model_is_rejected_by_a_limit(miniature):
    miniature.train(knows=range(0, 400, 2))
    verdict = miniature.judge()
    assert verdict.outcome == "rejected"
    assert verdict.reasons == ["the recall of class b is 0.00%, below gate.worst_class_recall, 10.00%"]


@pytest.mark.parametrize(
    ("knows", "outcome"),
    [
        (range(390), "promoted"),
        (range(350), "promoted"),
        (range(300), "rejected"),
        # As many, but others.
        ([*range(340), *range(390, 400)], "undecided"),
    ],
)
def test_a_model_is_held_against_the_champion_image_by_image(miniature, knows, outcome):
    champion = miniature.reign(knows=range(350))
    miniature.train(knows=knows)
    verdict = miniature.judge()
    assert verdict.outcome == outcome
    assert verdict.numbers["champion"] == "model@v0.0.1"
    assert verdict.numbers["champion_commit"] == champion.commit
    assert verdict.numbers["difference"]["images"] == 400
    assert verdict.numbers["difference"]["mean"] == pytest.approx((len(knows) - 350) / 400)
    assert verdict.numbers["candidate"]["latency_ratio"] == 1.0
    json.dumps(verdict.numbers, allow_nan=False)


def test_when_the_test_images_have_changed_the_champion_is_evaluated_on_the_new_ones(miniature):
    miniature.reign(knows=range(500), test=range(400))
    miniature.train(knows=range(600), test=range(200, 600))
    said = []
    verdict = miniature.judge(said)
    assert verdict.outcome == "promoted"
    assert any("model@v0.0.1 is evaluated on the new ones first" in line for line in said)
    difference = verdict.numbers["difference"]
    assert (difference["images"], difference["accuracy"], difference["champion_accuracy"]) == (400, 1.0, 0.75)


def test_a_test_image_that_the_champion_saw_twice_hides_no_new_one(miniature):
    miniature.reign(knows=range(350), test=[*range(399), 0])
    miniature.train(knows=range(390))
    said = []
    verdict = miniature.judge(said)
    assert any("the test images have changed" in line for line in said)
    assert verdict.numbers["difference"]["images"] == 400


def test_when_test_images_have_only_gone_the_rest_is_compared(miniature):
    miniature.reign(knows=range(350), test=range(400))
    miniature.train(knows=range(350), test=range(200, 400))
    said = []
    assert miniature.judge(said).numbers["difference"]["images"] == 200
    assert not any("evaluated" in line for line in said)


def test_images_that_either_model_was_trained_on_do_not_count(miniature):
    miniature.reign(knows=range(400), test=range(300), train=range(300, 400))
    miniature.train(knows=range(400), test=range(400), train=range(100))
    assert miniature.judge().numbers["difference"]["images"] == 200


def test_the_limits_are_of_all_test_images_also_of_those_that_the_champion_was_trained_on(miniature):
    # Of class b, which the new model does not know, all new test images were the champion's training data.
    odd = range(1, 400, 2)
    miniature.reign(knows=range(400), test=range(0, 400, 2), train=odd)
    miniature.train(knows=range(0, 400, 2), test=range(400), train=range(1000, 1040))
    verdict = miniature.judge()
    assert verdict.outcome == "rejected"
    assert "the recall of class b is 0.00%, below gate.worst_class_recall, 10.00%" in verdict.reasons


def test_when_every_test_image_was_trained_on_nothing_can_be_said(miniature):
    miniature.reign(knows=range(400), test=range(300), train=range(300, 400))
    miniature.train(knows=range(400), test=range(300, 400), train=range(300))
    verdict = miniature.judge()
    assert verdict.outcome == "undecided"
    assert verdict.reasons[0].startswith("every test image is in the training data of one of the models")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"classes": "abc"}, "model@v0.0.1 has different classes"),
        ({"size": 64}, "model@v0.0.1 takes images of 32 pixels, and this model of 64"),
    ],
)
def test_models_for_different_things_are_not_compared(miniature, changes, reason):
    miniature.reign(knows=range(300))
    miniature.train(knows=range(400), **changes)
    verdict = miniature.judge()
    assert (verdict.outcome, verdict.reasons[0]) == ("undecided", reason)
    assert "python -m pipeline promote REV" in verdict.reasons[1]


def test_a_model_that_takes_too_long_is_rejected_however_good(miniature):
    miniature.reign(knows=range(300))
    miniature.train(knows=range(400), milliseconds=17)
    verdict = miniature.judge()
    assert verdict.outcome == "rejected"
    slow, accuracy = verdict.reasons
    assert slow == "it takes 1.70 times as long as the champion (at least 1.53), above gate.latency_ratio, 1.5"
    assert "a difference of +25.00 points" in accuracy


def test_the_very_model_that_a_person_has_gone_back_from_is_not_promoted_again(miniature):
    miniature.reign(knows=range(350))
    better = miniature.reign(knows=range(390))
    registry.rollback(miniature.folder)
    # Whatever else may have changed.
    miniature.small.write("README.md", "another line\n")
    miniature.train(knows=range(390))
    verdict = miniature.judge()
    assert verdict.outcome == "undecided"
    assert f"this model is {better} to the byte, which was rolled back" in verdict.reasons
    miniature.train(knows=range(391))
    assert miniature.judge().outcome == "promoted"


def test_a_model_that_was_rolled_back_and_is_in_use_all_the_same_is_judged_as_any_other(miniature):
    miniature.reign(knows=range(350))
    miniature.small.write("README.md", "another line\n")
    # A version that differs from the one before in nothing but this.
    registry.promote(miniature.folder, miniature.small.commit("another line"))
    registry.rollback(miniature.folder)
    miniature.train(knows=range(350))
    assert miniature.judge().outcome == "promoted"


def test_images_that_look_different_are_warned_of(miniature):
    miniature.reign(knows=range(350))
    miniature.train(knows=range(350), mean=200.0)
    verdict = miniature.judge()
    assert verdict.outcome == "promoted"
    assert verdict.reasons[-1] == "mind that the images differ in brightness"
    assert [row["feature"] for row in verdict.numbers["drift"] if row["warning"]] == ["brightness"]


def test_a_champion_whose_files_are_lost_leaves_it_undecided_with_ways_out(miniature):
    champion = miniature.reign(knows=range(350))
    place = miniature.small.stored("models/model.keras", champion.commit)
    miniature.train(knows=range(400))
    place.unlink()
    verdict = miniature.judge()
    assert verdict.outcome == "undecided"
    assert verdict.reasons[0].startswith("the files of model@v0.0.1 cannot be had: models/model.keras of ")
    assert "dvc fetch" in verdict.reasons[0]
    assert verdict.reasons[1:] == ["`python -m pipeline promote REV`, or rollback, decides by hand"]
    # Even so: what breaks a limit is rejected.
    miniature.train(knows=[])
    assert miniature.judge().outcome == "rejected"


def test_a_champion_that_only_a_remote_has_is_fetched(miniature):
    small = miniature.small
    (small.folder.parent / "store").mkdir()
    with small.dvc() as repo, repo.config.edit("repo") as settings:
        settings["remote"]["store"] = {"url": str(small.folder.parent / "store")}
        settings["core"]["remote"] = "store"
    miniature.reign(knows=range(350))
    with small.dvc() as repo:
        repo.push()
    shutil.rmtree(small.folder / ".dvc/cache")
    miniature.train(knows=range(390))
    assert miniature.judge().outcome == "promoted"


def test_a_champion_that_cannot_be_evaluated_on_new_images_is_an_error(miniature):
    miniature.reign(knows=range(400))
    miniature.small.write("stages/evaluate.py", "raise SystemExit('out of memory')")
    miniature.train(knows=range(500), test=range(500))
    with pytest.raises(PipelineError, match=r"model@v0\.0\.1 could not be evaluated on the new images: out of memory"):
        miniature.judge()


def test_a_time_that_cannot_be_measured_is_an_error(miniature):
    miniature.reign(knows=range(400))
    miniature.small.write("resnet/__main__.py", "raise SystemExit('no such device')")
    miniature.train(knows=range(399))
    with pytest.raises(PipelineError, match="the time that the models take could not be measured: no such device"):
        miniature.judge()


def test_the_very_model_of_the_champion_needs_no_measuring(miniature):
    miniature.reign(knows=range(400))
    miniature.small.write("resnet/__main__.py", "raise SystemExit('no such device')")
    miniature.train(knows=range(400))
    assert miniature.judge().numbers["candidate"]["latency_ratio"] == 1.0


def test_parameters_that_cannot_be_read_are_an_error(miniature):
    miniature.train(knows=range(400))
    miniature.small.write("params.yaml", PARAMS.replace("margin: 0.01", "margin: wide"))
    with pytest.raises(PipelineError, match=r"gate\.margin"):
        miniature.judge()


def test_the_champions_files_are_gone_afterwards_and_those_that_a_killed_run_left(miniature):
    miniature.reign(knows=range(350))
    miniature.train(knows=range(360))
    miniature.small.write(".dvc/tmp/champion/models/model.keras", "half a mod")
    assert miniature.judge().outcome == "promoted"
    assert not (miniature.folder / ".dvc/tmp/champion").exists()
