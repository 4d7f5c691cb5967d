"""`python -m pipeline compare`: two sides as one page that needs no network, and as a short table."""

import math
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from pipeline import answers, changes, dvc
from pipeline.champion import CLASSES, MANIFEST
from pipeline.drift import drift
from pipeline.errors import PipelineError
from pipeline.project import EVALUATION, Project, settings
from pipeline.sides import WORKSPACE, Side, choose
from pipeline.times import times
from stages import pages
from stages.outputs import write_text
from stages.params import Params

Found = dict[str, Any]


def write(project: Project, former: str | None, new: str) -> tuple[Path, Found]:
    """Compare two revisions; give the page that was written, and what is in it.

    Raises:
        PipelineError: A revision does not exist or has no results, or params.yaml cannot be read.
    """
    params = settings(project.folder)
    with tempfile.TemporaryDirectory(prefix="compare-") as files:
        found = gather(project, *choose(project.folder, former, new, Path(files)), params)
    page = project.logs / "compare" / f"{_as_file(found['former'].name)}-{_as_file(found['new'].name)}.html"
    write_text(page, pages.render("compare.html", **found))
    return page, found


def gather(project: Project, former: Side, new: Side, params: Params) -> Found:
    """All that the page says. What cannot be had is a sentence in `missing` instead."""
    for side in (former, new):
        _refuse_without_results(side)
    missing: dict[str, str] = {}

    def unless_missing(section: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except PipelineError as error:
            missing[section] = str(error)
            return None

    return {
        "former": former,
        "new": new,
        "level": params.evaluate.bootstrap.level,
        "evaluated": _as_evaluated(former.json(EVALUATION), new.json(EVALUATION)),
        "paired": unless_missing("paired", lambda: _paired(former, new, params)),
        "settings": changes.settings(former, new),
        "files": changes.files(former, new),
        "data": changes.data(former, new),
        "images": unless_missing("images", lambda: changes.images(former.table(MANIFEST), new.table(MANIFEST))),
        "drift": unless_missing("drift", lambda: _drift(former, new, params)),
        "times": [row for side in (former, new) for row in times(project, side)],
        "stale": sorted(dvc.status(project.folder)) if new.commit is None else [],
        "missing": missing,
    }


def print_summary(page: Path, found: Found) -> None:
    """Print the metrics on the same images, or where there are none, those of each evaluation; and the page's path."""
    console = Console(highlight=False, markup=False, width=120)
    former, new, paired = str(found["former"]), str(found["new"]), found["paired"]
    if paired:
        table = Table("metric", former, new, "difference", f"{found['level']:.0%} interval", box=None)
        for row in paired["metrics"]:
            table.add_row(*row.values())
        console.print(table)
        same = f"on {paired['images']:,} test images that both have and neither was trained on"
        console.print(f"{same}: {len(paired['gained'])} now right, {len(paired['lost'])} now wrong", soft_wrap=True)
    else:
        table = Table("metric", former, new, box=None)
        for row in found["evaluated"]:
            table.add_row(row["name"], row["former"], row["new"])
        console.print(table)
    for sentence in dict.fromkeys(found["missing"].values()):
        console.print(f"missing on the page: {sentence}", soft_wrap=True)
    if found["stale"]:
        console.print(f"mind that {', '.join(found['stale'])} of the workspace is out of date: dvc repro")
    console.print(str(page), soft_wrap=True)


def _refuse_without_results(side: Side) -> None:
    if side.commit is None:
        side.file(EVALUATION)
    if EVALUATION not in (side.text(changes.LOCK) or ""):
        raise PipelineError(
            f"{side} has no {EVALUATION} in its dvc.lock, so that there are no results to compare; "
            "name a commit in which the pipeline has run (git log -- dvc.lock)"
        )


def _as_evaluated(former: Found, new: Found) -> list[dict[str, str]]:
    """Every number of each side's own evaluation, with its interval where it has one."""
    return [
        {"name": name, "former": _with_interval(former, name), "new": _with_interval(new, name)}
        for name in changes.flat(new) | changes.flat(former)
        if not name.startswith("intervals.") and name.rpartition(".")[2] not in ("low", "high")
    ]


def _with_interval(evaluation: Found, name: str) -> str:
    numbers = changes.flat(evaluation)
    parent = name.rpartition(".")[0]
    within = f"{parent}." if name.endswith(".accuracy") and f"{parent}.low" in numbers else f"intervals.{name}."
    shown = _number(numbers.get(name))
    if f"{within}low" in numbers:
        shown += f" ({_unbroken(_number(numbers[f'{within}low']), _number(numbers[f'{within}high']))})"
    return shown


def _unbroken(low: str, high: str) -> str:
    # On a phone, an interval must not become three lines.
    return f"{low}\u00a0to\u00a0{high}"


def _number(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else changes.NOTHING


def _paired(former: Side, new: Side, params: Params) -> Found:
    both = answers.paired_predictions(former, new)
    measured, difference = answers.measure(both, new.table(MANIFEST), new.json(CLASSES), params)
    gained, lost = answers.flips(both)
    shown = [rows.head(params.report.pictures) for rows in (gained, lost)]
    wanted = set(pd.concat(shown)["sha256"])
    workspace = Side(WORKSPACE, None, new.folder, new.files)
    pictures, no_pictures = {}, ""
    try:
        # Those of the workspace first, for they need not be fetched.
        pictures = answers.thumbnails(wanted, [workspace, new])
    except PipelineError as error:
        no_pictures = str(error)
    gallery = [rows.assign(image=rows["sha256"].map(pictures)).to_dict("records") if pictures else [] for rows in shown]
    columns = ["path_new", "label", "predicted_former", "predicted_new", "confidence_former", "confidence_new"]
    return {
        "images": len(both),
        "metrics": [
            {
                "name": row.name,
                "former": f"{row.former:.4f}",
                "new": f"{row.new:.4f}",
                "difference": f"{row.difference:+.4f}",
                "interval": _unbroken(f"{row.low:+.4f}", f"{row.high:+.4f}"),
            }
            for row in measured
        ],
        "difference": difference,
        "gained": gained[columns].to_dict("records"),
        "lost": lost[columns].to_dict("records"),
        "gained_pictures": gallery[0],
        "lost_pictures": gallery[1],
        "no_pictures": no_pictures,
        "side": params.data.image_size,
    }


def _drift(former: Side, new: Side, params: Params) -> list[Found]:
    moved = drift(former.table(MANIFEST), new.table(MANIFEST), params.gate.drift_warning)
    return [{str(key): value for key, value in row.items()} for row in moved.to_dict("records")]


def _as_file(name: str) -> str:
    return re.sub(r"[^\w.@~^-]", "_", name)[:40]
