"""A project's own flow runs, on a server that may have those of other projects too."""

import platform
from uuid import UUID

from prefect import get_client, runtime
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.client.schemas.sorting import FlowRunSort

from pipeline.project import Project

PAGE = 200


def claim(project: Project) -> None:
    """Tag the flow run that is going as the project's: others may have flows of the same name."""
    if runtime.flow_run.id:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(runtime.flow_run.id), tags={*runtime.flow_run.tags, tag(project)})


def tag(project: Project) -> str:
    """What tells the project from all others of a server."""
    return f"{platform.node()}:{project.main}"


def remove_old(project: Project, keep: int) -> int:
    """Remove the project's flow runs that have ended, but for the newest, with their artifacts; count them."""
    own = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[tag(project)]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
    )
    removed = 0
    with get_client(sync_client=True) as client:
        while old := client.read_flow_runs(
            flow_run_filter=own, sort=FlowRunSort.START_TIME_DESC, limit=PAGE, offset=keep
        ):
            for run in old:
                _remove_artifacts(client, run.id)
                client.delete_flow_run(run.id)
            removed += len(old)
    return removed


def _remove_artifacts(client: SyncPrefectClient, flow_run: UUID) -> None:
    """Remove what Prefect itself keeps forever."""
    for artifact in client.read_artifacts(
        artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run]))
    ):
        client.delete_artifact(artifact.id)
