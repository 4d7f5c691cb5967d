"""The branches that retrainings leave, each named by when it began: retrain/2026-12-01T030000Z."""

from collections.abc import Sequence
from pathlib import Path

from pipeline import dvc
from pipeline.errors import PipelineError
from pipeline.git import commit_of, git, name_the_author
from pipeline.project import RETRAININGS


def names(folder: Path) -> list[str]:
    """List them, the newest first."""
    order = ("--sort=-refname", "--format=%(refname:lstrip=2)")
    return git(folder, "for-each-ref", *order, f"refs/heads/{RETRAININGS}/").splitlines()


def newest_of(folder: Path, tip: str) -> str | None:
    """The newest retraining of this very commit, or the one that is this commit."""
    # This lists those of later commits too.
    order = ("--sort=-refname", f"--contains={tip}", "--format=%(refname:lstrip=2) %(objectname) %(parent)")
    for line in git(folder, "for-each-ref", *order, f"refs/heads/{RETRAININGS}/").splitlines():
        branch, commit, *parents = line.split()
        if tip in (commit, *parents[:1]):
            return branch
    return None


def refuse_a_name_that_is_taken(folder: Path, branch: str) -> None:
    """Say at the beginning what git would say after hours of training.

    Raises:
        PipelineError: There is a branch of that name, or one that stands in the place of the folder.
    """
    wanted = (f"refs/heads/{branch}", f"refs/heads/{RETRAININGS}")
    for found in git(folder, "for-each-ref", "--format=%(refname:lstrip=2)", *wanted).splitlines():
        if found in (branch, RETRAININGS):
            raise PipelineError(
                f"the branch {found} exists, so {branch} cannot be made; rename it: git branch -m {found} {found}-old"
            )


def commit_results(folder: Path, subject: str, reasons: Sequence[str]) -> str:
    """Commit what running the pipeline left in a checkout for git to keep; return the commit."""
    name_the_author(folder)
    git(folder, "add", "--update")
    git(folder, "add", "--force", "--", *(path for path in dvc.kept_in_git(folder) if (folder / path).exists()))
    message = f"{subject}\n\n" + "\n".join(f"- {reason}" for reason in reasons)
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return commit_of(folder, "HEAD")
