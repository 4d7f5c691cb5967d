"""Models as files that are the same to the byte whenever the model is the same."""

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from resnet.training_form import portable

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
_CLASSES = "classes.json"
# Names that Keras counts through a process; none of them has weights.
_COUNTED = re.compile(r'"(flip|keras_tensor|pad)(?:_\d+)?"')


def save(model: keras.Model, path: Path | str, classes: Sequence[str] | None = None) -> None:
    """Write the portable form of a network as a `.keras` file, replacing a former one only when it is complete.

    Stock Keras loads it. Keras' own writing would put the date into it, memory addresses, and numbers that it counts.

    Args:
        classes: Names to store beside the model, in the order of its outputs; those of a file that was loaded are to
            be given anew (`resnet.class_names`).

    Raises:
        ValueError: The model was not made by `resnet.create` or `resnet.create_for_training` nor loaded by
            `resnet.load`, it has more or fewer outputs than there are names, a name is no text, or the path does not
            end in .keras.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"the path is {path}; expected one that ends in .keras")
    if classes is not None:
        _check_names(classes, model.output_shape[-1])
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        plain, canonical = Path(folder, "plain.keras"), Path(folder, "canonical.keras")
        portable(model).save(plain)
        with zipfile.ZipFile(plain) as source, zipfile.ZipFile(canonical, "w") as target:
            for name in sorted(source.namelist()):
                target.writestr(zipfile.ZipInfo(name, _EPOCH), _canonical(name, source.read(name)))
            if classes is not None:
                target.writestr(zipfile.ZipInfo(_CLASSES, _EPOCH), json.dumps(list(classes)))
        os.replace(canonical, path)


def _check_names(classes: Sequence[str], outputs: int) -> None:
    if len(classes) != outputs:
        raise ValueError(f"there are {len(classes)} names of classes; expected {outputs}, one an output")
    for name in classes:
        if not isinstance(name, str):
            raise ValueError(f"a class is called {name!r}, which is no text; call it {str(name)!r}")


def _canonical(name: str, content: bytes) -> bytes:
    if name == "metadata.json":
        metadata = json.loads(content)
        metadata.pop("date_saved", None)
        return json.dumps(metadata, sort_keys=True).encode()
    if name == "config.json":
        config = json.dumps(_renumbered(json.loads(content), {}), sort_keys=True)
        names: dict[str, str] = {}
        return _COUNTED.sub(lambda found: names.setdefault(found[0], f'"{found[1]}_{len(names)}"'), config).encode()
    return content


def _renumbered(node: Any, numbers: dict[int, int]) -> Any:
    """Replace each memory address by the order in which it is met."""
    if isinstance(node, list):
        return [_renumbered(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else _renumbered(value, numbers)
        for key, value in node.items()
    }
