"""Versions of the model and which of them is the champion, as GTO keeps them: in git tags."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import gto.api
from gto.exceptions import GTOException
from packaging.version import Version as SemanticVersion

from pipeline.errors import PipelineError
from pipeline.git import commit_of, git, name_the_author, read

# As dvc.yaml's artifacts name it.
ARTIFACT = "model"
CHAMPION = "champion"
FIRST = "`python -m pipeline promote HEAD` makes the committed model the first champion"


@dataclass(frozen=True)
class Version:
    """A registered version of the model.

    Attributes:
        in_stage: Whether it is in the champion's stage, as former champions are too.
    """

    name: str
    commit: str
    registered: datetime
    in_stage: bool = field(compare=False)

    @property
    def number(self) -> SemanticVersion:
        """What versions are ordered by: git's clock is too coarse for it."""
        return SemanticVersion(self.name)

    def __str__(self) -> str:
        return f"{ARTIFACT}@{self.name}"


def versions(folder: Path) -> list[Version]:
    """All versions, the newest first."""
    # GTO takes an artifact without tags for a mistake.
    registered = git(folder, "tag", "--list", f"{ARTIFACT}@*")
    # By default it shows the newest version of a stage alone.
    shown = gto.api.show(str(folder), ARTIFACT, registered_only=True, versions_per_stage=-1) if registered else []
    found = [
        Version(
            row["version"],
            row["commit_hexsha"],
            row["created_at"],
            in_stage=CHAMPION in {stage["stage"] for stage in row["stages"]},
        )
        for row in shown
    ]
    return sorted(found, key=lambda version: version.number, reverse=True)


def champion(folder: Path) -> Version | None:
    """The version that is in use; None before the first promotion."""
    return next(iter(_champions(folder)), None)


def promote(folder: Path, revision: str) -> Version:
    """Make a revision's model the champion, and a version if it is none yet.

    Raises:
        PipelineError: There is no such revision, it has no model, or it is the champion already.
    """
    commit = commit_of(folder, revision)
    current = champion(folder)
    if current is not None and current.commit == commit:
        raise PipelineError(f"{revision} is the champion already, as {current}")
    if "models/model.keras" not in (read(folder, commit, "dvc.lock") or ""):
        raise PipelineError(f"{revision} has no models/model.keras in its dvc.lock; name a trained commit")
    return _assign_champion(folder, commit, f"{CHAMPION} {commit[:12]}")


def rollback(folder: Path) -> Version:
    """Make the version that was the champion before the present one the champion again.

    Raises:
        PipelineError: There is none.
    """
    champions = _champions(folder)
    if not champions:
        raise PipelineError("there is no champion to roll back from; see python -m pipeline models")
    current, *former = champions
    if not former:
        raise PipelineError(f"there is no champion before {current} to roll back to; promote another version")
    return _assign_champion(folder, former[0].commit, f"back from {current}")


def _champions(folder: Path) -> list[Version]:
    """The champion, and those that were it before and may be it again."""
    # As for GTO, the newest of the versions in a stage has it, until it is taken out.
    return [version for version in versions(folder) if version.in_stage]


def _assign_champion(folder: Path, commit: str, reason: str) -> Version:
    """Take newer champions out of the stage, and assign it to a commit, so that GTO and DVC name the same champion."""
    name_the_author(folder)
    _wait_for_a_new_second(folder)
    found = versions(folder)
    own = next((version for version in found if version.commit == commit), None)
    try:
        for version in found:
            if version.in_stage and own is not None and version.number > own.number:
                gto.api.unassign(str(folder), ARTIFACT, version=version.name, stage=CHAMPION, message=reason)
        # By force, as a former champion is in the stage already; DVC goes by which was assigned last.
        gto.api.assign(str(folder), ARTIFACT, CHAMPION, ref=commit, message=reason, force=True)
    except GTOException as error:
        raise PipelineError(f"the registry refuses {commit[:12]}: {error}") from error
    return _champions(folder)[0]


def _wait_for_a_new_second(folder: Path) -> None:
    """Let no two assignments have the same time: DVC orders them by it, and git counts in seconds."""
    order = ("--sort=-taggerdate", "--count=1", "--format=%(taggerdate:unix)")
    if newest := git(folder, "for-each-ref", *order, f"refs/tags/{ARTIFACT}#*"):
        time.sleep(min(1.0, max(0.0, int(newest) + 1 - time.time())))
