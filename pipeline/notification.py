"""Telling whoever should know."""

import json
import os
import shlex
import subprocess
from dataclasses import asdict
from typing import Any

import httpx
from prefect import get_run_logger

from pipeline.project import Project
from pipeline.results import Result

SECONDS = 30.0


def notify(whom: str | None, event: str, message: str, project: Project, result: Result | None = None) -> None:
    """Tell a command (JSON on its standard input, EVENT and MESSAGE in its environment) or an address (JSON by POST).

    Events are failed, crashed, promoted, rejected and undecided. A failure to tell never fails the run.
    """
    if not whom:
        return
    content: dict[str, Any] = {"event": event, "message": message, "project": project.main.name}
    if result is not None:
        content |= {"branch": result.branch, "metrics": [asdict(metric) for metric in result.metrics]}
    try:
        if whom.startswith(("http://", "https://")):
            httpx.post(whom, json=content, timeout=SECONDS).raise_for_status()
        else:
            subprocess.run(
                shlex.split(whom),
                input=json.dumps(content),
                env=os.environ | {"EVENT": event, "MESSAGE": message},
                cwd=project.main,
                text=True,
                timeout=SECONDS,
                check=True,
            )
    except (httpx.HTTPError, httpx.InvalidURL, OSError, subprocess.SubprocessError, ValueError) as error:
        get_run_logger().warning("%s could not be told that the run was %s: %s", whom, event, error)
