"""Run one command so that nothing of it outlives whoever asked for it.

`python -m pipeline.supervisor COMMAND…` is started with a pipe as its standard input. When that pipe closes,
because the parent closed it or died in whatever way, or when the supervisor is told to end, the command's whole
process group is ended: asked first, and killed if it does not listen.

DVC alone does not do this: ended by a signal, it leaves the stage that it started running and writing.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

GRACE_SECONDS = 3.0


def main(command: list[str]) -> int:
    """Run the command in a session of its own; return its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        asked_to_end = False

        # A plain flag: a signal handler that waits for a lock may wait for the very code that it interrupted.
        def end(number: int = 0, frame: FrameType | None = None) -> None:
            nonlocal asked_to_end
            asked_to_end = True
            _signal_group(process.pid, signal.SIGTERM)

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGHUP, end)
        threading.Thread(target=_when_the_pipe_closes, args=(end,), daemon=True).start()
        while process.poll() is None and not asked_to_end:
            time.sleep(0.05)
        if asked_to_end:
            _wait_for_group(process)
        # What is still there, or what the command left behind, goes now.
        _signal_group(process.pid, signal.SIGKILL)
        status = process.wait()
    return status if status >= 0 else 128 - status


def _when_the_pipe_closes(end: Callable[[], None]) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    end()


def _wait_for_group(process: "subprocess.Popen[bytes]") -> None:
    """Give the group time to put its things in order."""
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
