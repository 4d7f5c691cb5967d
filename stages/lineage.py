"""What a stage depends on stays as it is while the stage runs.

DVC hashes the dependencies after the stage, so it would record what was edited meanwhile as if it had been used.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resnet.walking import files_below
from stages import code_at_start
from stages.errors import BadInput
from stages.yaml_files import read_yaml

PIPELINE = Path("dvc.yaml")
PARAMS = Path("params.yaml")
NAMED = 3
# DVC does not look at these either: see .dvcignore.
_IGNORED = "__pycache__"
_REFERENCE = re.compile(r"\$\{([^}]+)\}")

Seen = dict[str, object]


@contextlib.contextmanager
def unchanged(address: str) -> Iterator[None]:
    """Fail a stage when something that it depends on has changed by its end; without dvc.yaml nothing is known.

    Args:
        address: DVC's name of the stage.

    Raises:
        BadInput: Names what changed.
    """
    if not PIPELINE.exists():
        yield
        return
    before = dependencies(address)
    # What has been imported may have been edited since.
    before |= {file: status for file, status in code_at_start.seen.items() if file in before}
    yield
    after = dependencies(address)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed:
        more = f" and {len(changed) - NAMED:,} more" if len(changed) > NAMED else ""
        raise BadInput(
            f"{', '.join(changed[:NAMED])}{more} changed while the stage ran, so its results match neither the old "
            "version nor the new, and are not recorded; run it again"
        )


def dependencies(address: str) -> Seen:
    """Look at all that dvc.yaml says a stage depends on: files as size, time and inode, params as values."""
    stage = _value(read_yaml(PIPELINE), "stages", address.rpartition(":")[2]) or {}
    params = read_yaml(PARAMS)
    seen: Seen = {f"{key} of {PARAMS}": _value(params, *key.split(".")) for key in stage.get("params", [])}
    for dep in stage.get("deps", []):
        path = Path(_REFERENCE.sub(lambda found: str(_value(params, *found[1].split("."))), dep))
        files = (file.path for file in files_below(path, _IGNORED.__eq__)) if path.is_dir() else [str(path)]
        seen |= {file: status for file in files if (status := code_at_start.status_of(file))}
    return seen


def _value(content: Any, *keys: str) -> Any:
    """What stands there in a YAML file that somebody may be editing; None if nothing does."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content
