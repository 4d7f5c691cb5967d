"""The command line of the drivers: `python -m pipeline run`, `serve`, and what belongs to them."""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet import garbage

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

# Before Prefect is imported: no tool reports home.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

EXIT_STATUS = {"promoted": 0, "skipped": 0, "rejected": 3, "undecided": 4}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = parser().parse_args(arguments)
    garbage.search_rarely()
    from pipeline import git
    from pipeline.errors import PipelineError

    git.leave_the_hook()
    try:
        return int(options.start(options) or 0)
    except (PipelineError, OSError) as error:
        # An OSError here is a full disk, a folder that may not be written, or a command that is not installed.
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    top = argparse.ArgumentParser(
        prog="python -m pipeline",
        description="Run the pipeline as Prefect flows, and look after the models that they make.",
        epilog="run and retrain exit with 0 when promoted or skipped, 3 when rejected, 4 when undecided, 1 on failure.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    running = commands.add_parser("run", help="one flow run in this folder, over the same graph as `dvc repro`")
    running.set_defaults(start=run)

    retraining = commands.add_parser("retrain", help="one retraining in a checkout of its own, as serve does it")
    retraining.set_defaults(start=retrain)

    serving = commands.add_parser("serve", help="retrain on a schedule, never two at once, until Ctrl-C")
    serving.add_argument("--cron", required=True, help='when, as "minute hour day month weekday": "0 3 * * *"')
    serving.add_argument("--timezone", default="UTC", help="of the cron line, such as Europe/Berlin (default: UTC)")
    serving.add_argument(
        "--port",
        type=int,
        default=4200,
        help="of the Prefect server to start where PREFECT_API_URL is not set (default: 4200)",
    )
    serving.set_defaults(start=serve)

    for command in (retraining, serving):
        command.add_argument("--revision", default="HEAD", help="what to retrain (default: the current branch's tip)")
        command.add_argument("--push", action="store_true", help="push the result to the DVC and git remotes")
        command.add_argument("--notify", metavar="WHOM", help="a command or an http address that is sent each outcome")
        command.add_argument("--stage-timeout-seconds", type=seconds, metavar="S", help="end a stage after so long")
        command.add_argument(
            "--retry-waits",
            type=wait,
            nargs="*",
            metavar="S",
            default=[5.0, 30.0, 120.0],
            help="seconds between attempts to transfer data (default: 5 30 120)",
        )

    listing = commands.add_parser("models", help="the versions of the model with their metrics, and the champion")
    listing.set_defaults(start=models)
    promoting = commands.add_parser("promote", help="make a revision's model the champion")
    promoting.add_argument("revision", metavar="REV", help="a branch, a tag or a commit")
    promoting.set_defaults(start=promote)
    back = commands.add_parser("rollback", help="make the champion before this one the champion again")
    back.set_defaults(start=rollback)

    comparing = commands.add_parser(
        "compare", help="write a page: what changed between two revisions, and which is better"
    )
    comparing.add_argument(
        "former", metavar="A", nargs="?", help="the former revision (default: the champion, or else the parent commit)"
    )
    comparing.add_argument(
        "new", metavar="B", nargs="?", default="workspace", help="the new one (default: the workspace)"
    )
    comparing.set_defaults(start=compare)

    verifying = commands.add_parser("verify", help="prove that dvc.lock, DVC's cache and the workspace agree")
    verifying.set_defaults(start=verify)
    cleaning = commands.add_parser("clean", help="remove old retrainings and what only they hold in DVC's cache")
    cleaning.add_argument("--keep", type=count, default=30, metavar="N", help="how many to keep (default: 30)")
    cleaning.set_defaults(start=clean)
    return top


def seconds(text: str) -> float:
    """Read a time that can pass."""
    if 0 < (time := float(text)) < math.inf:
        return time
    raise argparse.ArgumentTypeError(f"{text} is no number of seconds; expected more than 0")


def wait(text: str) -> float:
    """Read a time to wait, which may be none."""
    if 0 <= (time := float(text)) < math.inf:
        return time
    raise argparse.ArgumentTypeError(f"{text} is no number of seconds; expected 0 or more")


def count(text: str) -> int:
    """Read how many to keep, as a number that a database can hold."""
    if 0 <= (number := int(text)) < 2**31:
        return number
    raise argparse.ArgumentTypeError(f"{text} is no number of retrainings; expected 0 to {2**31 - 1:,}")


def run(_: argparse.Namespace) -> int:
    """Bring the pipeline of this folder up to date."""
    from pipeline import project, server
    from pipeline.flow import pipeline

    found = project.find(Path.cwd())
    with server.for_one_run(found.folder):
        return _finish(pipeline(str(found.folder), return_state=True))


def retrain(options: argparse.Namespace) -> int:
    """Retrain once, now."""
    from pipeline import project, server
    from pipeline.retraining import retrain as flow

    found = project.find(Path.cwd())
    with server.for_one_run(found.folder):
        return _finish(flow(**settings(options, found.folder), return_state=True))


def serve(options: argparse.Namespace) -> None:
    """Retrain on a schedule."""
    from pipeline import project, server

    found = project.find(Path.cwd())
    server.serve(options.cron, options.timezone, options.port, settings(options, found.folder), say=print)


def settings(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """The parameters of the flow that retrains."""
    names = ("revision", "push", "notify", "stage_timeout_seconds", "retry_waits")
    return {"project": str(folder)} | {name: getattr(options, name) for name in names}


def models(_: argparse.Namespace) -> None:
    """List the versions."""
    from pipeline import listing, project

    listing.print_models(project.find(Path.cwd()).folder)


def promote(options: argparse.Namespace) -> None:
    """Make a revision the champion."""
    from pipeline import project, registry

    print(f"{registry.promote(project.find(Path.cwd()).folder, options.revision)} is the champion now")


def rollback(_: argparse.Namespace) -> None:
    """Go back to the champion before this one."""
    from pipeline import project, registry

    print(f"{registry.rollback(project.find(Path.cwd()).folder)} is the champion again")


def compare(options: argparse.Namespace) -> None:
    """Hold two revisions against each other."""
    from pipeline import comparison, project

    comparison.print_summary(*comparison.write(project.find(Path.cwd()), options.former, options.new))


def verify(_: argparse.Namespace) -> int:
    """Check all that is stored."""
    from pipeline import project, verification

    findings = verification.verify(project.find(Path.cwd()))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings" if findings else "dvc.lock, DVC's cache and the workspace agree")
    return 1 if findings else 0


def clean(options: argparse.Namespace) -> None:
    """Remove what is old."""
    from pipeline import project, server
    from pipeline.cleaning import clean as remove

    found = project.find(Path.cwd())
    with server.for_one_run(found.folder):
        removed = remove(found, options.keep)
    print(
        f"removed {removed.branches} branches, {removed.checkouts} checkouts, {removed.logs} folders of logs, "
        f"{removed.objects} cached objects, {removed.flow_runs} flow runs"
    )
    if removed.left_alone:
        print(
            f"DVC's cache, {removed.left_alone}, lies outside of the project and may be shared, so nothing was removed "
            "from it; to clean it for all projects: dvc gc --all-commits --projects OTHER…"
        )


def _finish(state: "State[Any]") -> int:
    """Print what a flow run came to; return the exit status."""
    from pipeline import results

    if not state.is_completed():
        error = state.result(raise_on_failure=False)
        print(f"error: {error if isinstance(error, Exception) else state.message}", file=sys.stderr)
        return 1
    # Not from its file, which another run may have written meanwhile.
    result = state.result()
    results.print_result(result)
    return EXIT_STATUS[result.outcome]


if __name__ == "__main__":
    sys.exit(main())
