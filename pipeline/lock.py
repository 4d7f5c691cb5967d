"""One run at a time, whoever starts it, and one schedule."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from pipeline.errors import Busy, PipelineError
from pipeline.project import Project

# A run that was killed leaves a supervisor that is ending its stage.
SUPERVISOR_SECONDS = 15.0


class AnotherRun(Busy):
    """Another run holds the project's lock."""


@dataclass(frozen=True)
class Owner:
    """Who holds the lock."""

    pid: int
    since: str
    flow_run: str | None = None


@dataclass
class Held:
    """The lock; `crashed` is the run that held it before and never gave it back, until that is told."""

    descriptor: int
    crashed: Owner | None


@contextmanager
def only_run(project: Project, flow_run: str | None = None) -> Iterator[Held]:
    """Hold the project's lock, which the system takes back when the last process that has it open ends.

    Raises:
        AnotherRun: Says which, and since when.
    """
    descriptor = _open(project.state / "pipeline.lock")
    try:
        _take(descriptor)
        held = Held(descriptor, _owner(descriptor))
        _write(descriptor, json.dumps(asdict(_me(flow_run))))
        try:
            yield held
        finally:
            _write(descriptor, json.dumps(asdict(held.crashed)) if held.crashed else "")
    finally:
        os.close(descriptor)


@contextmanager
def only_schedule(project: Project) -> Iterator[None]:
    """Hold the right to serve a folder on a schedule: of two, the one that ends first would pause the other's.

    Raises:
        PipelineError: Says who holds it.
    """
    descriptor = _open(project.folder / ".dvc" / "tmp" / "serve.lock")
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = _in_words(_owner(descriptor))
            raise PipelineError(f"{project.folder} is served already ({who}); end that one first") from None
        _write(descriptor, json.dumps(asdict(_me(None))))
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT)


def _take(descriptor: int) -> None:
    deadline = time.monotonic() + SUPERVISOR_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            owner = _owner(descriptor)
            ending = owner is not None and not _alive(owner.pid)
            if not ending or time.monotonic() > deadline:
                raise AnotherRun(f"another run is going ({_in_words(owner)}); this one is skipped") from None
            time.sleep(0.1)


def _in_words(owner: Owner | None) -> str:
    return f"process {owner.pid}, since {owner.since}" if owner else "another process"


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _me(flow_run: str | None) -> Owner:
    return Owner(os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"), flow_run)


def _owner(descriptor: int) -> Owner | None:
    try:
        return Owner(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
