"""The command line of the drivers: `python -m pipeline run`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Before Prefect is imported: no tool reports home.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipeline", description="Run the pipeline as Prefect flows.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="one flow run in this folder, over the same graph as `dvc repro`")
    running.set_defaults(start=run)
    options = parser.parse_args(arguments)
    return int(options.start(options))


def run(_: argparse.Namespace) -> int:
    """Bring the pipeline of this folder up to date."""
    from pipeline.dvc import DvcFailed
    from pipeline.flow import pipeline

    try:
        outcomes = pipeline(Path.cwd())
    except DvcFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    for stage, outcome in outcomes.items():
        print(f"{stage:<10} {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
