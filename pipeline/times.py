"""What the stages took, as far as there are logs of it."""

import json
from pathlib import Path
from typing import Any

from pipeline.git import git
from pipeline.project import RETRAININGS, Project
from pipeline.sides import Side


def times(project: Project, side: Side) -> list[dict[str, Any]]:
    """A row a stage, in the order in which they ran.

    Units:
        images: Images a second.
    """
    rows = [row for file in _logs(project, side) if (row := _row(file, side))]
    return sorted(rows, key=lambda row: str(row["started"]))


def _logs(project: Project, side: Side) -> list[Path]:
    if side.commit is None:
        return sorted((project.folder / "logs").glob("*.json"))
    order = ("--points-at", side.commit, "--format=%(refname:lstrip=3)")
    names = git(project.folder, "for-each-ref", *order, f"refs/heads/{RETRAININGS}").split()
    return [file for name in names for file in sorted((project.logs / RETRAININGS / name).glob("*.json"))]


def _row(file: Path, side: Side) -> dict[str, Any] | None:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return {
            "stage": record["stage"],
            "side": str(side),
            "seconds": record["seconds"],
            "images": record.get("images", float("nan")) / record["seconds"],
            "started": record["started"],
            "host": record["host"],
        }
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        # Other files lie beside the logs of stages.
        return None
