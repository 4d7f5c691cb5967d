"""The two sides of a comparison: a commit, or the workspace, with the files of its time."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline import dvc, registry
from pipeline.errors import GitFailed, PipelineError
from pipeline.git import commit_of, git, read

# As DVC calls it too.
WORKSPACE = "workspace"


@dataclass(frozen=True)
class Side:
    """A commit of a project, or where it is None, its workspace.

    `files` is where what a commit has in DVC's cache is put.
    """

    name: str
    commit: str | None
    folder: Path
    files: Path

    def __str__(self) -> str:
        return f"the {WORKSPACE}" if self.commit is None else self.name

    def text(self, path: str) -> str | None:
        """A text file that git has; None where there is none."""
        if self.commit is not None:
            return read(self.folder, self.commit, path)
        file = self.folder / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def yaml(self, path: str) -> dict[str, Any]:
        """A YAML file that git has; empty where there is none.

        Raises:
            PipelineError: It is not YAML.
        """
        try:
            return dict(YAML(typ="safe", pure=True).load(self.text(path) or "{}"))
        except (YAMLError, TypeError, ValueError) as error:
            raise PipelineError(f"{path} of {self} cannot be read: {error}") from error

    def file(self, path: str) -> Path:
        """Where a file that git or DVC has can be read.

        Raises:
            PipelineError: It is neither in the workspace, nor in DVC's cache or a remote.
        """
        found = (self.folder if self.commit is None else self.files) / path
        if self.commit is not None and not found.exists():
            dvc.fetch_files(self.folder, self.commit, {path: found})
        if not found.is_file():
            raise PipelineError(f"{path} is not in the workspace; dvc checkout brings it back, dvc repro makes it")
        return found

    def json(self, path: str) -> Any:
        """What a JSON file holds.

        Raises:
            PipelineError: It is not at hand, or not JSON.
        """
        try:
            return json.loads(self.file(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise PipelineError(f"{path} of {self} is damaged ({error}); dvc checkout or git checkout it") from error

    def table(self, path: str) -> pd.DataFrame:
        """What a Parquet file holds.

        Raises:
            PipelineError: It is not at hand, or not Parquet.
        """
        try:
            return pd.read_parquet(self.file(path))
        except (OSError, ValueError) as error:
            raise PipelineError(f"{path} of {self} is damaged ({error}); dvc checkout --force it") from error

    def tracked(self) -> list[str]:
        """The files that git has, or in the workspace could have."""
        if self.commit is not None:
            listed = git(self.folder, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit)
        else:
            listed = git(self.folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return listed.split("\0")[:-1]


def choose(folder: Path, former: str | None, new: str, files: Path) -> tuple[Side, Side]:
    """Find what is to be compared; the champion, or else the parent, where nothing is named.

    Raises:
        PipelineError: There is no such revision, or nothing to compare with.
    """
    name, commit = (former, commit_of(folder, former)) if former else _champion_or_parent(folder)
    other = None if new == WORKSPACE else commit_of(folder, new)
    return Side(name, commit, folder, files / "former"), Side(new, other, folder, files / "new")


def _champion_or_parent(folder: Path) -> tuple[str, str]:
    if champion := registry.champion(folder):
        return str(champion), champion.commit
    # What has not been committed yet has the last commit for its parent.
    changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    name = "HEAD" if changed else "HEAD~1"
    try:
        return name, commit_of(folder, name)
    except GitFailed as error:
        raise PipelineError(
            "there is neither a champion nor a commit before this one to compare with; name a revision, "
            "or change something, dvc repro, and compare with the last commit"
        ) from error
