"""Where results are kept: a dated file each, which says on what machine they were had."""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
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


def machine() -> dict[str, Any]:
    """What it ran on: the CPU, of which a name says little, the versions, and the commit where there is one."""
    lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    told = {name.strip(): value.strip() for name, _, value in lines}
    flags = told.get("flags", "").split()
    installed = [name for name in ("tensorflow", "keras", "torch", "jax") if importlib.util.find_spec(name)]
    return {
        "cpu": told.get("model name", ""),
        "family, model": [told.get("cpu family", ""), told.get("model", "")],
        "instructions": [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags],
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "commit": _commit(),
    } | {name: version(name) for name in installed}


def _commit() -> str:
    """Empty where the project was copied without git."""
    if not shutil.which("git"):
        return ""
    describe = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
