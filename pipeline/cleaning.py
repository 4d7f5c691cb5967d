"""Removing old retrainings: branches, pages, flow runs, and what they alone hold in DVC's cache."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from pipeline import branches, dvc, flow_runs, registry
from pipeline.checkout import remove_left_behind
from pipeline.git import commit_of, git
from pipeline.lock import only_run
from pipeline.project import RETRAININGS, Project
from pipeline.publication import Publication


@dataclass
class Removed:
    """How many of each were removed."""

    branches: int = 0
    checkouts: int = 0
    logs: int = 0
    objects: int = 0
    flow_runs: int = 0
    # DVC's cache, where it lies outside of the project, so that nobody here knows who else needs what is in it.
    left_alone: Path | None = None


def clean(project: Project, keep: int) -> Removed:
    """Remove all but the newest retrainings; never a version of the model, nor what waits to be pushed.

    Raises:
        AnotherRun: A run is going; its things are not to be touched.
    """
    removed = Removed()
    with only_run(project):
        removed.checkouts = len(remove_left_behind(project))
        old = _old_branches(project, keep)
        removed.left_alone = _cache_outside(project)
        removed.objects = 0 if removed.left_alone else _remove_objects_of(project, old)
        for branch in old:
            git(project.main, "branch", "--delete", "--force", branch)
        removed.branches = len(old)
        removed.logs = _remove_logs(project, keep)
    removed.flow_runs = flow_runs.remove_old(project, keep)
    return removed


def _old_branches(project: Project, keep: int) -> list[str]:
    fields = "%00".join(f"%({name})" for name in ("objectname", "refname:short", "worktreepath", "contents:subject"))
    order = ("--sort=-refname", f"--format={fields}")
    listed = git(project.main, "for-each-ref", *order, f"refs/heads/{RETRAININGS}/").split("\n")
    registered = {version.commit for version in registry.versions(project.main)}
    waiting = set(Publication(project, print).waiting())
    old = []
    # A subject may hold what else ends a line to Python.
    for line in filter(None, listed[keep:]):
        commit, branch, checked_out_at, subject = line.split("\0")
        # A person may have gone on from it.
        is_ours = subject.startswith(f"{branch}: ")
        if is_ours and commit not in registered and branch not in waiting and not checked_out_at:
            old.append(branch)
    return old


def _cache_outside(project: Project) -> Path | None:
    with dvc.repository(project.main) as repo:
        cache = Path(repo.cache.local_cache_dir)
    return None if cache.resolve().is_relative_to(project.main.resolve()) else cache


def _remove_objects_of(project: Project, old: list[str]) -> int:
    """Remove from the cache what these branches alone lead to, and no workspace holds."""
    if not old:
        return 0
    others, own = _commits_of_others(project, old), {commit_of(project.main, branch) for branch in old}
    only = _used(project.main, sorted(own - others)) - _used(project.main, sorted(others))
    for folder in _workspaces(project):
        only -= _used(folder)
    with dvc.repository(project.main) as repo, repo.lock:
        paths = [Path(repo.cache.local.oid_to_path(value)) for value in only]
        present = [path for path in paths if path.exists()]
        for path in present:
            _remove_with_empty_folder(path)
        _forget_runs_of(Path(repo.cache.local_cache_dir) / "runs", only)
    return len(present)


def _commits_of_others(project: Project, old: list[str]) -> set[str]:
    """The commits that change what DVC knows and to which something else leads: a branch, a tag, a stash, a reflog."""
    names = [f"refs/{where}/{branch}" for branch in old for where in ("heads", "remotes/*")]
    # A branch that is pushed is not held here by that: its data has been pushed before it.
    known = git(project.main, "for-each-ref", "--format=%(refname)", *names).splitlines()
    git(project.main, "reflog", "expire", "--expire=all", *known)
    hidden = [f"--exclude={name}" for name in names]
    described = ("*dvc.lock", "*dvc.yaml", "*.dvc")
    return set(git(project.main, "rev-list", "--full-history", *hidden, "--all", "--reflog", "--", *described).split())


def _workspaces(project: Project) -> list[Path]:
    listed = git(project.main, "worktree", "list", "--porcelain").splitlines()
    folders = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    return [folder for folder in folders if (folder / ".dvc").is_dir()]


def _used(folder: Path, commits: list[str] | None = None) -> set[str]:
    """What some commits refer to, or a workspace if none are given, folders with all that is in them."""
    if commits == []:
        return set()
    with dvc.repository(folder) as repo:
        # What DVC cannot read of a commit, it cannot check out either.
        used = repo.used_objs(revs=commits, with_deps=True, force=True, skip_failed=commits is not None)
    return {found.value for objects in used.values() for found in objects}


def _forget_runs_of(runs: Path, objects: set[str]) -> None:
    """Remove the entries of DVC's run cache that could not be restored any more, or whose data is gone."""
    yaml = YAML(typ="safe", pure=True)
    for entry in [path for path in runs.glob("*/*/*") if path.is_file()]:
        recorded = yaml.load(entry.read_text(encoding="utf-8"))
        files = (*recorded.get("deps", []), *recorded.get("outs", []))
        if any(file.get("md5") in objects for file in files):
            # DVC breaks down over a folder that is left empty.
            _remove_with_empty_folder(entry)


def _remove_with_empty_folder(path: Path) -> None:
    path.unlink()
    with suppress(OSError):
        path.parent.rmdir()


def _remove_logs(project: Project, keep: int) -> int:
    """Remove the pages of what has no branch any more, or never had one as it failed."""
    folder = project.logs / RETRAININGS
    listed = branches.names(project.main)
    found = sorted((path for path in folder.iterdir() if path.is_dir()), reverse=True) if folder.is_dir() else []
    old = [path for path in found[keep:] if f"{RETRAININGS}/{path.name}" not in listed]
    for path in old:
        shutil.rmtree(path)
    return len(old)
