"""Checkouts of their own for runs that must not touch a person's work: linked worktrees on the same DVC cache."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from configobj import ConfigObj
from dvc.env import DVC_SITE_CACHE_DIR

from pipeline.dvc import repository
from pipeline.errors import GitFailed, PipelineError
from pipeline.git import git
from pipeline.project import Project


@contextmanager
def checkout(project: Project, commit: str, name: str) -> Iterator[Path]:
    """Give a folder that holds a commit and reads and writes the project's DVC cache and remotes; remove it at the end.

    Raises:
        GitFailed: git cannot make it, as when the disk is full.
    """
    folder = _all(project) / name / project.folder.name
    try:
        git(project.main, "worktree", "add", "--quiet", "--detach", str(folder), commit)
        _share(project, folder)
        _link_neighbours(project, folder)
        yield folder
    finally:
        remove(project, name)


def remove_left_behind(project: Project) -> list[str]:
    """Remove the checkouts of runs that were killed; only the holder of the lock may. Return their names."""
    found = sorted(path.name for path in _all(project).iterdir()) if _all(project).is_dir() else []
    for name in found:
        remove(project, name)
    return found


def remove(project: Project, name: str) -> None:
    """Remove a checkout and what git knows of it; of other worktrees, whose disk may not be mounted, nothing."""
    own = str(_all(project) / name / project.folder.name)
    _remove_site_cache(Path(own))
    with suppress(GitFailed):
        git(project.main, "worktree", "remove", "--force", "--force", own)
    shutil.rmtree(_all(project) / name, ignore_errors=True)
    # Once more, for one that git took for damaged: of one that is gone it removes what it knows.
    with suppress(GitFailed):
        git(project.main, "worktree", "remove", "--force", "--force", own)


def _remove_site_cache(folder: Path) -> None:
    """Remove DVC's databases of a checkout from where DVC_SITE_CACHE_DIR, over all settings, has put them."""
    # DVC would take a folder that is no project for a part of the one around it.
    if os.environ.get(DVC_SITE_CACHE_DIR) and (folder / ".dvc").is_dir():
        with suppress(PipelineError, OSError):
            with repository(folder) as repo:
                place = repo.site_cache_dir
            shutil.rmtree(place)


def _all(project: Project) -> Path:
    return project.state / "checkouts"


def _share(project: Project, folder: Path) -> None:
    """Write what DVC is to use into the checkout's own settings, before DVC first looks there."""
    # DVC itself writes its settings in ASCII alone, and paths are in any language.
    settings = ConfigObj(encoding="utf-8")
    with repository(project.folder) as own:
        settings["cache"] = {"dir": own.cache.local_cache_dir}
        if link := own.config["cache"].get("type"):
            settings["cache"]["type"] = link
        # Else every checkout would leave its database of hashes in a place that is for the whole machine.
        settings["core"] = {"site_cache_dir": str(folder / ".dvc" / "tmp" / "site-cache")}
        if remote := own.config["core"].get("remote"):
            settings["core"]["remote"] = remote
        for name, remote_settings in own.config["remote"].items():
            settings[f'remote "{name}"'] = dict(remote_settings)
    path = folder / ".dvc" / "config.local"
    # There may be passwords in it.
    path.touch(mode=0o600)
    with path.open("wb") as file:
        settings.write(file)


def _link_neighbours(project: Project, folder: Path) -> None:
    """Let `../photos` be found from the checkout as it is from the project."""
    with repository(folder) as repo:
        deps = [dep for stage in repo.index.stages for dep in stage.deps if dep.protocol == "local"]
        # A .dvc file names its source as seen from where it lies itself.
        relative = {os.path.relpath(dep.fs_path, folder) for dep in deps if not os.path.isabs(dep.def_path)}
    for path in sorted(relative):
        parts = Path(path).parts
        if len(parts) > 1 and parts[0] == ".." != parts[1]:
            link = folder.parent / parts[1]
            if not link.is_symlink() and link != folder:
                link.symlink_to(project.folder.parent / parts[1])
