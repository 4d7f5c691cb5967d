"""What the flow asks of DVC, with a real DVC project of shell commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import dvc

STAGES = """
stages:
  count:
    cmd: wc -l < data/words.txt > counted
    deps: [data/words.txt]
    outs: [counted]
  announce:
    cmd: echo counted; cat counted > announced
    deps: [counted]
    outs: [announced]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/words.txt").write_text("one\ntwo\n")
    (tmp_path / "dvc.yaml").write_text(STAGES)
    run_dvc(tmp_path, "init", "--no-scm", "--quiet")
    run_dvc(tmp_path, "add", "--quiet", "data/words.txt")
    return tmp_path


def run_dvc(folder, *arguments):
    subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True, env=os.environ | dvc.environment()
    )


def reproduce_all(folder, said=None):
    stages = dvc.in_order(dvc.graph(folder))
    return {stage: dvc.reproduce(folder, stage, (said if said is not None else []).append) for stage in stages}


def test_data_that_dvc_tracks_comes_before_the_stages_that_read_it(folder):
    assert dvc.in_order(dvc.graph(folder)) == ["data/words.txt.dvc", "count", "announce"]


def test_stages_run_once_and_are_restored_from_the_run_cache(folder):
    said = []
    assert reproduce_all(folder, said) | {"data/words.txt.dvc": ""} == {
        "data/words.txt.dvc": "",
        "count": "ran",
        "announce": "ran",
    }
    assert "counted" in said
    assert set(reproduce_all(folder).values()) == {"unchanged"}
    (folder / "counted").unlink()
    (folder / "dvc.lock").unlink()
    assert reproduce_all(folder)["count"] == "restored"


def test_new_data_is_taken_up_as_repro_takes_it_up(folder):
    reproduce_all(folder)
    (folder / "data/words.txt").write_text("one\ntwo\nthree\n")
    stages = dvc.graph(folder)
    assert dvc.stale(folder, stages) == set(stages)
    assert set(reproduce_all(folder).values()) == {"ran"}
    recorded = {name: (folder / name).read_bytes() for name in ("dvc.lock", "data/words.txt.dvc")}
    run_dvc(folder, "repro", "--force", "--quiet")
    assert {name: (folder / name).read_bytes() for name in recorded} == recorded


def test_a_stage_that_fails_is_told_with_its_last_lines(folder):
    (folder / "dvc.yaml").write_text(STAGES.replace("wc -l < data/words.txt > counted", "echo no luck; exit 3"))
    with pytest.raises(dvc.DvcFailed, match=r"(?s)stage count failed with status .*no luck"):
        dvc.reproduce(folder, "count", lambda line: None)


def test_a_cycle_is_refused(folder):
    (folder / "dvc.yaml").write_text(STAGES.replace("deps: [data/words.txt]", "deps: [announced]"))
    with pytest.raises(dvc.DvcFailed, match="cycle"):
        dvc.graph(folder)
