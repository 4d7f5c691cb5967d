"""The one place that talks to DVC: the graph of dvc.yaml, and the `dvc` command."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage, Stage

Outcome = Literal["ran", "restored", "unchanged"]


class DvcFailed(Exception):
    """A dvc command did not do what it was asked; the message ends with its last lines."""


def graph(folder: Path) -> nx.DiGraph:
    """Read the stages of dvc.yaml and the .dvc files of data, with an edge from each to those that need it.

    Raises:
        DvcFailed: No DVC project, or a dvc.yaml that DVC refuses, such as one with a cycle.
    """
    try:
        with Repo(str(folder)) as repo:
            needed_by = repo.index.graph.reverse()
            return nx.relabel_nodes(needed_by, {stage: _address(stage) for stage in needed_by})
    except DvcException as error:
        raise DvcFailed(str(error)) from error


def in_order(stages: nx.DiGraph) -> list[str]:
    """Sort the stages of a graph so that each comes after those that it needs; by name where there is a choice."""
    return list(nx.lexicographical_topological_sort(stages))


def stale(folder: Path, stages: nx.DiGraph) -> set[str]:
    """Ask DVC which stages are out of date, with all that need them."""
    status = json.loads(_run(folder, ["status", "--json"]).stdout)
    changed = {name for name in stages if name in status}
    return changed.union(*(nx.descendants(stages, name) for name in changed))


def reproduce(folder: Path, stage: str, say: Callable[[str], None]) -> Outcome:
    """Bring one stage up to date, handing on each line of its output as it appears.

    Raises:
        DvcFailed: The stage failed.
    """
    lines: list[str] = []
    command = [sys.executable, "-m", "pipeline.supervisor", *_dvc("repro", "--single-item", stage)]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - a pipe, as asked for
        assert process.stdout is not None  # noqa: S101
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                say(lines[-1])
            status = process.wait()
        finally:
            process.stdin.close()
    if status:
        raise DvcFailed(f"stage {stage} failed with status {status}: " + "\n".join(lines[-5:]))
    if any("is cached - skipping run" in line for line in lines):
        return "restored"
    # A .dvc file is not run but verified, and takes the new content of its data into DVC's cache.
    did = (f"Running stage '{stage}'", f"Verifying data sources in stage: '{stage}'")
    return "ran" if any(line.startswith(did) for line in lines) else "unchanged"


def metrics(folder: Path) -> dict[str, Any]:
    """The workspace's metrics, by file."""
    shown = json.loads(_run(folder, ["metrics", "show", "--json"]).stdout)
    return {name: found["data"] for name, found in shown[""]["data"].items() if "data" in found}


def environment() -> dict[str, str]:
    """The environment of every dvc command: this Python first, unbuffered, and nobody is told."""
    own = Path(sys.executable).parent
    return os.environ | {
        "PATH": f"{own}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
    }


def _address(stage: Stage) -> str:
    """What `dvc repro` calls a stage when it runs in the project's root, wherever we are."""
    if not isinstance(stage, PipelineStage):
        return stage.path_in_repo
    return stage.name if stage.path_in_repo == "dvc.yaml" else f"{stage.path_in_repo}:{stage.name}"


def _dvc(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


def _run(folder: Path, arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(_dvc(*arguments), cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise DvcFailed(f"dvc {' '.join(arguments)}: {done.stderr.strip()}")
    return done
