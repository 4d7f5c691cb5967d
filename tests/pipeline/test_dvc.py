"""What the flow asks of DVC, with a real DVC project of shell commands."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import dvc
from pipeline.processes import environment

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


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A project whose data DVC has and whose stages have never run."""
    folder = tmp_path_factory.mktemp("added")
    (folder / "data").mkdir()
    (folder / "data/words.txt").write_text("one\ntwo\n")
    (folder / "dvc.yaml").write_text(STAGES)
    run_dvc(folder, "init", "--no-scm", "--quiet")
    run_dvc(folder, "add", "--quiet", "data/words.txt")
    return folder


@pytest.fixture
def folder(added, tmp_path, monkeypatch):
    """Such a project of a test's own."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return shutil.copytree(added, tmp_path / "project", symlinks=True)


def run_dvc(folder, *arguments):
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True, env=environment())


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


def test_inputs_have_changed_where_data_parameters_or_commands_have(small):
    assert dvc.changed_inputs(small.folder) == []
    small.write("params.yaml", "rate: 2\n")
    assert dvc.changed_inputs(small.folder) == ["train"]
    small.write("params.yaml", "rate: 1\n")
    small.write("data/words.txt", "three\n")
    assert set(dvc.changed_inputs(small.folder)) == {"data/words.txt.dvc", "prepare"}
    small.write("data/words.txt", "one\ntwo\n")
    small.write("dvc.yaml", small.read("dvc.yaml").replace("wc -l", "wc --lines"))
    assert dvc.changed_inputs(small.folder) == ["prepare"]


def test_inputs_are_the_same_wherever_the_outputs_have_gone(small):
    for folder in ("models", "data/prepared", ".dvc/cache"):
        shutil.rmtree(small.folder / folder)
    (small.folder / "data/words.txt").unlink()
    assert dvc.changed_inputs(small.folder) == []


def test_an_edited_output_is_a_changed_input_of_what_reads_it(small):
    small.write("data/prepared/lines", "99\n")
    assert "train" in dvc.changed_inputs(small.folder)


def test_what_has_never_run_has_changed(small):
    (small.folder / "dvc.lock").unlink()
    assert dvc.changed_inputs(small.folder) == ["prepare", "train"]


def test_what_git_keeps_of_a_run_is_each_lock_and_what_dvc_does_not_store(small):
    small.write("more/dvc.yaml", 'stages: {say: {cmd: echo x, outs: [stored, "Größe, 1, 2.csv": {cache: false}]}}\n')
    assert dvc.kept_in_git(small.folder) == [
        "dvc.lock",
        "metrics/evaluate.json",
        "more/Größe, 1, 2.csv",
        "more/dvc.lock",
    ]
