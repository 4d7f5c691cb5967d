"""One process at a time, by a lock that ends with the process that has it, however that ends."""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from stages.errors import BadInput

PATIENCE_SECONDS = 60.0
log = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(lock: Path, task: str, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Wait until no other process is at a task, such as one that outlived the run that started it.

    Raises:
        BadInput: Another process has been at it for too long; says which.
    """
    deadline = time.monotonic() + patience
    owner = ""
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("a+", encoding="ascii") as file:
            if try_lock(file):
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
                yield
                return
            file.seek(0)
            found = file.read()
        if time.monotonic() >= deadline:
            raise BadInput(
                f"the process {found} is still at {task} after {patience:.0f} seconds; wait until it ends, or end it "
                f"with `kill {found}`, and start again"
            )
        if found != owner:
            owner = found
            log.warning("waiting for the process %s, which is at %s", owner, task)
        time.sleep(0.1)


def try_lock(file: IO[str]) -> bool:
    """Take a lock if it is free, and if the file has not been thrown away and made anew meanwhile."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))
    except (BlockingIOError, FileNotFoundError):
        return False
