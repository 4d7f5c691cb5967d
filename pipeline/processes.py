"""Commands that stream what they say, and of which nothing outlives us."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline import supervisor

Say = Callable[[str], None]


def environment() -> dict[str, str]:
    """The environment of every command: this Python first, unbuffered, and nobody is told."""
    own = Path(sys.executable).parent
    return os.environ | {
        "PATH": f"{own}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
    }


def supervised(command: Sequence[str], folder: Path, say: Say, held: int | None = None) -> tuple[int, list[str]]:
    """Run a command under a supervisor, handing on each line as it appears; return its status and its lines.

    Args:
        held: A file descriptor that the supervisor keeps open for as long as anything of the command may be left.
    """
    lines: list[str] = []
    with subprocess.Popen(
        # By its file: the folder's own revision of this package is not to be imported.
        [sys.executable, "-P", supervisor.__file__, *command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=() if held is None else (held,),
    ) as process:
        assert process.stdin is not None  # noqa: S101 - a pipe, as asked for
        assert process.stdout is not None  # noqa: S101
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                if lines[-1]:
                    say(lines[-1])
            return process.wait(), lines
        except KeyboardInterrupt:
            process.stdin.close()
            # What it has to say as it ends, such as where the next run goes on.
            for line in process.stdout:
                say(line.rstrip())
            raise
        finally:
            process.stdin.close()
