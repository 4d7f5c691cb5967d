"""The git command."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from pipeline.errors import GitFailed
from pipeline.supervisor import GRACE_SECONDS

# Neither a person's hooks nor their signing key belong to what is done in their absence, nor a watcher of files
# to a checkout of minutes.
UNATTENDED = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"),
    *("-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false"),
)
# What git tells its hooks of the repository that they are called for.
OF_A_HOOK = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
)


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; return what it prints.

    Raises:
        GitFailed: With what git says.
    """
    with subprocess.Popen(
        ["git", *UNATTENDED, *arguments],
        cwd=folder,
        env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Without a terminal, at which an ssh would ask for a password until somebody comes.
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            printed, said = process.communicate()
        except BaseException:
            # Nor does a terminal's Ctrl-C reach them.
            _end(process)
            raise
    if process.returncode:
        raise GitFailed(f"git {' '.join(arguments)}: {said.strip() or printed.strip()}")
    return printed.strip("\n")


def _end(process: "subprocess.Popen[str]") -> None:
    """End git and whatever it has started, such as ssh; asked first, it removes its locks."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


def leave_the_hook() -> None:
    """Forget which repository a hook was called for: every command says by its folder which one it means."""
    for name in OF_A_HOOK:
        os.environ.pop(name, None)


def commit_of(folder: Path, revision: str) -> str:
    """The full hash of the commit that a revision names.

    Raises:
        GitFailed: There is none.
    """
    try:
        return git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except GitFailed as error:
        raise GitFailed(
            f"there is no revision {revision!r} here; expected a branch, a tag or a commit (git log --all --oneline)"
        ) from error


def read(folder: Path, revision: str, path: str) -> str | None:
    """A text file as it stands in a commit; None where it is not in it."""
    try:
        return git(folder, "show", f"{revision}:{path}")
    except GitFailed:
        return None


def name_the_author(folder: Path) -> None:
    """Let git commit and tag on a machine where nobody has said who they are."""
    for key, value in (("NAME", "pipeline"), ("EMAIL", "pipeline@localhost")):
        try:
            git(folder, "config", f"user.{key.lower()}")
        except GitFailed:
            for role in ("AUTHOR", "COMMITTER"):
                os.environ.setdefault(f"GIT_{role}_{key}", value)
