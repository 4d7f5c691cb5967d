"""New data: what DVC tracks is brought up to date in a checkout before a run."""

import shutil
from pathlib import Path

from dvc.exceptions import OutputNotFoundError
from dvc.repo import Repo
from dvc.stage import Stage
from ruamel.yaml import YAML

from pipeline import dvc
from pipeline.errors import DvcFailed, PipelineError
from pipeline.git import git, read
from pipeline.processes import Say
from pipeline.project import PARAMS, Project


def update(project: Project, folder: Path, newest: str | None, say: Say, held: int | None = None) -> list[str]:
    """Fetch what imported data's sources hold now, and add what has changed in the person's own data folders.

    Args:
        newest: The newest retraining of the checkout's commit; what it had already is neither fetched nor copied.

    Returns:
        The .dvc files that are new.

    Raises:
        DvcFailed: A source cannot be reached.
        PipelineError: The pipeline reads data that a checkout does not have.
    """
    changed = []
    for name in _imports_with_news(folder, newest):
        say(f"{name}: its source has changed")
        dvc.run(folder, ["update", name], say, held)
        changed.append(name)
    for name, path, content in _own_data_with_news(project, folder):
        changed.append(name)
        if newest and _recorded(folder, newest, name) == content:
            say(f"{name}: {path} is as it was for {newest}")
            git(folder, "checkout", newest, "--", name)
        else:
            say(f"{name}: {path} has changed since it was added")
            _copy(project.folder / path, folder / path)
            dvc.run(folder, ["add", path], say, held)
    _refuse_data_that_is_not_versioned(folder)
    return changed


def _imports_with_news(folder: Path, newest: str | None) -> list[str]:
    with dvc.repository(folder) as repo:
        names = [stage.path_in_repo for stage in repo.index.stages if stage.is_import]
    if newest and (known := [name for name in names if read(folder, newest, name)]):
        git(folder, "checkout", newest, "--", *known)
    with dvc.repository(folder) as repo:
        imports = [stage for stage in repo.index.stages if stage.is_import]
        try:
            return [stage.path_in_repo for stage in imports if any(dep.status() for dep in stage.deps)]
        except OSError as error:
            raise DvcFailed(f"a source of imported data cannot be reached: {error}") from error


def _own_data_with_news(project: Project, folder: Path) -> list[tuple[str, str, str]]:
    """The .dvc files whose data, where the person works, is not what they record; the data's path, and its hash."""
    with dvc.repository(folder) as repo:
        added = {stage.path_in_repo: stage.outs[0] for stage in repo.index.stages if _is_added(stage)}
        recorded = {
            name: (str(out), out.hash_info) for name, out in added.items() if _same_in_head(project, folder, name)
        }
    found = []
    with dvc.repository(project.folder) as repo:
        for name, (path, known) in recorded.items():
            # Where the person has removed the data or its .dvc file, the version that the commit names is used.
            if (project.folder / name).is_file() and (project.folder / path).exists():
                content = repo.stage.load_one(str(project.folder / name)).outs[0].get_hash()
                if content != known:
                    found.append((name, path, content.value))
    return found


def _recorded(folder: Path, revision: str, name: str) -> str | None:
    """The hash of the data in a .dvc file, as it is in a commit."""
    outs = YAML(typ="safe", pure=True).load(read(folder, revision, name) or "{}").get("outs") or [{}]
    return outs[0].get("md5")


def _is_added(stage: Stage) -> bool:
    return stage.is_data_source and not stage.is_import


def _same_in_head(project: Project, folder: Path, name: str) -> bool:
    """Whether a person's data is a later state of what this checkout records, and not of another branch."""
    return read(project.folder, "HEAD", name) == read(folder, "HEAD", name)


def _copy(source: Path, to: Path) -> None:
    if source.is_dir():
        # There may be what an earlier attempt left.
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(source, to)
    else:
        shutil.copyfile(source, to)


def _refuse_data_that_is_not_versioned(folder: Path) -> None:
    with dvc.repository(folder) as repo:
        deps = [dep for stage in repo.index.stages for dep in stage.deps if dep.protocol == "local"]
        read = [(str(dep.def_path), dep.fs_path) for dep in deps]
        read += [(weights, str(folder / weights)) for weights in _first_weights(folder)]
        missing = [name for name, path in read if not Path(path).exists() and not _is_an_output(repo, path)]
    if missing and Path(missing[0]).is_absolute():
        raise PipelineError(f"{missing[0]}, which the pipeline reads, is not there; is the disk mounted?")
    if missing:
        raise PipelineError(
            f"{missing[0]} is versioned by neither git nor DVC, so that no commit can have been trained on it; "
            f"`dvc add {missing[0]}` and commit {missing[0]}.dvc, or give an absolute path"
        )


def _first_weights(folder: Path) -> list[str]:
    """The file that a training is to start from, which is pinned by its hash and no dep."""
    params = YAML(typ="safe", pure=True).load(folder / PARAMS) or {}
    weights = params.get("model", {}).get("weights")
    return [] if weights in (None, "imagenet") else [weights]


def _is_an_output(repo: Repo, path: str) -> bool:
    try:
        return bool(repo.find_outs_by_path(path, strict=False))
    except OutputNotFoundError:
        return False
