"""One run at a time, with real processes that hold the lock and are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline import dvc
from pipeline.errors import Busy, PipelineError
from pipeline.lock import AnotherRun, only_run, only_schedule
from pipeline.project import Project

# A run in miniature: holds the lock, says so, and starts what its last argument says, handing the lock on.
RUN = """
import subprocess, sys, time
from pathlib import Path
from pipeline.lock import only_run
from pipeline.project import Project
folder = Path(sys.argv[1])
with only_run(Project(folder, folder), "its flow run") as held:
    if sys.argv[2:]:
        subprocess.Popen(sys.argv[2:], pass_fds=(held.descriptor,), stdin=subprocess.PIPE)
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path, tmp_path)


@pytest.fixture
def another_run(project):
    started = []

    def start(*left_behind):
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, str(project.folder), *left_behind],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(run)
        assert run.stdout.readline() == "up\n"
        return run

    yield start
    for run in started:
        run.kill()
        run.communicate()


def test_the_lock_is_given_back_and_taken_again(project):
    for _ in range(2):
        with only_run(project) as held:
            assert held.crashed is None


def test_a_run_that_fails_gives_the_lock_back_and_has_not_crashed(project):
    with pytest.raises(RuntimeError, match="out of luck"), only_run(project):
        raise RuntimeError("out of luck")
    with only_run(project) as held:
        assert held.crashed is None


def test_the_second_of_two_runs_is_told_who_the_first_is(project, another_run):
    first = another_run()
    told = rf"another run is going \(process {first.pid}, since 20\d\d-.*\); this one is skipped"
    with pytest.raises(AnotherRun, match=told), only_run(project):
        pass
    # And did not disturb it.
    with pytest.raises(AnotherRun, match=told), only_run(project):
        pass


def test_two_runs_of_one_process_are_two_runs(project):
    with only_run(project), pytest.raises(AnotherRun, match=f"process {os.getpid()}"), only_run(project):
        pass


def test_a_run_that_was_killed_is_known_to_the_next_ones_until_it_is_told(project, another_run):
    killed = another_run()
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    # Such as `run` and `clean`, which tell nobody.
    for _ in range(2):
        with only_run(project) as held:
            assert (held.crashed.pid, held.crashed.flow_run) == (killed.pid, "its flow run")
    with only_run(project) as held:
        held.crashed = None
    with only_run(project) as held:
        assert held.crashed is None


def test_a_killed_run_whose_supervisor_still_ends_a_stage_is_waited_for(project, another_run, tmp_path):
    ending = f"sleep 1; touch {tmp_path / 'ended'}"
    killed = another_run("sh", "-c", ending)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "ended").exists()
    with only_run(project) as held:
        assert (tmp_path / "ended").exists()
        assert held.crashed.pid == killed.pid


def test_a_killed_run_that_nobody_has_buried_yet_is_dead(project, another_run, tmp_path):
    zombie = another_run("sh", "-c", f"sleep 1; touch {tmp_path / 'ended'}")
    os.kill(zombie.pid, signal.SIGKILL)
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE
    with only_run(project) as held:
        assert held.crashed.pid == zombie.pid


def test_a_stage_that_outlives_a_killed_run_keeps_others_out_for_as_long_as_it_writes(
    project, another_run, monkeypatch
):
    monkeypatch.setattr("pipeline.lock.SUPERVISOR_SECONDS", 0.3)
    killed = another_run("sleep", "600")
    (stage,) = psutil.Process(killed.pid).children()
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    try:
        with pytest.raises(AnotherRun), only_run(project):
            pass
    finally:
        stage.kill()
    with only_run(project) as held:
        assert held.crashed.pid == killed.pid


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "?"}', '{"somebody": 1}'])
def test_a_lock_file_that_says_nothing_is_free_for_the_taking(project, content):
    project.state.mkdir(parents=True)
    (project.state / "pipeline.lock").write_text(content)
    with only_run(project) as held:
        assert held.crashed is None


def test_dvc_at_work_is_not_taken_for_another_run(small):
    with small.dvc() as person, person.lock:
        with pytest.raises(Busy, match="DVC is at work in") as busy, only_run(small.found):
            dvc.status(small.folder)
        assert not isinstance(busy.value, AnotherRun)
    with only_run(small.found) as held:
        assert held.crashed is None


def test_a_folder_is_served_once_and_a_linked_worktree_beside_it(project, tmp_path):
    linked = Project(tmp_path / "linked", tmp_path)
    served = rf"{project.folder} is served already \(process {os.getpid()}, since"
    with only_schedule(project), only_schedule(linked), only_run(project), pytest.raises(PipelineError, match=served):
        only_schedule(project).__enter__()
    with only_schedule(project):
        pass
