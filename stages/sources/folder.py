"""A folder of class folders, with or without train/, validation/ and test/ above them."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from resnet.picture_files import no_picture
from resnet.walking import files_below
from stages.errors import BadInput
from stages.sources.links import leads_out
from stages.sources.source import Entry
from stages.splits import ALSO_CALLED, SPLITS, TEST, TRAIN

# Folders of these names beside each other are splits, and no classes.
_LIKE_SPLITS = {*SPLITS, *ALSO_CALLED, "training", "testing", "dev", "eval"}


log = logging.getLogger(__name__)


def read_folder(root: Path) -> list[Entry]:
    """List every file of every class folder; hidden ones are left out, the rest must be images.

    Raises:
        BadInput: There are no class folders, one has no images, or what is there cannot be listed or named, or leads
            out of the folder.
    """
    try:
        folders = _folders(root)
        splits = folders if _are_splits(root, folders) else []
        class_folders = [folder for parent in splits or [root] for folder in _folders(parent)]
        # Before they are listed, for a link may lead to the whole disk.
        _refuse_links_out([*splits, *class_folders], root)
        entries = [entry for folder in class_folders for entry in _entries(folder, root, bool(splits))]
        stray = [file for parent in {root, *splits} for file in _files(parent)]
        empty = next((folder for folder in splits if not _folders(folder)), None)
    except OSError as error:
        raise BadInput(f"{error.filename} cannot be listed: {error.strerror}") from error
    if empty:
        raise BadInput(f"{empty} holds no class folders")
    if stray:
        log.warning("%s files lie beside the folders, have no class and are left out: %s", f"{len(stray):,}", stray[0])
    for entry in entries:
        if entry.path.encode("utf-8", "ignore") != os.fsencode(entry.path):
            raise BadInput(f"the name {os.fsencode(entry.path)!r} below {root} is not UTF-8; rename it")
    if missing := sorted({folder.name for folder in class_folders} - {entry.label for entry in entries}):
        raise BadInput(f"{root} has no images of {missing[0]!r}; add some, or remove the folder")
    return entries


def _are_splits(root: Path, folders: list[Path]) -> bool:
    names = {_split_of(folder) for folder in folders}
    alike = {folder for folder in folders if folder.name.lower() in _LIKE_SPLITS}
    if not (len(alike) == len(folders) or {TRAIN, TEST} <= names) or not any(_folders(folder) for folder in alike):
        return False
    if not {TRAIN, TEST} <= names or not names <= set(SPLITS) or len(names) < len(folders):
        found = ", ".join(f"{folder.name}/" for folder in folders)
        untested = TEST not in names and len(names) > 1
        to_do = "; the folder that the model is to be judged by must be called test/" if untested else ""
        raise BadInput(
            f"{root} has {found}; expected train/ and test/, validation/ or val/ if you like and nothing else, "
            f"or class folders directly{to_do}"
        )
    return True


def _split_of(folder: Path) -> str:
    return ALSO_CALLED.get(folder.name, folder.name)


def _entries(class_folder: Path, root: Path, below_split: bool) -> Iterator[Entry]:
    split = _split_of(class_folder.parent) if below_split else None
    # `relative_to` takes as long as to read the file.
    start = len(str(root / "x")) - 1
    for file in files_below(class_folder, no_picture):
        if file.is_symlink():
            _refuse_links_out([Path(file.path)], root)
        yield Entry(file.path[start:], class_folder.name, file.path, split)


def _refuse_links_out(paths: list[Path], root: Path) -> None:
    home = root.resolve()
    for path in paths:
        if path.is_symlink() and leads_out(path, home):
            raise BadInput(
                f"{str(path)!r} is a link to {str(path.resolve())!r}, out of {root}; copy there what it leads to, or "
                "remove it"
            )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.is_dir() and not no_picture(path.name))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
