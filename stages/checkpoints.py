"""Where the checkpoints of trainings are kept, who may use them, and when they are thrown away.

Each training has a folder, named by its fingerprint, in .dvc/tmp/checkpoints of the main repository: DVC clears away
a stage's outputs before it runs the stage, every worktree finds them there, and git ignores the place.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from stages.exclusive import PATIENCE_SECONDS, alone, try_lock
from stages.outputs import write_text
from stages.provenance import md5

KEPT = 8
LOCK = "lock"
# Where DVC writes what it knows to be done; to a stage it is a file like any other.
DVC_LOCK = Path("dvc.lock")
_MODEL_MD5 = "model.md5"
# The trainings are numbered as they are begun or taken up: a clock may jump back.
_TURN = "turn"


def store() -> Path:
    """The folder for the checkpoints of all trainings."""
    asked = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir", "--show-prefix"]
    place = Path(".dvc/tmp/checkpoints").absolute()
    # Without git, or outside of a repository, the project is where we are.
    with contextlib.suppress(OSError):
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        common, _, prefix = done.stdout.rstrip("\n").partition("\n")
        project = Path(common).parent / prefix
        if done.returncode == 0 and Path(common).name == ".git" and (project / ".dvc").is_dir():
            place = project / ".dvc/tmp/checkpoints"
    return place


@contextlib.contextmanager
def claimed(fingerprint: str, patience: float = PATIENCE_SECONDS) -> Iterator[Path]:
    """Give a training's folder to this process alone, and clear away those of trainings long past.

    Raises:
        BadInput: Another process has had it for too long.
    """
    folder = store() / fingerprint
    with alone(folder / LOCK, "this training", patience):
        by_turn = sorted(store().iterdir(), key=_turn, reverse=True)
        write_text(folder / _TURN, str(_turn(by_turn[0]) + 1))
        others = [other for other in by_turn if other != folder]
        for old in others[KEPT - 1 :]:
            _drop(old)
        yield folder


def remember_model(folder: Path, model: Path) -> None:
    """Note which model a finished training became."""
    write_text(folder / _MODEL_MD5, md5(model))


def forget_recorded() -> None:
    """Throw away the checkpoints of every model that dvc.lock has: it cannot be lost any more."""
    try:
        recorded = DVC_LOCK.read_text(encoding="utf-8")
    except OSError:
        return
    for note in store().glob(f"*/{_MODEL_MD5}"):
        # Another checkout may do the same.
        with contextlib.suppress(FileNotFoundError):
            if note.read_text(encoding="utf-8") in recorded:
                _drop(note.parent)


def _drop(folder: Path) -> None:
    """Remove a training's folder, unless some process is using it."""
    with contextlib.suppress(FileNotFoundError), (folder / LOCK).open("a", encoding="ascii") as file:
        if try_lock(file):
            shutil.rmtree(folder)


def _turn(folder: Path) -> int:
    try:
        return int((folder / _TURN).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
