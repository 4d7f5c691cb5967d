"""What a run took and where it ran: kept in logs/, outside of everything that is versioned."""

import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

LOGS = Path("logs")


@contextmanager
def timed(stage: str, below: Path = Path()) -> Iterator[dict[str, Any]]:
    """Time a stage and write logs/STAGE.json below a folder, with what the caller puts into the dictionary."""
    record: dict[str, Any] = {"stage": stage, "started": datetime.now(UTC).isoformat(timespec="seconds")}
    start = time.perf_counter()
    yield record
    record |= {
        "seconds": round(time.perf_counter() - start, 3),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy")},
    }
    logs = below / LOGS
    logs.mkdir(parents=True, exist_ok=True)
    (logs / f"{stage}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
