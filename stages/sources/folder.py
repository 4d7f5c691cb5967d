"""A folder of class folders, with or without train/, validation/ and test/ above them."""

import os
from collections.abc import Iterator
from pathlib import Path

from stages.errors import BadInput
from stages.sources.source import Entry
from stages.splits import SPLITS, TEST, TRAIN

_NO_IMAGES = {"Thumbs.db", "desktop.ini"}


def read_folder(root: Path) -> list[Entry]:
    """List every file of every class folder; hidden ones are left out, the rest must be images.

    Raises:
        BadInput: There are no class folders.
    """
    folders = _folders(root)
    if {folder.name for folder in folders} <= set(SPLITS) and any(_folders(folder) for folder in folders):
        if not {TRAIN, TEST} <= {folder.name for folder in folders}:
            found = ", ".join(folder.name for folder in folders)
            raise BadInput(f"{root} has only {found}; expected both train/ and test/, or class folders directly")
        return [entry for folder in folders for entry in _classes(folder, root, split=folder.name)]
    return list(_classes(root, root, split=None))


def _classes(folder: Path, root: Path, split: str | None) -> Iterator[Entry]:
    for class_folder in _folders(folder):
        for file in _files(class_folder):
            yield Entry(file.relative_to(root).as_posix(), class_folder.name, file, split)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name not in _NO_IMAGES:
                yield Path(parent, name)
