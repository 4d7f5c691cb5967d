"""A machine that was off when a run was due, with a real Prefect server and the real clock."""

import signal
from datetime import UTC, datetime

import psutil

# The sixth field is seconds. A run that takes longer than that to begin finds a later one due, and is skipped.
EVERY_30_SECONDS = "* * * * * */30"


def test_a_run_that_was_missed_is_made_up_for_once_and_completes(toy, api, wait_for):
    with toy.start("serve", "--cron", EVERY_30_SECONDS) as serving:
        wait_for(lambda: api.deployment(toy))
        # The machine goes off.
        psutil.Process(serving.pid).kill()
    own = api.deployment(toy)["id"]

    def runs(*names):
        wanted = {"deployment_id": {"any_": [own]}, "state": {"name": {"any_": list(names)}}}
        return api.ask("flow_runs/filter", flow_runs=wanted, sort="EXPECTED_START_TIME_ASC")

    def is_over(run):
        return datetime.fromisoformat(run["expected_start_time"]) < datetime.now(UTC)

    wait_for(lambda: sum(map(is_over, runs("Scheduled", "Late"))) >= 2, 180)
    with toy.start("serve", "--cron", EVERY_30_SECONDS) as serving:
        (promoted,) = wait_for(lambda: runs("Promoted"), 240)
        assert promoted["auto_scheduled"]
        skipped = [run for run in runs("Skipped") if "was due at" in run["state"]["message"]]
        assert skipped
        assert max(run["expected_start_time"] for run in skipped) < promoted["expected_start_time"]
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=30) in (0, 130)
    assert api.deployment(toy)["paused"], "a schedule that nobody serves is not left to pile up runs"
    assert toy.branches()
