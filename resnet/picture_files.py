"""The image files that a person means by a file, a folder or a pattern."""

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from resnet.walking import files_below

_LEFT_BY_SYSTEMS = {"Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Failure:
    """What came to nothing, and why."""

    path: Path
    reason: str


def no_picture(name: str) -> bool:
    """Whether a file or a folder of pictures is left out by its name: what is hidden, and what systems leave there."""
    return name.startswith(".") or name in _LEFT_BY_SYSTEMS


def find_pictures(names: Iterable[str]) -> Iterator[Path | Failure]:
    """Yield files as they are named, those below folders, and those that match patterns, each in order of name.

    Hidden files of a folder are left out, and all others must be images.
    """
    for name in names:
        path = Path(name)
        if not path.exists() and glob.has_magic(name):
            yield from _matches(name)
        elif path.is_dir():
            yield from _below(path)
        else:
            yield _file(path)


def _file(path: Path) -> Path | Failure:
    """A file; what is missing is told when it is read, and to read a pipe might never end."""
    return path if path.is_file() or not path.exists() else Failure(path, "not a file")


def _matches(pattern: str) -> Iterator[Path | Failure]:
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        yield Failure(Path(pattern), "no file matches this pattern")
    for match in map(Path, matches):
        # `**` gives each folder and the files in it too, so a folder's own files would come twice.
        if not match.is_dir():
            yield _file(match)
        elif "**" not in pattern:
            yield from _below(match)


def _below(folder: Path) -> Iterator[Path | Failure]:
    files = 0
    try:
        for entry in files_below(folder, no_picture):
            files += 1
            yield _file(Path(entry.path))
    except OSError as error:
        files += 1
        yield Failure(Path(error.filename), f"cannot be listed: {error.strerror}")
    if not files:
        yield Failure(folder, "there are no files in this folder")
