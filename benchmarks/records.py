"""Where results are kept: a dated file each, which says on what machine they were had."""

import importlib.util
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"


def keep(name: str, results: dict[str, Any]) -> Path:
    """Write results, with the machine, to a file of this minute; return its path."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%MZ}-{name}.json"
    file.write_text(json.dumps({"machine": machine()} | results, indent=1) + "\n")
    print(f"written to {file.relative_to(ROOT)}")
    return file


def machine() -> dict[str, str]:
    """What it ran on."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    installed = [name for name in ("tensorflow", "keras", "torch", "jax") if importlib.util.find_spec(name)]
    return {"cpu": cpu.partition(": ")[2], "python": platform.python_version()} | {
        name: version(name) for name in installed
    }
