"""The files below a folder, however deep they lie: os.walk of Python 3.11 ends at a thousand folders, by recursion."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def files_below(folder: Path, passed_over: Callable[[str], bool]) -> Iterator["os.DirEntry[str]"]:
    """Yield the files of a folder in order of name, then those of each folder in it.

    As entries of their folder: to make a Path takes half as long as to read a small file.

    Links to folders may lead in circles: they are not followed, but yielded.

    Args:
        passed_over: Whether a name is to be left out, with all that may be below it.

    Raises:
        OSError: A folder cannot be listed; at the latest where a path is longer than the system allows.
    """
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            entries = sorted((entry for entry in found if not passed_over(entry.name)), key=lambda entry: entry.name)
        yield from (entry for entry in entries if not entry.is_dir(follow_symlinks=False))
        waiting += [entry.path for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
