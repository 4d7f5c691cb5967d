"""What a run came to: written, and shown to a person."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from pipeline import registry, results
from pipeline.results import Metric, Result, StageRun

RESULT = Result(
    "rejected",
    ["worse", "too slow"],
    [StageRun("prepare", "unchanged", 0.0), StageRun("train", "ran", 12.3)],
    {"difference": {"low": -0.5}, "champion": None},
    [Metric("evaluate.accuracy", 0.5, 0.75), Metric("evaluate.new", 1.0, None)],
    "retrain/x",
)


def test_a_result_is_written_as_json_into_folders_that_it_makes(tmp_path):
    results.write(tmp_path / "logs/deep/run.json", RESULT)
    assert json.loads((tmp_path / "logs/deep/run.json").read_text()) == asdict(RESULT)


def test_numbers_of_numpy_are_written_as_numbers(tmp_path):
    results.write(tmp_path / "run.json", Result("promoted", [], [], {"mean": np.float32(0.5), "n": np.int64(3)}))
    assert json.loads((tmp_path / "run.json").read_text())["numbers"] == {"mean": 0.5, "n": 3}


def test_a_result_that_cannot_be_written_leaves_the_former_one(tmp_path):
    results.write(tmp_path / "run.json", RESULT)
    former = (tmp_path / "run.json").read_bytes()
    with pytest.raises((TypeError, ValueError)):
        results.write(tmp_path / "run.json", Result("promoted", [], [], {"what": object()}))
    assert (tmp_path / "run.json").read_bytes() == former


def test_the_state_is_named_after_the_outcome():
    state = RESULT.state()
    assert (state.name, state.message, state.is_completed()) == ("Rejected", "worse; too slow", True)
    assert state.data == RESULT


def test_metrics_stand_beside_the_champions(small):
    assert results.metrics(small.folder) == [Metric("evaluate.accuracy", 0.1, None)]
    registry.promote(small.folder, "main")
    small.train(2)
    assert results.metrics(small.folder) == [Metric("evaluate.accuracy", 0.2, 0.1)]


def test_a_person_sees_stages_numbers_and_reasons(capsys):
    results.print_result(RESULT)
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "stage state seconds",
        "prepare unchanged 0.0",
        "train ran 12.3",
        "metric value champion difference",
        "evaluate.accuracy 0.5 0.75 -0.25",
        "evaluate.new 1",
        "branch retrain/x",
        "rejected: worse; too slow",
    ]


def test_square_brackets_in_the_name_of_a_class_are_printed_as_they_are(capsys):
    results.print_result(Result("rejected", ["of class [/cat], 0.00% are recognised, and of [dog] few"], []))
    assert "of class [/cat], 0.00% are recognised, and of [dog] few" in capsys.readouterr().out
