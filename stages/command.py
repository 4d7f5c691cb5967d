"""How every stage runs as a command, and ends."""

import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from stages import lineage
from stages.errors import BadInput
from stages.exclusive import alone
from stages.params import Params, load

LOCKS = Path(".dvc/tmp/stages")
RESTORE = "git checkout -- dvc.lock metrics plots reports && dvc checkout --force"


def main(run: Callable[[Params], None], params: Path) -> None:
    """Run a stage that needs nothing but its params, and exit."""
    lock = LOCKS / f"{Path(sys.argv[0]).stem}.lock"

    def work() -> None:
        # By hand as well, two at once would leave one's images beside the other's manifest. DVC has the lock already.
        by_hand = LOCKS.parents[1].is_dir() and "DVC_STAGE" not in os.environ
        with alone(lock, f"the stage {lock.stem}") if by_hand else contextlib.nullcontext():
            run(load(params))

    run_and_exit(work)


def run_and_exit(work: Callable[[], None]) -> None:
    """Do a stage's work and exit: 0, 1 with a sentence for bad input, 130 after Ctrl-C, 143 when asked to end."""
    # As an exception, so that half-written outputs are cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # Whoever reads may have gone, which is no reason to print a traceback for every line.
    logging.raiseExceptions = False
    if sys.stdout is not None:
        # Lines must appear as they are written where a log or an orchestrator reads them.
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        if (stage := os.environ.get("DVC_STAGE")) is None:
            work()
        else:
            _work_for_dvc(stage, work)
    except (BadInput, OSError, MemoryError) as error:
        # An OSError here is a full disk, a folder that may not be written, a file that has gone.
        print(f"error: {_told(error)}", file=sys.stderr)
        # DVC removes a stage's outputs before it runs the stage; those of validate say what is wrong with the data.
        if os.environ.get("DVC_STAGE", "validate") != "validate":
            print(f"to have the former results back: {RESTORE}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _told(error: Exception) -> str:
    """Say what went wrong, and what to do about a machine that does not do what it is asked."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({str(error) or 'for anything'}); end what else runs, and start again"
    return f"{error}{_remedy(error)}"


def _remedy(error: Exception) -> str:
    match getattr(error, "errno", None):
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "; there is no room to write: free some, and start again"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "; this may not be written or read: change that, and start again"
        case errno.ENOENT:
            return "; it is missing or has gone meanwhile: bring it back (`dvc checkout`), and start again"
    return ""


def _work_for_dvc(stage: str, work: Callable[[], None]) -> None:
    """Do what DVC will record: DVC, killed, may have left the same stage running, and does not see what is edited."""
    with alone(LOCKS / f"{stage.rpartition(':')[2]}.lock", f"the stage {stage}"), lineage.unchanged(stage):
        work()
