"""Outputs that replace former ones only when they are complete."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write a file or a folder at; it takes the place of `path` if nothing is raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-", ignore_cleanup_errors=True) as folder:
        new = Path(folder, path.name)
        yield new
        if path.is_dir() and new.is_dir():
            # A folder cannot be replaced in one step: set the former one aside first.
            os.replace(path, Path(folder, "former"))
        os.replace(new, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON that is the same to the byte whenever the content is the same."""
    write_text(path, json.dumps(content, indent=2, sort_keys=False, ensure_ascii=False, allow_nan=False) + "\n")
