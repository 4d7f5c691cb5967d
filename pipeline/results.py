"""What a run came to, as a file, as artifacts in Prefect's UI, and as tables in the terminal."""

import json
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed
from rich.console import Console
from rich.table import Table

from pipeline import dvc, registry
from pipeline.errors import PipelineError
from stages.outputs import write_text


@dataclass(frozen=True)
class StageRun:
    """What became of a stage, and how many seconds that took."""

    stage: str
    outcome: str
    seconds: float


@dataclass(frozen=True)
class Metric:
    """A number that was measured, and what it is for the champion."""

    name: str
    value: float
    champion: float | None


@dataclass(frozen=True)
class Result:
    """A run as it is told to people: promoted, rejected, undecided or skipped, and why."""

    outcome: str
    reasons: list[str]
    stages: list[StageRun]
    numbers: dict[str, Any] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    branch: str | None = None

    def state(self) -> State[Any]:
        """How Prefect is told: completed, under a name that says to what end."""
        return Completed(name=self.outcome.capitalize(), message="; ".join(self.reasons), data=self)


def metrics(folder: Path) -> list[Metric]:
    """The numbers of a checkout beside those of the champion."""
    own = _flat(dvc.metrics(folder))
    champion = registry.champion(folder)
    try:
        former = _flat(dvc.metrics(folder, champion.commit)) if champion else {}
    except PipelineError:
        # A champion whose files are lost: the verdict says so.
        former = {}
    return [Metric(name, value, former.get(name)) for name, value in own.items()]


def _flat(files: dict[str, Any]) -> dict[str, float]:
    return {
        f"{Path(file).stem}.{name}": value
        for file, found in files.items()
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def write(path: Path, result: Result) -> None:
    """Write a result whole or not at all."""
    write_text(path, json.dumps(asdict(result), indent=2, default=float) + "\n")


def show(result: Result, report: Path | None) -> None:
    """Keep a result as artifacts of the flow run."""
    if result.stages:
        on = f"on {platform.node()}, by Python {platform.python_version()} and TensorFlow {version('tensorflow')}"
        create_table_artifact([asdict(stage) for stage in result.stages], key="stages", description=f"What ran {on}")
    if result.metrics:
        rows = [asdict(metric) for metric in result.metrics]
        create_table_artifact(rows, key="metrics", description="What was measured")
    reasons = "\n".join(f"- {reason}" for reason in result.reasons)
    create_markdown_artifact(f"# {result.outcome.capitalize()}\n\n{reasons}\n", key="verdict", description="The gate")
    if drift := result.numbers.get("drift"):
        create_table_artifact(drift, key="drift", description="How the images differ from the champion's")
    if report is not None and report.is_file():
        create_link_artifact(report.resolve().as_uri(), key="report", link_text="report.html")


def print_result(result: Result) -> None:
    """Print what a person wants to know at the end of a run."""
    console = Console(highlight=False, markup=False)
    if result.stages:
        stages = Table("stage", "state", "seconds", box=None)
        for stage in result.stages:
            stages.add_row(stage.stage, stage.outcome, f"{stage.seconds:.1f}")
        console.print(stages)
    if result.metrics:
        numbers = Table("metric", "value", "champion", "difference", box=None)
        for metric in result.metrics:
            known = metric.champion is not None
            numbers.add_row(
                metric.name,
                f"{metric.value:g}",
                f"{metric.champion:g}" if known else "",
                f"{metric.value - (metric.champion or 0):+.4g}" if known else "",
            )
        console.print(numbers)
    if result.branch:
        console.print(f"branch {result.branch}", soft_wrap=True)
    console.print(f"{result.outcome}: {'; '.join(result.reasons)}", soft_wrap=True)
