"""The forms in which a model leaves Keras: how each is written, and how it is run where there is no Keras."""

import json
import os
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.classifier import Classifier

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
CLASSES = "classes.json"


@dataclass(frozen=True)
class Format:
    """One form.

    Attributes:
        write: Put a classifier, with its class names, at a path.
        load: Make of a path the function that it holds.
    """

    write: Callable[[Classifier, Path], None]
    load: Callable[[Path], Run]


def write_savedmodel(classifier: Classifier, path: Path) -> None:
    """Write a folder; the names stand in its `assets.extra`, which TensorFlow leaves to whoever writes one."""
    classifier.model.export(path, "tf_saved_model", verbose=False, input_signature=_signature(classifier))
    extra = path / "assets.extra"
    extra.mkdir()
    (extra / CLASSES).write_text(_names(classifier), encoding="utf-8")


def load_savedmodel(path: Path) -> Run:
    """Load it by TensorFlow alone."""
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    # The function goes with the object that holds its variables.
    return lambda images: loaded.serve(images).numpy()


def write_onnx(classifier: Classifier, path: Path) -> None:
    """Write one file; the names stand in its metadata."""
    import onnx

    with warnings.catch_warnings():
        # Of Keras, which asks NumPy for what it has no more.
        warnings.simplefilter("ignore", FutureWarning)
        classifier.model.export(path, "onnx", verbose=False, input_signature=_signature(classifier))
    model = onnx.load(path)
    _rename_output(model.graph, "probabilities")
    for end in (*model.graph.input, *model.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(model, {"classes": _names(classifier)})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def load_onnx(path: Path) -> Run:
    """Load it by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"image": images})[0]


def write_tflite(classifier: Classifier, path: Path) -> None:
    """Write one file; the names stand in a zip at its end, where LiteRT's tools look for what goes with a model."""
    import tensorflow as tf

    converted = path.with_suffix(".tflite")
    # Without TensorFlow's own operations, which LiteRT does not have.
    operations = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    classifier.model.export(
        converted, "litert", verbose=False, input_signature=_signature(classifier), target_spec=operations
    )
    with zipfile.ZipFile(converted, "a") as archive:
        archive.writestr(CLASSES, _names(classifier))
    os.replace(converted, path)


def load_tflite(path: Path) -> Run:
    """Load it by LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path), num_threads=os.cpu_count()).get_signature_runner()
    output = next(iter(runner.get_output_details()))
    return lambda images: runner(image=images)[output]


def _signature(classifier: Classifier) -> list[Any]:
    # Raw bytes of any number of images: what goes in is what a decoder gives.
    return [keras.InputSpec("uint8", (None, classifier.side, classifier.side, 3), name="image")]


def _names(classifier: Classifier) -> str:
    return json.dumps(classifier.classes, ensure_ascii=False)


def _rename_output(graph: Any, name: str) -> None:
    former = graph.output[0].name
    graph.output[0].name = name
    for node in graph.node:
        node.output[:] = [name if output == former else output for output in node.output]
        node.input[:] = [name if entry == former else entry for entry in node.input]


FORMATS = {
    "savedmodel": Format(write_savedmodel, load_savedmodel),
    "onnx": Format(write_onnx, load_onnx),
    "tflite": Format(write_tflite, load_tflite),
}
