"""What Prefect's server knows of runs: when they were due, and which of them never ended."""

from datetime import UTC
from uuid import UUID

from prefect import get_client, runtime
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
)
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed
from prefect.types import DateTime


def too_late() -> str | None:
    """Say why this scheduled run is not to be made up for: the one after it is due already.

    Runs that were missed while the machine was off thus do not pile up: the last of them runs.
    """
    if not runtime.flow_run.id or not runtime.deployment.id:
        return None
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(runtime.flow_run.id))
        due, now = run.expected_start_time, DateTime.now(UTC)
        if not run.auto_scheduled or due is None:
            return None
        since = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                expected_start_time=FlowRunFilterExpectedStartTime(after_=due, before_=now),
            ),
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[UUID(runtime.deployment.id)])),
        )
    later = [other.expected_start_time for other in since if other.auto_scheduled and other.expected_start_time]
    if not later or max(later) <= due:
        return None
    return f"this run was due at {due:%Y-%m-%d %H:%M:%S} UTC, and a later one at {max(later):%Y-%m-%d %H:%M:%S}"


def mark_as_crashed(flow_run: str | None, message: str) -> None:
    """Let Prefect know that a run which it takes to be running was killed."""
    if flow_run is None:
        return
    with get_client(sync_client=True) as client:
        try:
            found = client.read_flow_run(UUID(flow_run))
        except ObjectNotFound:
            # It ran under another server.
            return
        if found.state is not None and not found.state.is_final():
            client.set_flow_run_state(found.id, Crashed(message=message), force=True)
