"""The Prefect flow over the stages of dvc.yaml: one task a stage, named like it, one after the other."""

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from httpx import HTTPError
from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import PrefectException
from prefect.states import Completed, Failed
from prefect.tasks import Task

from pipeline import dvc, flow_runs, results
from pipeline.errors import Busy, PipelineError, StageFailed, without_traceback
from pipeline.lock import AnotherRun, only_run
from pipeline.project import find

if TYPE_CHECKING:
    from pipeline.gate import Verdict

# DVC owns what is up to date, so that Prefect's own caching stays off.
MESSAGES: dict[dvc.Outcome, str] = {
    "ran": "ran",
    "restored": "restored from DVC's run cache",
    "unchanged": "nothing that it depends on has changed",
}
EPOCH = re.compile(r"Epoch (\d+)/(\d+)")
WAITS = (5.0, 30.0, 120.0)
for name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(name).addFilter(without_traceback)


@flow(name="pipeline", log_prints=False, validate_parameters=False)
def pipeline(folder: str) -> State[Any]:
    """Bring every stage up to date in the folder itself; dvc.lock ends as `dvc repro` would leave it.

    The state is named after the gate's verdict, which tags nothing here, or Skipped when nothing had changed.
    """
    project = find(Path(folder))
    flow_runs.claim(project)
    try:
        with only_run(project, runtime.flow_run.id) as held:
            stages = run_stages(project.folder, held.descriptor)
            metrics = results.metrics(project.folder)
            if all(stage.outcome == "unchanged" for stage in stages):
                result = results.Result("skipped", ["nothing has changed"], stages, metrics=metrics)
            else:
                verdict = judge(project.folder, held.descriptor)
                result = results.Result(verdict.outcome, verdict.reasons, stages, verdict.numbers, metrics)
    except AnotherRun as error:
        result = results.Result("skipped", [str(error)], [])
    except (PipelineError, OSError) as error:
        # An OSError here is a full disk, or a folder that may not be written.
        return Failed(message=str(error))
    results.write(project.logs / "run.json", result)
    results.show(result, project.folder / "reports" / "report.html")
    return result.state()


def run_stages(folder: Path, held: int, timeout_seconds: float | None = None) -> list[results.StageRun]:
    """Bring every stage up to date, each as a task; raise what made one fail."""
    done = []
    for stage, stale in plan(folder).items():
        chosen: Any = bring_up_to_date if stale else record_unchanged
        named = chosen.with_options(name=stage, task_run_name=stage, timeout_seconds=timeout_seconds)
        start = time.monotonic()
        state: State[Any] = named(stage, folder, held, return_state=True)
        if not state.is_completed():
            raise StageFailed(state.message or f"stage {stage} ended as {state.name}")
        done.append(results.StageRun(stage, str(state.name).lower(), round(time.monotonic() - start, 1)))
    return done


def is_busy(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    """Whether to wait and try again helps: a lock that another DVC command holds, but no failure of a stage's own."""
    return isinstance(state.result(raise_on_failure=False), Busy)


@task(
    task_run_name="plan",
    cache_policy=NO_CACHE,
    retries=len(WAITS),
    retry_delay_seconds=list(WAITS),
    retry_condition_fn=is_busy,
)
def plan(folder: Path) -> dict[str, bool]:
    """Order the stages, and ask DVC once which are out of date: for the others it need not even start."""
    stages = dvc.graph(folder)
    stale = dvc.stale(folder, stages)
    return {stage: stage in stale for stage in dvc.in_order(stages)}


@task(cache_policy=NO_CACHE, retries=len(WAITS), retry_delay_seconds=list(WAITS), retry_condition_fn=is_busy)
def bring_up_to_date(stage: str, folder: Path, held: int) -> State[None]:
    """Run a stage, or let DVC restore it."""
    try:
        outcome = dvc.reproduce(folder, stage, say_and_show_progress(get_run_logger().info, stage), held)
    except StageFailed as error:
        return Failed(message=str(error))
    return Completed(name=outcome.capitalize(), message=MESSAGES[outcome])


@task(cache_policy=NO_CACHE, retries=0)
def record_unchanged(stage: str, folder: Path, held: int) -> State[None]:
    """Record that a stage is up to date."""
    return Completed(name="Unchanged", message=MESSAGES["unchanged"])


@task(name="gate", task_run_name="gate", cache_policy=NO_CACHE)
def judge(folder: Path, held: int) -> "Verdict":
    """Hold the model against the champion."""
    # SciPy and pandas take a second to import, which a run that changes nothing should not wait for.
    from pipeline import candidate

    log = get_run_logger()
    verdict = candidate.judge(folder, log.info, held)
    for reason in (verdict.outcome, *verdict.reasons):
        log.info(reason)
    return verdict


def say_and_show_progress(say: Callable[[str], None], stage: str) -> Callable[[str], None]:
    """Hand lines on, and draw those that count epochs as progress in Prefect's UI."""
    bar: UUID | None = None
    # Prefect allows nothing else in it, and DVC nearly everything in the name of a stage.
    key = re.sub(r"[^a-z0-9]+", "-", f"progress-{stage.lower()}")

    def handle(line: str) -> None:
        nonlocal bar
        say(line)
        if found := EPOCH.match(line):
            begun, total = map(int, found.groups())
            share = 100 * (begun - 1) / total
            try:
                if bar is None:
                    made = create_progress_artifact(share, key=key, description=f"Epochs of {stage}")
                    bar = made if isinstance(made, UUID) else None
                else:
                    update_progress_artifact(bar, share)
            except (PrefectException, HTTPError) as error:
                # A server that is away for a while ends no training.
                say(f"the progress of {stage} could not be drawn: {error}")

    return handle
