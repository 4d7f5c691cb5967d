"""One hash of everything that shapes a training, so that no checkpoint is taken up by another."""

import json
import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.params import Params
from stages.provenance import ROOT, sha256, sha256_of_text
from stages.same_bits import instruction_set

# Changing these changes nothing in what is trained.
INDIFFERENT = {"checkpoint_seconds", "tensorboard"}
LIBRARIES = ("keras", "tensorflow", "numpy")
SWITCHES = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "XLA_FLAGS", "OMP_NUM_THREADS")


def ingredients(params: Params, data: Iterable[Path]) -> dict[str, Any]:
    """Gather what shapes a training: params, data, the code that is loaded, libraries and the kind of machine."""
    return {
        "seed": params.seed,
        "model": params.model.model_dump(mode="json"),
        "train": params.train.model_dump(mode="json", exclude=INDIFFERENT),
        "data": {path.name: sha256(path) for path in data},
        "code": {str(path.relative_to(ROOT)): sha256(path) for path in loaded_sources()},
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "instruction_set": instruction_set(),
        "switches": {name: os.environ[name] for name in SWITCHES if name in os.environ},
    }


def fingerprint(shaping: dict[str, Any]) -> str:
    """Hash the ingredients."""
    return sha256_of_text(json.dumps(shaping, sort_keys=True))


def loaded_sources() -> list[Path]:
    """The files of this project's modules that Python has loaded."""
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    own = tuple(f"{ROOT / package}{os.sep}" for package in ("resnet", "stages"))
    return sorted(Path(file) for file in loaded if file and file.startswith(own))
