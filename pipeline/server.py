"""Prefect's server: whether it is there, and a schedule served by it."""

import asyncio
import hashlib
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
from prefect.schedules import Cron, Schedule
from prefect.server.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types.entrypoint import EntrypointType

from pipeline import supervisor
from pipeline.errors import PipelineError
from pipeline.lock import only_schedule
from pipeline.processes import Say
from pipeline.project import find

START_SECONDS = 90.0
WAIT_SECONDS = 5.0
_KEPT: list["subprocess.Popen[bytes]"] = []


def check() -> None:
    """Make sure that the Prefect server of the settings answers; without one, flows start their own.

    Raises:
        PipelineError: It does not answer.
    """
    url = PREFECT_API_URL.value()
    if url and not _answers(url):
        raise PipelineError(
            f"no Prefect server answers at PREFECT_API_URL, {url}; start it (prefect server start), or "
            "unset it to have one started for each run"
        )


def for_one_run(folder: Path) -> AbstractContextManager[Any]:
    """Have a server: that of the settings, or one of our own until this process ends.

    Prefect would start one too, but in our process group: a Ctrl-C in a terminal would end it before the run can tell
    it that it is over, which Prefect then tries for minutes.

    Raises:
        PipelineError: It does not answer.
    """
    check()
    if PREFECT_API_URL.value():
        return nullcontext()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process, log = _start(folder, port, "of-a-run", "--no-services")
    # Prefect sends its last lines after everything else, so that nothing before the end of the process may end it.
    _KEPT.append(process)
    _wait_for(_url(port), process, log)
    return temporary_settings({PREFECT_API_URL: _url(port)})


def serve(cron: str, timezone: str, port: int, parameters: dict[str, object], say: Say) -> None:
    """Retrain whenever the cron line says, until interrupted.

    Raises:
        PipelineError: The cron line, the time zone or the server is not to be used, or the folder is served already.
    """
    schedule = read_schedule(cron, timezone)
    folder = Path(str(parameters["project"]))
    say(f"retraining {folder.name} at {cron!r} ({timezone}); Ctrl-C ends it")
    with only_schedule(find(folder)):
        while _serve_until_server_is_lost(folder, port, schedule, parameters, say):
            say("Prefect's server does not answer any more; the schedule goes on as soon as there is one")
            while (url := PREFECT_API_URL.value()) and not _answers(url):
                time.sleep(WAIT_SECONDS)


def _serve_until_server_is_lost(
    folder: Path, port: int, schedule: Schedule, parameters: dict[str, object], say: Say
) -> bool:
    """Serve until interrupted, or until the server is lost for longer than Prefect endures; say whether it was."""
    from pipeline.retraining import retrain

    with _server(folder, port) as url, temporary_settings({PREFECT_API_URL: url}):
        say(f"Prefect's pages: {url.removesuffix('/api')}")
        try:
            retrain.serve(
                name=deployment_name(folder),
                schedule=schedule,
                parameters=parameters,
                limit=1,
                entrypoint_type=EntrypointType.MODULE_PATH,
                print_starting_message=False,
            )
        # Whatever Prefect makes of it, through several layers of its own.
        except Exception:
            if _answers(url):
                raise
            return True
    return False


def deployment_name(folder: Path) -> str:
    """What a folder's deployment is called; another folder of that name must not take it over."""
    place = hashlib.sha256(f"{platform.node()}:{folder}".encode()).hexdigest()
    return f"{folder.name}-{place[:8]}"


def read_schedule(cron: str, timezone: str) -> Schedule:
    """Check a cron line.

    Raises:
        PipelineError: It is none, names a day that never comes, or there is no such time zone.
    """
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PipelineError(f"there is no time zone {timezone!r}; expected a name such as Europe/Berlin") from error
    try:
        line = CronSchedule(cron=cron, timezone=timezone)
    except ValueError as error:
        raise PipelineError(
            f'{cron!r} is no cron line; expected "minute hour day month weekday", such as "0 3 * * *" for 3 at night'
        ) from error
    try:
        asyncio.run(line.get_dates(1))
    except ValueError as error:
        raise PipelineError(f"{cron!r} never comes; expected a day that its month has") from error
    return Cron(cron, timezone=timezone)


@contextmanager
def _server(folder: Path, port: int) -> Iterator[str]:
    """Give the address of a server: that of the settings, one that runs on the port, or one of our own."""
    check()
    if url := PREFECT_API_URL.value():
        yield url
        return
    url = _url(port)
    if _answers(url):
        yield url
        return
    process, log = _start(folder, port, "of-a-schedule")
    with process:
        assert process.stdin is not None  # noqa: S101 - a pipe, as asked for
        try:
            _wait_for(url, process, log)
            yield url
        finally:
            process.stdin.close()


def _start(folder: Path, port: int, whose: str, *options: str) -> tuple["subprocess.Popen[bytes]", Path]:
    """Start a server that ends with us, however we end, or when its input is closed; say where its log is."""
    log = find(folder).logs / f"prefect-server-{whose}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), *options]
    with log.open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-P", supervisor.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ), log


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/api"


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            raise PipelineError(
                f"Prefect's server did not start at {url} (is the port taken? --port): {' '.join(last)}"
            )
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False
