"""Symbolic links: which of them may lead out of the folder that the images are in."""

import re
from pathlib import Path

# DVC may keep a file as a link to its cache, where it is named by the hash of its content.
_IN_DVC_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path, links followed, ends outside of a folder that has been resolved, and not in DVC's cache either.

    Else a folder from elsewhere could make whatever the reader may read a part of the data.
    """
    try:
        end = path.resolve()
    except (OSError, RuntimeError, ValueError):
        return False  # it leads nowhere, which is told when it is read
    return not (end.is_relative_to(folder) or _IN_DVC_CACHE.search(str(end)))
