"""DVC's repository and the dvc command, with their failures as our errors."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import networkx as nx
from dvc.exceptions import DvcException
from dvc.fs import DVCFileSystem
from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.stage import PipelineStage, Stage
from dvc_data.index import DataIndexDirError

from pipeline.errors import Busy, DataLost, DvcFailed, GitFailed, PipelineError, StageFailed
from pipeline.git import git
from pipeline.processes import Say, supervised

Outcome = Literal["ran", "restored", "unchanged"]
# What it has to say is in the exceptions and in the commands' own output.
logging.getLogger("dvc").setLevel(logging.ERROR)
BUSY = ("is being blocked by", "Unable to acquire lock")
# A warning, with which `dvc push` succeeds.
LOST = "do not exist neither locally nor on remote"


@contextmanager
def repository(folder: Path, revision: str | None = None) -> Iterator[Repo]:
    """Open the DVC repository of a checkout, or a commit of it.

    Raises:
        Busy: Another DVC command holds what is needed.
        DvcFailed: DVC refuses, as it does a dvc.yaml with a cycle.
    """
    try:
        _forget_a_lock_file_that_was_cut_short(folder / ".dvc/tmp")
        _bring_back_a_dvc_lock_that_was_cut_short(folder)
        with Repo(str(folder), rev=revision) as repo:
            yield repo
    except LockError as error:
        raise Busy(f"DVC is at work in {folder}: {error}") from error
    except DvcException as error:
        raise DvcFailed(str(error)) from error


def graph(folder: Path) -> nx.DiGraph:
    """Read the stages of dvc.yaml and the .dvc files of data, with an edge from each to those that need it.

    Raises:
        DvcFailed: No DVC project, or a dvc.yaml without stages or that DVC refuses, such as one with a cycle.
    """
    with repository(folder) as repo:
        if not any(isinstance(stage, PipelineStage) for stage in repo.index.stages):
            raise DvcFailed(f"dvc.yaml of {folder} has no stages; to have git's back: git checkout -- dvc.yaml")
        needed_by = repo.index.graph.reverse()
        return nx.relabel_nodes(needed_by, {stage: _address(stage) for stage in needed_by})


def in_order(stages: nx.DiGraph) -> list[str]:
    """Sort the stages of a graph so that each comes after those that it needs; by name where there is a choice."""
    return list(nx.lexicographical_topological_sort(stages))


def status(folder: Path) -> dict[str, list[Any]]:
    """Ask DVC which stages are out of date by themselves, and why."""
    with repository(folder) as repo, repo.lock:
        found = {_address(stage): stage.status(check_updates=False) for stage in repo.index.stages}
    # DVC names each stage as seen from wherever we are.
    return {name: next(iter(entry.values())) for name, entry in found.items() if entry}


def stale(folder: Path, stages: nx.DiGraph) -> set[str]:
    """Ask DVC which stages are out of date, with all that need them."""
    changed = status(folder).keys()
    return set(changed).union(*(nx.descendants(stages, name) for name in changed))


def changed_inputs(folder: Path) -> list[str]:
    """Ask DVC which stages' inputs differ from dvc.lock, whether or not their outputs are in this folder."""
    with repository(folder) as repo, repo.lock:
        needs = repo.index.graph
        return [
            _address(stage)
            for stage in needs
            if stage.changed(allow_missing=True, upstream=list(needs.successors(stage)))
        ]


def kept_in_git(folder: Path) -> list[str]:
    """What running the pipeline leaves for git to keep: each dvc.lock, and the outputs that DVC does not store."""
    with repository(folder) as repo:
        stages = repo.index.stages
        locks = {Path(stage.path).with_suffix(".lock") for stage in stages if isinstance(stage, PipelineStage)}
        outputs = {Path(out.fs_path) for stage in stages for out in stage.outs if not out.use_cache and out.is_in_repo}
        return sorted(str(path.relative_to(repo.root_dir)) for path in locks | outputs)


def reproduce(folder: Path, stage: str, say: Say, held: int | None = None) -> Outcome:
    """Bring one stage up to date, handing on each line of its output as it appears.

    Raises:
        StageFailed: The stage failed.
        Busy: Another DVC command is at work on the same files.
    """
    try:
        lines = _run(f"stage {stage}", ["repro", "--single-item", stage], folder, say, held)
    except DvcFailed as error:
        raise StageFailed(str(error)) from error
    if any("is cached - skipping run" in line for line in lines):
        return "restored"
    # A .dvc file is not run but verified, and takes the new content of its data into DVC's cache.
    did = (f"Running stage '{stage}'", f"Verifying data sources in stage: '{stage}'")
    return "ran" if any(line.startswith(did) for line in lines) else "unchanged"


def run(folder: Path, arguments: list[str], say: Say, held: int | None = None) -> list[str]:
    """Run a dvc command that may take long; return its lines.

    Raises:
        Busy: Another DVC command is at work.
        DvcFailed: With its last lines.
    """
    return _run(f"dvc {' '.join(arguments)}", arguments, folder, say, held)


def _run(what: str, arguments: list[str], folder: Path, say: Say, held: int | None) -> list[str]:
    status, lines = supervised([sys.executable, "-m", "dvc", *arguments], folder, say, held)
    if status and any(sign in line for line in lines for sign in BUSY):
        raise Busy(f"{what} has to wait for another DVC command: {' '.join(lines[-2:])}")
    if status:
        raise DvcFailed(f"{what} failed with status {status}: " + "\n".join(lines[-5:]))
    return lines


def push(folder: Path, say: Say, held: int | None = None) -> None:
    """Push all that a checkout refers to.

    Raises:
        Busy: Another DVC command is at work.
        DvcFailed: With its last lines.
        DataLost: Not all of it was there to be pushed.
    """
    if any(LOST in line for line in run(folder, ["push"], say, held)):
        raise DataLost("some of its data is neither in DVC's cache nor in its remote (python -m pipeline verify)")


def metrics(folder: Path, revision: str | None = None) -> dict[str, Any]:
    """The metrics of a checkout, or of a commit, by file."""
    with repository(folder, revision) as repo:
        shown = repo.metrics.show()
    return {name: found["data"] for name, found in shown.get("", {}).get("data", {}).items() if "data" in found}


def default_remote(folder: Path) -> str | None:
    """The place that data is pushed to where no other is named."""
    with repository(folder) as repo:
        name: str | None = repo.config["core"].get("remote")
        return name


def fetch_files(folder: Path, revision: str, wanted: Mapping[str, Path]) -> None:
    """Write files as they were in a commit, from git, DVC's cache or a remote.

    Raises:
        PipelineError: One is in none of them, or DVC cannot read the commit.
    """
    try:
        files = DVCFileSystem(url=str(folder), rev=revision)
    except (DvcException, OSError) as error:
        raise PipelineError(f"DVC cannot read {revision[:12]}: {error}") from error
    for path, to in wanted.items():
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(path, str(to))
        except (DvcException, DataIndexDirError, OSError) as error:
            to.unlink(missing_ok=True)
            raise PipelineError(
                f"{path} of {revision[:12]} is neither in DVC's cache nor in a remote ({type(error).__name__}: "
                f"{error}); if a colleague has it: dvc fetch after they dvc push"
            ) from error


def _address(stage: Stage) -> str:
    """What `dvc repro` calls a stage when it runs in the project's root, wherever we are."""
    if not isinstance(stage, PipelineStage):
        return stage.path_in_repo
    return stage.name if stage.path_in_repo == "dvc.yaml" else f"{stage.path_in_repo}:{stage.name}"


def _forget_a_lock_file_that_was_cut_short(temporary: Path) -> None:
    """Remove DVC's list of who reads and writes what if a kill left half of it: DVC would refuse to work ever after."""
    listed = temporary / "rwlock"
    if not listed.exists():
        return
    # Under DVC's own guard: another command may be writing it this moment.
    with make_lock(str(temporary / "rwlock.lock"), tmp_dir=str(temporary)):
        try:
            json.loads(listed.read_bytes())
        except ValueError:
            listed.unlink()


def _bring_back_a_dvc_lock_that_was_cut_short(folder: Path) -> None:
    """Take git's dvc.lock where a kill left an empty one; what has run since is in DVC's run cache.

    One that is not empty, but broken, may be a merge that a person is in the middle of.
    """
    lock, temporary = folder / "dvc.lock", folder / ".dvc/tmp"
    if not _is_empty(lock):
        return
    # DVC holds this one while it writes: it may be doing so this moment.
    with make_lock(str(temporary / "lock"), tmp_dir=str(temporary)):
        if _is_empty(lock):
            lock.unlink()
            # Before the first commit of one there is none.
            with suppress(GitFailed):
                git(folder, "checkout", "HEAD", "--", lock.name)


def _is_empty(file: Path) -> bool:
    return file.exists() and not file.read_bytes().strip()
