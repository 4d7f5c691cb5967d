"""The command line that every stage has."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from stages.errors import BadInput
from stages.params import Params, load

PARAMS = Path("params.yaml")
RESTORE = "git checkout -- dvc.lock metrics plots reports && dvc checkout --force"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Make a stage's argument parser; a value is overridden by `dvc exp run -S`, not here."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--params", type=Path, default=PARAMS, metavar="FILE", help="the params file (default: params.yaml)"
    )
    return arguments


def main(run: Callable[[Params], None], description: str | None) -> None:
    """Run a stage that needs nothing but its params, and exit."""
    options = parser(description).parse_args()
    run_and_exit(lambda: run(load(options.params)))


def run_and_exit(work: Callable[[], None]) -> None:
    """Do a stage's work and exit: 0, 1 with a sentence for bad input, 130 after Ctrl-C, 143 when asked to end."""
    # As an exception, so that half-written outputs are cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # Lines must appear as they are written where a log or an orchestrator reads them.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        work()
    except (BadInput, OSError) as error:
        # An OSError here is a full disk, a folder that may not be written, a file that has gone.
        print(f"error: {error}", file=sys.stderr)
        # DVC removes a stage's outputs before it runs the stage; those of validate say what is wrong with the data.
        if os.environ.get("DVC_STAGE", "validate") != "validate":
            print(f"to have the former results back: {RESTORE}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
