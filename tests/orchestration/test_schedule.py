"""Retraining by schedule: serve, and a worker with prefect.yaml, against a real Prefect server."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).parents[2]
NEVER = "0 0 29 2 *"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def served(toy, api, wait_for):
    """The project's deployment, served, with nothing due."""
    with toy.start("serve", "--cron", NEVER, "--retry-waits") as serving:
        found = wait_for(lambda: api.deployment(toy))
        yield found["id"]
        serving.send_signal(signal.SIGINT)
        serving.wait(timeout=30)


def flow_process(stage):
    """The process that runs the flow whose supervisor started a stage."""
    supervisor = next(parent for parent in stage.parents() if "supervisor.py" in " ".join(parent.cmdline()))
    return supervisor.parent()


def test_a_schedule_outlives_its_server(toy, api, wait_for, prefect_home):
    """It has one of its own here, and starts another."""
    port = free_port()
    del toy.environment["PREFECT_API_URL"]
    toy.environment["PREFECT_HOME"] = str(prefect_home())
    own = type(api)(f"http://127.0.0.1:{port}/api", wait_for)

    def found():
        try:
            return own.deployment(toy)
        except httpx.TransportError:
            return None

    with toy.start("serve", "--cron", NEVER, "--port", str(port), "--retry-waits") as serving:
        identity = wait_for(found, 120)["id"]
        (server,) = psutil.Process(serving.pid).children()
        server.terminate()
        # Prefect endures it for most of a minute.
        wait_for(lambda: "the schedule goes on" in serving.stdout.readline(), 180)
        assert wait_for(found, 120)["id"] == identity
        run = own.ask(f"deployments/{identity}/create_flow_run")["id"]
        wait_for(lambda: own.state(run) == "Promoted", 90)
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=30) in (0, 130)


def test_a_run_that_is_cancelled_from_the_ui_or_killed_leaves_nothing_and_the_next_one_starts_well(
    toy, api, served, wait_for
):
    def start():
        return api.ask(f"deployments/{served}/create_flow_run")["id"]

    toy.take(120)
    cancelled = start()
    wait_for(toy.at_work)
    api.ask(f"flow_runs/{cancelled}/set_state", state={"type": "CANCELLING"})
    wait_for(lambda: api.state(cancelled) == "Cancelled", 30)
    wait_for(lambda: not toy.at_work(), 5)

    killed = start()
    (stage, *_) = wait_for(toy.at_work)
    os.kill(flow_process(stage).pid, signal.SIGKILL)
    wait_for(lambda: not toy.at_work(), 5)
    wait_for(lambda: api.run(killed)["state"]["type"] == "CRASHED", 30)

    toy.take(0)
    again = start()
    wait_for(lambda: api.state(again) == "Promoted", 60)
    assert toy.run("git", "worktree", "list").count("\n") == 1


def test_a_worker_runs_what_prefect_yaml_deploys(toy, api, wait_for):
    for name in ("pipeline", "stages", "resnet"):
        shutil.copytree(ROOT / name, toy.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", toy.folder)
    toy.run("prefect", "work-pool", "create", "training", "--type", "process")
    toy.run("prefect", "--no-prompt", "deploy", "--all")
    worker = ["prefect", "worker", "start", "--pool", "training"]
    with subprocess.Popen(worker, cwd=toy.folder, env=toy.environment, stdout=subprocess.DEVNULL) as working:
        try:
            (own,) = [found for found in api.ask("deployments/filter") if found["name"] == "nightly"]
            assert [entry["schedule"]["cron"] for entry in own["schedules"]] == ["0 3 * * *"]
            run = api.ask(f"deployments/{own['id']}/create_flow_run")["id"]
            wait_for(lambda: api.state(run) == "Promoted", 90)
        finally:
            working.terminate()
    assert toy.branches()
