"""What becomes of a run that something gets in the way of, with real git, real DVC and a real Prefect server."""

import os
import signal
import stat
import subprocess
import sys

import psutil
import pytest


@pytest.fixture
def told(tmp_path):
    """Whom to tell, and the events that have been told."""
    events, teller = tmp_path / "told", tmp_path / "tell.sh"
    teller.write_text(f'#!/bin/sh\necho "$EVENT" >> {events}\n')
    teller.chmod(teller.stat().st_mode | stat.S_IXUSR)
    return str(teller), lambda: events.read_text().split()


def test_a_second_run_is_skipped_while_one_is_going(toy, api, wait_for):
    toy.take(30)
    with toy.start("retrain") as first:
        wait_for(toy.at_work)
        assert "skipped: another run is going (process " in toy.retrain()
        assert "skipped: another run is going (process " in toy.pipeline("run")
        first.send_signal(signal.SIGINT)
        assert first.wait(timeout=20) in (1, 130)
    wait_for(lambda: not toy.at_work(), 5)


def test_ctrl_c_in_a_terminal_ends_a_run_at_once_and_prefects_own_server_with_it(toy, wait_for, prefect_home):
    script = (toy.folder / "train.py").read_text()
    farewell = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('goes on after epoch 0')))\n"
    )
    (toy.folder / "train.py").write_text(farewell + script)
    toy.take(300)
    del toy.environment["PREFECT_API_URL"]
    home = toy.environment["PREFECT_HOME"] = str(prefect_home())
    with toy.start("run") as going:
        wait_for(toy.at_work)
        for line in going.stdout:
            if "Epoch 1/3" in line:
                break
        # Of a terminal, to every process in the foreground.
        os.killpg(going.pid, signal.SIGINT)
        said = going.communicate(timeout=30)[0]
    assert going.returncode == 130
    assert "goes on after epoch 0" in said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert "connection" not in said
    wait_for(lambda: not _of_home(home), 10)


def _of_home(home):
    """The processes whose Prefect lives in a folder."""
    return [one for one in psutil.process_iter(["environ"]) if (one.info["environ"] or {}).get("PREFECT_HOME") == home]


def test_a_killed_run_leaves_no_process_and_the_next_one_clears_up_and_starts_well(toy, api, wait_for, told):
    whom, events = told
    toy.take(60)
    with toy.start("retrain") as killed:
        wait_for(toy.at_work)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    # Under way already while the last of it is still ending.
    toy.take(0)
    said = toy.retrain("--notify", whom)
    assert "promoted" in said
    assert not toy.at_work()
    assert toy.run("git", "worktree", "list").count("\n") == 1
    assert events() == ["crashed", "promoted"]
    newer, older = api.runs(toy)
    assert (newer["state"]["name"], older["state"]["type"]) == ("Promoted", "CRASHED")


def test_a_stage_that_takes_too_long_is_ended_and_told(toy, wait_for):
    toy.take(60)
    said = toy.retrain("--stage-timeout-seconds", "4", status=1)
    assert "error: " in said
    assert "4.0 second" in said
    wait_for(lambda: not toy.at_work(), 5)
    assert not toy.branches()


def test_a_failing_stage_is_not_tried_again_and_its_last_lines_are_the_reason(toy, api):
    with (toy.folder / "evaluate.py").open("a") as script:
        script.write("raise SystemExit('no luck today')\n")
    toy.run("git", "commit", "--quiet", "--all", "--message", "broken")
    said = toy.run("python", "-m", "pipeline", "retrain", status=1)
    assert said.count("Task run 'evaluate' - > python evaluate.py") == 1
    assert "no luck today" in said.split("error: ")[-1]
    assert "Traceback" not in said
    assert not toy.branches()
    assert api.runs(toy)[0]["state"]["name"] == "Failed"


def test_a_remote_that_cannot_be_reached_holds_up_no_retraining_and_gets_every_result_later(toy, tmp_path, told):
    whom, events = told
    (tmp_path / "store").write_text("a file where a folder should be")
    toy.run("dvc", "remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    toy.run("git", "init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    toy.run("git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    toy.run("git", "commit", "--quiet", "--all", "--message", "a remote")
    said = toy.retrain("--push", "--notify", whom, status=1)
    assert "Traceback" not in said
    assert events() == ["promoted", "failed"]
    (branch,) = toy.branches()
    assert f"{branch} stays here, and is pushed with the next run" in said
    assert branch not in toy.run("git", "ls-remote", "origin")
    toy.get_right(160)
    assert "stays here, and is pushed with the next run" in toy.retrain("--push", status=1)
    assert len(toy.branches()) == 2
    (tmp_path / "store").unlink()
    assert "skipped" in toy.retrain("--push")
    assert all(branch in toy.run("git", "ls-remote", "origin") for branch in toy.branches())
    assert any((tmp_path / "store").rglob("*"))


HOLD = "from dvc.repo import Repo\nwith Repo().lock:\n    print('held', flush=True)\n    input()"


def test_a_busy_dvc_is_waited_for(toy):
    held = {"cwd": toy.folder, "env": toy.environment, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD], text=True, **held) as holder:
        assert holder.stdout.readline() == "held\n"
        with toy.start("run") as going:
            for line in going.stdout:
                if "DVC is at work in" in line:
                    break
            else:
                pytest.fail("it did not wait")
            holder.communicate("let go\n")
            said = going.communicate(timeout=120)[0]
    assert going.returncode == 0, said
    assert "promoted" in said


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk: what happens when one fills was not tried")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_ends_the_run_and_loses_nothing(toy, small_disk):
    toy.run("dvc", "cache", "dir", "--quiet", "--local", str(small_disk))
    toy.run("dvc", "add", "--quiet", "photos")
    toy.retrain()
    with (toy.folder / "train.py").open("a") as script:
        script.write("pathlib.Path('models/model.keras').write_bytes(os.urandom(2_000_000))\n")
    toy.run("git", "commit", "--quiet", "--all", "--message", "a large model")
    said = toy.retrain(status=1)
    assert "No space left on device" in said
    assert "Traceback" not in said
    (branch,) = toy.branches()
    toy.run("git", "worktree", "prune")
    assert toy.run("git", "worktree", "list").count("\n") == 1
    toy.run("git", "reset", "--quiet", "--hard", branch)
    toy.run("dvc", "checkout", "--force", "--quiet")
    assert "agree" in toy.pipeline("verify")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["retrain", "--revision", "nothing"], "there is no revision 'nothing' here"),
        (["retrain", "--push"], "there is no git remote to push to"),
        (["serve", "--cron", "every night"], "'every night' is no cron line; expected"),
        (["serve", "--cron", "0 3 * * *", "--timezone", "Mars"], "there is no time zone 'Mars'"),
        (["serve", "--cron", "0 3 * * *", "--timezone", ""], "there is no time zone ''"),
        (["serve", "--cron", "0 0 30 2 *"], "'0 0 30 2 *' never comes"),
    ],
)
def test_bad_arguments_get_a_sentence(toy, arguments, sentence):
    said = toy.pipeline(*arguments, status=1)
    assert f"error: {sentence}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("time", ["nan", "-1", "0", "inf"])
def test_a_time_that_cannot_pass_is_refused(toy, time):
    said = toy.pipeline("retrain", f"--stage-timeout-seconds={time}", status=2)
    assert f"{time} is no number of seconds; expected more than 0" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["retrain", "--retry-waits", "nan"], "nan is no number of seconds; expected 0 or more"),
        (["clean", "--keep=-1"], "-1 is no number of retrainings; expected 0 to "),
        (["clean", "--keep", "9" * 20], "is no number of retrainings"),
    ],
)
def test_numbers_that_cannot_be_are_refused(toy, arguments, sentence):
    assert sentence in toy.pipeline(*arguments, status=2)


@pytest.mark.parametrize("content", ["", "stages: {}\n"])
def test_a_graph_without_stages_is_refused(toy, content):
    (toy.folder / "dvc.yaml").write_text(content)
    said = toy.pipeline("run", status=1)
    assert "has no stages; to have git's back: git checkout -- dvc.yaml" in said
    assert "Traceback" not in said


def test_without_git_it_is_said_what_is_missing(toy, tmp_path):
    toy.environment["PATH"] = str(tmp_path)
    said = toy.run(sys.executable, "-m", "pipeline", "models", status=1)
    assert "error: " in said
    assert "'git'" in said
    assert "Traceback" not in said


def test_no_server_no_repository_a_cycle_and_a_taken_name_get_a_sentence(toy, tmp_path):
    server, toy.environment["PREFECT_API_URL"] = toy.environment["PREFECT_API_URL"], "http://127.0.0.1:9/api"
    for command in (["run"], ["serve", "--cron", "* * * * *"]):
        assert "error: no Prefect server answers at PREFECT_API_URL" in toy.pipeline(*command, status=1)
    toy.environment["PREFECT_API_URL"] = server
    toy.run("git", "branch", "retrain")
    assert "error: the branch retrain exists" in toy.retrain(status=1)
    toy.run("git", "branch", "--delete", "retrain")
    stages = (toy.folder / "dvc.yaml").read_text()
    (toy.folder / "dvc.yaml").write_text(stages.replace("[train.py, photos]", "[data/predictions.parquet]"))
    said = toy.pipeline("run", status=1)
    assert "both a dependency and an output in stages: " in said.splitlines()[-1]
    assert "Traceback" not in said
    toy.folder = tmp_path
    assert "is in no git repository" in toy.pipeline("run", status=1)


def test_settings_that_the_gate_could_not_read_are_refused_before_anything_is_trained(toy):
    params = toy.folder / "params.yaml"
    params.write_text(params.read_text().replace("confidence: 0.95", "confidence: much"))
    toy.run("git", "commit", "--quiet", "--all", "--message", "settings of another time")
    said = toy.retrain(status=1)
    assert "error: params.yaml: gate.confidence" in said
    assert "Epoch" not in said


def test_data_that_nobody_versions_is_refused(toy):
    toy.run("dvc", "remove", "--quiet", "photos.dvc")
    toy.run("git", "add", "--all", ":!photos")
    toy.run("git", "commit", "--quiet", "--message", "photos that only this folder has")
    said = toy.retrain(status=1)
    assert "`dvc add photos`" in said
    assert not toy.branches()
