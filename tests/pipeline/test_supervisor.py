"""Nothing that the supervisor starts outlives whoever started the supervisor."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

SUPERVISOR = [sys.executable, "-m", "pipeline.supervisor"]
# Stages in miniature: one that does not listen, one below a shell, and one that needs a moment to clear up.
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
TIDY = (
    "import pathlib, signal, sys, time\n"
    "def clear_up(*_):\n"
    "    time.sleep(1)\n"
    "    pathlib.Path(sys.argv[1]).touch()\n"
    "    sys.exit()\n"
    "signal.signal(15, clear_up)\n"
    "print('up', flush=True)\n"
    "time.sleep(600)\n"
)
STAGES = {
    "a stubborn one": [sys.executable, "-c", STUBBORN],
    "one below a shell": ["sh", "-c", f'{sys.executable} -c "{STUBBORN}" & wait'],
}
CALLER = "import subprocess, sys; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()"


def start(*command):
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def family_of(process):
    assert process.stdout.readline() == "up\n"
    return psutil.Process(process.pid).children(recursive=True)


def test_the_commands_status_and_output_come_through():
    with start(*SUPERVISOR, "sh", "-c", "echo hello; exit 7") as process:
        assert process.stdout.read() == "hello\n"
    assert process.returncode == 7


def test_a_command_that_ends_by_a_signal_is_told_as_a_shell_tells_it():
    with start(*SUPERVISOR, "sh", "-c", "kill -9 $$") as process:
        process.wait(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL


def test_what_a_command_leaves_running_ends_with_it():
    with start(*SUPERVISOR, "sh", "-c", "sleep 600 & echo $!") as process:
        left = int(process.stdout.readline())
        process.wait(timeout=30)
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("signal_to_caller", [signal.SIGKILL, signal.SIGTERM, None])
def test_all_that_was_started_ends_when_the_caller_dies_or_closes_the_pipe(signal_to_caller, stage):
    command = [*SUPERVISOR, *STAGES[stage]]
    with start(*command) if signal_to_caller is None else start(sys.executable, "-c", CALLER, *command) as caller:
        family = family_of(caller)
        assert family
        if signal_to_caller is not None:
            os.kill(caller.pid, signal_to_caller)
        caller.stdin.close()
        _, left = psutil.wait_procs(family, timeout=8)
        assert not left


@pytest.mark.parametrize("stage", STAGES)
def test_a_supervisor_that_is_told_to_end_ends_its_command(stage):
    with start(*SUPERVISOR, *STAGES[stage]) as process:
        family = family_of(process)
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=8)
        assert not left


def test_a_command_is_given_time_to_clear_up(tmp_path):
    with start(*SUPERVISOR, sys.executable, "-c", TIDY, str(tmp_path / "cleared")) as process:
        family_of(process)
        process.stdin.close()
        process.wait(timeout=30)
    assert (tmp_path / "cleared").exists()
