"""Trainings on disk: a checkpoint is there whole or not at all, is known to be sound, and holds no pickle."""

import hashlib
import json
import logging
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Arrays = list[NDArray[np.generic]]
log = logging.getLogger(__name__)

_HEADER = "header"
_UNFINISHED = "unfinished"


class Part(NamedTuple):
    """What something must be given back to be as it was: its arrays, and all else as JSON can hold it."""

    arrays: Arrays
    values: dict[str, Any]


class Checkpoint(NamedTuple):
    """A training between two steps.

    Attributes:
        epoch: Whole epochs that are done.
        step: Steps that are done of the epoch after them.
        finished: No epoch is to follow.
        parts: The state of everything that takes part, by name.
    """

    epoch: int
    step: int
    finished: bool
    parts: dict[str, Part]


class Checkpoints:
    """A folder with the newest checkpoint of a training and the one before it.

    Each is a .npz file whose name ends with the hash of its content, so that one file says both what it is and
    whether it is sound.

    Args:
        folder: Made when it is first needed; for one training alone.
        seconds: Save within an epoch too, when so much time has gone since the last checkpoint.
    """

    def __init__(self, folder: Path | str, seconds: float = math.inf) -> None:
        self.folder = Path(folder)
        self.seconds = seconds

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; until it is on the disk, the former ones stay."""
        self.folder.mkdir(parents=True, exist_ok=True)
        former = self._files()
        new = self.folder / _UNFINISHED
        try:
            digest = _write(new, checkpoint)
        except OSError:
            # What is half-written would take the room that a full disk lacks.
            new.unlink(missing_ok=True)
            raise
        os.replace(new, self.folder / f"{checkpoint.epoch:06}-{checkpoint.step:08}-{digest}.npz")
        _sync(self.folder)
        for old in former[1:]:
            old.unlink()

    def newest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is sound; one that is not is logged and removed."""
        for file in self._files():
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            if file.stem.endswith(digest):
                return _read(file)
            log.warning("the checkpoint %s is damaged; the one before it serves", file)
            file.unlink()
        return None

    def position(self) -> tuple[int, int] | None:
        """The epochs and steps of the newest checkpoint, without reading it."""
        for file in self._files():
            epoch, step, _ = file.stem.split("-")
            return int(epoch), int(step)
        return None

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*-*-*.npz"), reverse=True)


def _write(file: Path, checkpoint: Checkpoint) -> str:
    """Write it to the disk itself, and return its hash."""
    with file.open("w+b") as content:
        np.savez(content, allow_pickle=False, **_flattened(checkpoint))
        content.flush()
        os.fsync(content.fileno())
        content.seek(0)
        return hashlib.file_digest(content, "sha256").hexdigest()


def _flattened(checkpoint: Checkpoint) -> dict[str, NDArray[Any]]:
    header = {
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "finished": checkpoint.finished,
        "parts": {name: [len(part.arrays), part.values] for name, part in checkpoint.parts.items()},
    }
    arrays = {
        f"{name}/{number}": array for name, part in checkpoint.parts.items() for number, array in enumerate(part.arrays)
    }
    return {_HEADER: np.array(json.dumps(header)), **arrays}


def _read(file: Path) -> Checkpoint:
    with np.load(file, allow_pickle=False) as content:
        header = json.loads(str(content[_HEADER]))
        parts = {
            name: Part([content[f"{name}/{number}"] for number in range(count)], values)
            for name, (count, values) in header["parts"].items()
        }
    return Checkpoint(header["epoch"], header["step"], header["finished"], parts)


def _sync(folder: Path) -> None:
    """See to it that a new name survives a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
