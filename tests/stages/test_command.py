import os
import signal
import subprocess
import sys

import pytest

from stages.command import run_and_exit
from stages.errors import BadInput

STAGES = ["prepare", "validate", "train", "evaluate", "report"]


@pytest.fixture(autouse=True)
def signals():
    """Python's own handlers, whatever this process inherited: a job in the background ignores Ctrl-C."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def refuse():
    raise BadInput("cats are no dogs; send dogs")


def test_work_that_is_done_ends_in_peace(capsys):
    run_and_exit(lambda: print("done"))
    assert capsys.readouterr() == ("done\n", "")


def test_bad_input_is_one_line_and_exit_1(capsys, monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(SystemExit) as ended:
        run_and_exit(refuse)
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "error: cats are no dogs; send dogs\n")


@pytest.mark.parametrize(
    ("error", "why"),
    [(MemoryError(), "for anything"), (MemoryError("Unable to allocate 8 GiB"), "Unable to allocate 8 GiB")],
)
def test_lack_of_memory_is_told_as_such(capsys, monkeypatch, error, why):
    def lack():
        raise error

    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(SystemExit) as caught:
        run_and_exit(lack)
    assert caught.value.code == 1
    expected = f"error: there is not enough memory ({why}); end what else runs, and start again\n"
    assert capsys.readouterr().err == expected


def test_under_dvc_a_second_line_says_how_to_get_former_outputs_back(here, capsys, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "prepare")
    with pytest.raises(SystemExit):
        run_and_exit(refuse)
    assert (
        capsys.readouterr()
        .err.splitlines()[1]
        .endswith("git checkout -- dvc.lock metrics plots reports && dvc checkout --force")
    )
    assert (here / ".dvc/tmp/stages/prepare.lock").read_text() == str(os.getpid())


def test_ctrl_c_is_told_and_exit_130(capsys):
    with pytest.raises(SystemExit) as ended:
        run_and_exit(lambda: os.kill(os.getpid(), signal.SIGINT))
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_ctrl_c_while_libraries_are_imported_is_told_alike(here, run_stage):
    # Found before the library, as Python looks in the current folder first.
    (here / "joblib.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    done = run_stage("prepare")
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "interrupted\n")


@pytest.mark.parametrize("closed", [">&-", "| true"])
def test_a_stage_whose_reader_has_gone_does_its_work_without_tracebacks(photos, params_file, here, closed):
    photos(count=30)
    params_file()
    command = f"{sys.executable} -m stages.prepare {closed}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert (here / "data/manifest.parquet").exists()


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_and_exit(lambda: 1 / 0)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_help(run_stage, stage):
    done = run_stage(stage, "--help")
    assert done.returncode == 0
    assert f"Stage {STAGES.index(stage) + 1}: " in done.stdout
    assert "--params FILE" in done.stdout
    assert ("--model FILE" in done.stdout) == ("--out FOLDER" in done.stdout) == (stage == "evaluate")
    assert done.stderr == ""


@pytest.mark.parametrize("stage", STAGES)
def test_help_waits_for_no_library(stage):
    command = [sys.executable, "-X", "importtime", "-m", f"stages.{stage}", "--help"]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "argparse" in imported
    assert not [name for name in ("numpy", "pandas", "pydantic", "ruamel.yaml") if f" {name}\n" in imported]


@pytest.mark.parametrize("stage", ["prepare", "evaluate"])
def test_a_stage_checks_all_params_before_it_does_anything(params_file, run_stage, here, stage):
    params_file(**{"report.titel": "misspelt"}).rename(here / "other.yaml")
    done = run_stage(stage, "--params", "other.yaml")
    assert done.returncode == 1
    assert done.stderr == "error: other.yaml: unknown key report.titel (did you mean title?)\n"
    assert [path.name for path in here.iterdir()] == ["other.yaml"]


def test_a_stage_writes_its_lines_and_nothing_else(photos, params_file, run_stage, here):
    photos(count=30)
    params_file()
    done = run_stage("prepare")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("60 images of 2 classes: ")
    assert sorted(path.name for path in here.iterdir()) == ["data", "logs", "params.yaml", "photos"]
