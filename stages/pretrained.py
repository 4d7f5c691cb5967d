"""Begin a training with the weights that params.yaml names."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet.errors import BadInput as Refused
from resnet.pretrained import start_from_file, start_from_imagenet
from stages.errors import BadInput
from stages.params import ModelParams
from stages.provenance import sha256

log = logging.getLogger(__name__)


def start(model: Any, settings: ModelParams, classes: Sequence[str]) -> None:
    """Give the model its first weights, unless they are to be random.

    The file is pinned by its hash and no dep of the stage: DVC cannot have a dep that is null. So other weights make
    the stage stale as any param does, and a checkpoint of theirs is never taken up by another training.

    Raises:
        BadInput: The weights are missing, are not those that are pinned, or are of another network.
    """
    if settings.weights is None:
        return
    try:
        if settings.weights == "imagenet":
            start_from_imagenet(model)
            log.info("starting from ImageNet's weights, with a new head")
            return
        check_hash(Path(settings.weights), settings.weights_sha256)
        kept = start_from_file(model, Path(settings.weights), classes)
    except Refused as error:
        raise BadInput(f"model.weights: {error}") from error
    log.info("starting from %s, %s", settings.weights, "whole" if kept else "with a new head: its classes are others")


def check_hash(path: Path, expected: str | None) -> None:
    """Refuse a file that is not the one that is pinned."""
    if path.exists() and not path.is_file():
        # A pipe or a device may never come to an end.
        raise BadInput(f"model.weights: {path} is no file; name a .keras file")
    try:
        found = sha256(path)
    except OSError as error:
        raise BadInput(f"model.weights: {path} cannot be read: {error.strerror}") from error
    if found != expected:
        raise BadInput(
            f"model.weights: {path} has sha256 {found}, but model.weights_sha256 is {expected}; "
            "fetch the file again, or pin the one that is there"
        )
