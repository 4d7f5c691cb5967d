"""The Prefect flow, generated from dvc.yaml: one task a stage, named like it, one after the other."""

from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from pipeline import dvc

# DVC owns what is up to date, so that Prefect's own caching stays off.
MESSAGES: dict[dvc.Outcome, str] = {
    "ran": "ran",
    "restored": "restored from DVC's run cache",
    "unchanged": "nothing that it depends on has changed",
}


@flow(name="pipeline", log_prints=False, validate_parameters=False)
def pipeline(folder: Path) -> dict[str, str]:
    """Bring every stage up to date; dvc.lock ends as `dvc repro` would leave it.

    Returns:
        What became of each stage: ran, restored or unchanged.
    """
    stages = dvc.graph(folder)
    stale = dvc.stale(folder, stages)
    outcomes: dict[str, str] = {}
    for stage in dvc.in_order(stages):
        chosen = bring_up_to_date if stage in stale else leave
        state = chosen.with_options(name=stage, task_run_name=stage)(stage, folder, return_state=True)
        state.result()  # raises what made the stage fail
        outcomes[stage] = str(state.name).lower()
    show_metrics(folder)
    return outcomes


@task(cache_policy=NO_CACHE, retries=0)
def bring_up_to_date(stage: str, folder: Path) -> State[None]:
    """Run a stage, or let DVC restore it."""
    log = get_run_logger()
    outcome = dvc.reproduce(folder, stage, log.info)
    return Completed(name=outcome.capitalize(), message=MESSAGES[outcome])


@task(cache_policy=NO_CACHE, retries=0)
def leave(stage: str, folder: Path) -> State[None]:
    """Record that a stage is up to date."""
    return Completed(name="Unchanged", message=MESSAGES["unchanged"])


def show_metrics(folder: Path) -> None:
    """Keep the metrics as an artifact that Prefect's UI shows."""
    rows = [
        {"file": file, "metric": name, "value": value}
        for file, found in dvc.metrics(folder).items()
        for name, value in found.items()
        if isinstance(value, int | float)
    ]
    create_table_artifact(rows, key="metrics", description="What this run measured")
