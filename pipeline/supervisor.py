"""Run one command so that nothing of it outlives whoever asked for it.

`python -m pipeline.supervisor COMMAND…` is started with a pipe as its standard input. When that pipe closes,
because the parent closed it or died in whatever way, the command's whole process group is ended.

DVC alone does not do this: ended by a signal, it leaves the stage that it started running and writing.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 3.0


def main(command: list[str]) -> int:
    """Run the command in a session of its own; return its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        threading.Thread(target=_end_with_parent, args=(process,), daemon=True).start()
        status = process.wait()
        # What the command left behind goes with it.
        _signal_group(process.pid, signal.SIGKILL)
    return status if status >= 0 else 128 - status


def _end_with_parent(process: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    _signal_group(process.pid, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
