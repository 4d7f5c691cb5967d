"""A folder of class folders, with or without train/, validation/ and test/ above them."""

import os
from collections.abc import Iterator
from pathlib import Path

from stages.errors import BadInput
from stages.sources.source import Entry
from stages.splits import SPLITS, TEST, TRAIN

_NO_IMAGES = {"Thumbs.db", "desktop.ini"}
# Folders of these names beside each other are splits, and no classes.
_LIKE_SPLITS = {*SPLITS, "training", "testing", "val", "valid", "dev", "eval"}


def read_folder(root: Path) -> list[Entry]:
    """List every file of every class folder; hidden ones are left out, the rest must be images.

    Raises:
        BadInput: There are no class folders, one has no images, or what is there cannot be listed or named.
    """
    try:
        folders = _folders(root)
        splits = folders if _are_splits(root, folders) else []
        classes = {folder.name for parent in splits or [root] for folder in _folders(parent)}
        entries = [
            entry for parent in splits or [root] for entry in _classes(parent, root, parent.name if splits else None)
        ]
        empty = next((folder for folder in splits if not _folders(folder)), None)
    except OSError as error:
        raise BadInput(f"{error.filename} cannot be listed: {error.strerror}") from error
    if empty:
        raise BadInput(f"{empty} holds no class folders")
    for entry in entries:
        if entry.path.encode("utf-8", "ignore") != os.fsencode(entry.path):
            raise BadInput(f"the name {os.fsencode(entry.path)!r} below {root} is not UTF-8; rename it")
    if missing := sorted(classes - {entry.label for entry in entries}):
        raise BadInput(f"{root} has no images of {missing[0]!r}; add some, or remove the folder")
    return entries


def _are_splits(root: Path, folders: list[Path]) -> bool:
    names = {folder.name for folder in folders}
    alike = {folder for folder in folders if folder.name.lower() in _LIKE_SPLITS}
    if not (len(alike) == len(folders) or {TRAIN, TEST} <= names) or not any(_folders(folder) for folder in alike):
        return False
    if not {TRAIN, TEST} <= names or not names <= set(SPLITS):
        found = ", ".join(f"{folder.name}/" for folder in folders)
        raise BadInput(
            f"{root} has {found}; expected train/ and test/, validation/ if you like and nothing else, "
            "or class folders directly"
        )
    return True


def _classes(folder: Path, root: Path, split: str | None) -> Iterator[Entry]:
    for class_folder in _folders(folder):
        for file in _files(class_folder):
            yield Entry(file.relative_to(root).as_posix(), class_folder.name, file, split)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_raise):
        # A link to a folder is not followed, for it may lead in circles; as a file it will be told of.
        names += [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name not in _NO_IMAGES:
                yield Path(parent, name)


def _raise(error: OSError) -> None:
    raise error
