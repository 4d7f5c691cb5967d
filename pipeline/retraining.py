"""The Prefect flow that retrains in a checkout of its own and leaves its result as a branch."""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Failed
from prefect.tasks import Task

from pipeline import branches, data, dvc, flow_runs, punctuality, registry, results
from pipeline.checkout import checkout, remove_left_behind
from pipeline.errors import Busy, DvcFailed, GitFailed, PipelineError, StageFailed
from pipeline.flow import WAITS, judge, run_stages
from pipeline.git import commit_of, git
from pipeline.lock import AnotherRun, Held, only_run
from pipeline.notification import notify as tell
from pipeline.project import RETRAININGS, Project, find, settings
from pipeline.publication import Publication

if TYPE_CHECKING:
    from pipeline.gate import Verdict


@flow(name="retrain", log_prints=False)
def retrain(
    project: str = ".",
    revision: str = "HEAD",
    push: bool = False,
    notify: str | None = None,
    stage_timeout_seconds: float | None = None,
    retry_waits: Sequence[float] = WAITS,
) -> State[Any]:
    """Retrain a revision on the newest data, in a checkout of its own, and hold the result against the champion.

    Args:
        project: The project's folder.
        revision: What to retrain; by default the tip of the branch that is checked out.
        push: Whether to push the branch, the registry's tags and the data when done.
        notify: A command or an http address that is told of failures and verdicts.
        stage_timeout_seconds: After which a stage is ended.
        retry_waits: Seconds between attempts to transfer data.
    """
    try:
        found = find(Path(project))
        flow_runs.claim(found)
        if late := punctuality.too_late():
            return _skipped(found, late)
        with only_run(found, runtime.flow_run.id) as held:
            try:
                _put_in_order(found, held, notify)
                publication = Publication(found, get_run_logger().info, held.descriptor) if push else None
                result = _retrain(found, held.descriptor, revision, publication, stage_timeout_seconds, retry_waits)
                if result.outcome != "skipped":
                    # Before it is pushed: should that fail, the model is the champion all the same.
                    tell(notify, result.outcome, "; ".join(result.reasons), found, result)
                if publication:
                    patient("push", publication.publish_what_is_left, retry_waits)()
            except Exception as error:
                tell(notify, "failed", str(error), found)
                raise
    except AnotherRun as error:
        return _skipped(found, str(error))
    except (PipelineError, OSError) as error:
        # An OSError here is a full disk, or a folder that may not be written.
        return Failed(message=str(error))
    return _skipped(found, *result.reasons) if result.outcome == "skipped" else result.state()


def _retrain(
    project: Project,
    held: int,
    revision: str,
    publication: Publication | None,
    timeout: float | None,
    waits: Sequence[float],
) -> results.Result:
    log = get_run_logger()
    tip = commit_of(project.folder, revision)
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    branch = f"{RETRAININGS}/{name}"
    branches.refuse_a_name_that_is_taken(project.main, branch)
    if publication:
        publication.check()
        # Before there is anything to push, so that nothing that comes between is in the way; no branch, no push.
        publication.remember(branch)
    with checkout(project, tip, name) as folder:
        log.info("retraining %s (%s) in %s", revision, tip[:12], folder)
        # Now, and not after hours of training.
        settings(folder)
        newest = branches.newest_of(project.main, tip)
        patient("update data", data.update, waits)(project, folder, newest, log.info, held)
        if known := _same_inputs(folder, newest, tip):
            hint = [] if registry.champion(project.main) else [f"there is no champion yet; {registry.FIRST}"]
            return results.Result("skipped", [f"nothing has changed since {known}", *hint], [])
        patient("fetch", _take_outputs_from_cache, waits)(folder, held)
        return _train_and_judge(project, folder, name, held, timeout)


def _train_and_judge(project: Project, folder: Path, name: str, held: int, timeout: float | None) -> results.Result:
    branch = f"{RETRAININGS}/{name}"
    try:
        stages = run_stages(folder, held, timeout)
        verdict = _judged(project, folder, held)
    finally:
        _keep_for_people(project, folder, name)
    # Beside the champion's that it was held against, not beside its own.
    numbers = results.metrics(folder)
    commit = branches.commit_results(folder, f"{branch}: {verdict.outcome}", verdict.reasons)
    if verdict.outcome == "promoted":
        get_run_logger().info("%s is the champion now", registry.promote(project.main, commit))
    # Last, as the next run takes what has a branch for done.
    git(folder, "branch", branch, commit)
    result = results.Result(verdict.outcome, verdict.reasons, stages, verdict.numbers, numbers, branch)
    results.write(project.logs / branch / "result.json", result)
    results.write(project.logs / "retrain.json", result)
    results.show(result, project.logs / branch / "report.html")
    return result


def _judged(project: Project, folder: Path, held: int) -> "Verdict":
    """Hold the model against the champion; once more where a person has named another one meanwhile."""
    while True:
        verdict, champion = judge(folder, held), registry.champion(project.main)
        if verdict.numbers.get("champion_commit") == (champion.commit if champion else None):
            return verdict
        get_run_logger().info("the champion has changed meanwhile")


def patient(name: str, work: Callable[..., Any], waits: Sequence[float]) -> Callable[..., Any]:
    """Make a task of what moves data: it is tried again, after growing waits, where that can help."""
    retried = task(
        name=name,
        task_run_name=name,
        cache_policy=NO_CACHE,
        retries=len(waits),
        retry_delay_seconds=list(waits),
        retry_condition_fn=_may_pass,
    )
    made: Callable[..., Any] = retried(work)
    return made


def _may_pass(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, Busy | DvcFailed | GitFailed) and not isinstance(error, StageFailed)


def _put_in_order(project: Project, held: Held, notify: str | None) -> None:
    """Clear up after a run that was killed, and tell of it."""
    left = remove_left_behind(project)
    if held.crashed is not None:
        message = f"the run of {held.crashed.since} was killed; its checkout is removed, its checkpoint taken up"
        get_run_logger().warning(message)
        punctuality.mark_as_crashed(held.crashed.flow_run, message)
        tell(notify, "crashed", message, project)
        held.crashed = None
    elif left:
        get_run_logger().warning("removed checkouts that were left behind: %s", ", ".join(left))


def _same_inputs(folder: Path, newest: str | None, tip: str) -> str | None:
    """The newest retraining of this tip, or the tip itself, if it had the inputs that this checkout has."""
    outputs = dvc.kept_in_git(folder)
    for revision in filter(None, (newest, tip)):
        # Its outputs are laid over the checkout: DVC then says whether they are those of what is there now.
        if there := _of(folder, revision, outputs):
            git(folder, "checkout", revision, "--", *there)
        if not dvc.changed_inputs(folder):
            return revision if revision != tip else f"the commit {tip[:12]}"
    return None


def _of(folder: Path, commit: str, paths: list[str]) -> list[str]:
    return git(folder, "ls-tree", "--name-only", "-r", "-z", commit, "--", *paths).split("\0")[:-1]


def _take_outputs_from_cache(folder: Path, held: int) -> None:
    """Put into the checkout what DVC has of the revision's data and results; what it has not is made anew."""
    log = get_run_logger()
    with dvc.repository(folder) as repo:
        has_remote = bool(repo.config["remote"])
    missing_is_fine = [] if has_remote else ["--allow-missing"]
    try:
        dvc.run(folder, ["checkout", "--force", "--quiet", *missing_is_fine], log.info, held)
    except DvcFailed:
        if not has_remote:
            raise
        dvc.run(folder, ["pull", "--allow-missing", "--force"], log.info, held)


def _keep_for_people(project: Project, folder: Path, name: str) -> None:
    """Copy the pages and logs of a run to where they outlive its checkout."""
    kept = project.logs / RETRAININGS / name
    kept.mkdir(parents=True, exist_ok=True)
    for page in (*(folder / "reports").glob("*.html"), *(folder / "logs").glob("*.json")):
        shutil.copyfile(page, kept / page.name)


def _skipped(project: Project, *reasons: str) -> State[Any]:
    # In one file only: most nights of a year may be of this kind.
    result = results.Result("skipped", [*reasons], [])
    results.write(project.logs / "retrain.json", result)
    return result.state()
