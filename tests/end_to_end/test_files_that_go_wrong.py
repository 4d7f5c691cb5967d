"""Disks that fill, folders that may not be written, files that go, flipped bits, clocks that jump: tried for real."""

import os
import shutil
import signal
import subprocess
import time

import pytest

FOLDERS = {"prepare": "data", "validate": "reports", "train": "models", "evaluate": "metrics", "report": "reports"}
OUTPUTS = ("data", "models", "metrics", "plots", "reports")


def content(project):
    """Every byte of every output."""
    files = [path for name in OUTPUTS for path in (project.folder / name).rglob("*")]
    return {path: path.read_bytes() for path in files if path.is_file()}


@pytest.fixture
def restored(project):
    """Let a training begin at its beginning, and have DVC and git bring back what a test has spoilt."""
    # Of one that another test let fail at its very end nothing would be left to do.
    shutil.rmtree(project.folder / ".dvc/tmp/checkpoints", ignore_errors=True)
    yield
    project.run("git", "checkout", ".")
    project.run("dvc", "checkout", "--force")


@pytest.mark.parametrize("stage", FOLDERS)
def test_a_disk_without_room_gets_a_sentence_and_leaves_every_former_output(project, stage):
    before = content(project)
    # No file of more than a kilobyte can be written, as if that were what is left.
    said = project.run("bash", "-c", f"ulimit -f 1 && exec python -m stages.{stage}", fails=True)
    assert "there is no room to write: free some, and start again" in said
    assert "Traceback" not in said
    assert content(project) == before


@pytest.fixture
def read_only(project):
    """Make a folder one that may not be written, by root neither."""
    mounted = []

    def protect(folder):
        if os.geteuid():
            folder.chmod(0o555)
        else:
            if subprocess.run(["mount", "--bind", folder, folder], check=False).returncode:
                pytest.skip("root may not mount here, and would write anywhere: a read-only folder was not tried")
            mounted.append(folder)
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)

    yield protect
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)
    for name in FOLDERS.values():
        (project.folder / name).chmod(0o755)


@pytest.mark.parametrize("stage", FOLDERS)
def test_a_folder_that_may_not_be_written_gets_a_sentence_and_keeps_what_it_has(project, read_only, stage):
    before = content(project)
    read_only(project.folder / FOLDERS[stage])
    said = project.run("python", "-m", f"stages.{stage}", fails=True)
    assert "this may not be written or read: change that, and start again" in said
    assert "Traceback" not in said
    assert content(project) == before


def test_a_file_that_is_removed_while_a_stage_runs_is_named_and_nothing_is_recorded(project, restored):
    before = project.lock()
    with project.start("dvc", "repro", "--force", "--single-item", "train") as process:
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("training resnet10 on"):
                (project.folder / "data/prepared/classes.json").unlink()
    assert process.returncode != 0
    assert "data/prepared/classes.json" in said
    # The one where it was yet to be read, the other where it had been.
    sentences = ("has gone meanwhile: bring it back", "changed while the stage ran")
    assert any(sentence in said for sentence in sentences), said
    assert "Traceback" not in said
    assert "to have the former results back: " in said
    assert project.lock() == before


def cached(project, output):
    """The object of DVC's cache that an output is."""
    md5 = next(line.split()[-1] for line in _lines_after(project.lock().decode(), f"path: {output}") if "md5: " in line)
    return project.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def _lines_after(text, mark):
    return text.partition(mark)[2].splitlines()[1:]


def test_a_bit_that_flipped_in_dvcs_cache_is_found_before_the_model_is_used(project, restored):
    stored = cached(project, "models/model.keras")
    whole, mode = stored.read_bytes(), stored.stat().st_mode
    before = (project.folder / "metrics/evaluate.json").read_bytes()
    stored.chmod(0o644)
    stored.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    stored.chmod(mode)
    try:
        (project.folder / "models/model.keras").unlink()
        said = project.run("sh", "-c", "dvc checkout && python -m stages.evaluate", fails=True)
        assert "Traceback" not in said
        assert "models/model.keras" in said
        assert (project.folder / "metrics/evaluate.json").read_bytes() == before
        assert "models/model.keras" in project.run("python", "-m", "pipeline", "verify", fails=True)
    finally:
        stored.chmod(0o644)
        stored.write_bytes(whole)
        stored.chmod(mode)


def test_a_model_that_was_cut_short_gets_a_sentence(project, restored):
    model = project.folder / "models/model.keras"
    whole = model.read_bytes()
    model.unlink()
    model.write_bytes(whole[: len(whole) // 2])
    before = (project.folder / "metrics/evaluate.json").read_bytes()
    said = project.run("python", "-m", "stages.evaluate", fails=True)
    assert "error: models/model.keras" in said
    assert "`dvc repro train` or `dvc checkout`" in said
    assert (project.folder / "metrics/evaluate.json").read_bytes() == before


def test_a_manifest_that_was_edited_by_hand_is_neither_trained_nor_measured_with(project, restored):
    code = (
        "import pandas as pd; table = pd.read_parquet('data/manifest.parquet'); "
        "table['label'] = table['label'].where(table.index != 0, 'blue'); table.to_parquet('data/new.parquet'); "
        "import os; os.replace('data/new.parquet', 'data/manifest.parquet')"
    )
    project.run("python", "-c", code)
    # The second of them reads it by way of what validate says of it.
    project.run("python", "-m", "stages.validate")
    for stage in ("evaluate", "train"):
        said = project.run("python", "-m", f"stages.{stage}", fails=True)
        assert "error: data/manifest.parquet and data/prepared do not belong together" in said
        assert "Traceback" not in said


def test_of_two_that_prepare_the_same_folder_at_once_the_second_waits_and_both_make_the_same(project):
    before = content(project)
    for _ in range(10):  # one may have ended before the other has begun
        first, second = (project.start("python", "-m", "stages.prepare") for _ in range(2))
        said = [process.communicate(timeout=120)[0] for process in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0), said
        assert content(project) == before
        if waited := [one for one in said if "waiting for the process" in one]:
            break
    assert len(waited) == 1


def test_a_clock_that_jumps_back_between_a_kill_and_the_next_run_changes_nothing(project, restored):
    before, checkpoints = project.lock(), project.folder / ".dvc/tmp/checkpoints"
    with project.start("dvc", "repro", "--force", "--single-item", "train") as process:
        # Two, so that one is older than the other; there is one more after each step.
        while len(list(checkpoints.glob("*/*.npz"))) < 2:
            assert process.poll() is None, "it ended without a checkpoint"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    # What was written before the jump now comes from the future, and the older a checkpoint the later it seems.
    written = sorted((project.folder / ".dvc/tmp").rglob("*"), key=lambda path: path.stat().st_mtime)
    for place, path in enumerate(written):
        future = time.time() + 3600 + len(written) - place
        os.utime(path, (future, future))
    said = project.run("dvc", "repro", "--force", "--single-item", "train")
    assert "resuming" in said
    assert project.lock() == before
    assert project.run("git", "status", "--porcelain") == ""


def test_a_lock_file_that_dvc_was_killed_in_the_middle_of_is_mended_by_a_flow_and_by_removing_it(
    project, prefect_server, monkeypatch
):
    before, half = project.lock(), project.folder / ".dvc/tmp/rwlock"
    half.write_text("")
    assert "Unable to read RWLock-file '.dvc/tmp/rwlock'" in project.run(
        "dvc", "repro", "--force", "validate", fails=True
    )
    half.unlink()
    project.run("dvc", "repro")
    half.write_text("{")
    monkeypatch.setitem(project.environment, "PREFECT_API_URL", prefect_server)
    (project.folder / "reports/validation.json").unlink()
    project.run("python", "-m", "pipeline", "run")
    assert project.lock() == before


def test_a_dvc_lock_that_dvc_was_killed_in_the_middle_of_is_mended_by_a_flow_and_by_git(
    project, prefect_server, monkeypatch
):
    before, lock = project.lock(), project.folder / "dvc.lock"
    lock.write_text("")
    assert "'./dvc.lock' validation failed" in project.run("dvc", "repro", fails=True)
    project.run("git", "checkout", "dvc.lock")
    project.run("dvc", "repro")
    assert project.lock() == before
    lock.write_text("")
    monkeypatch.setitem(project.environment, "PREFECT_API_URL", prefect_server)
    project.run("python", "-m", "pipeline", "run")
    assert project.lock() == before
