"""The forms in which a model can be exported, and what each needs beside TensorFlow to be written and run."""

import importlib.util

from resnet.errors import BadInput

LIBRARIES = {
    "savedmodel": (),
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
    "tflite": ("ai_edge_litert",),
}


def check_libraries(form: str) -> None:
    """Refuse a form whose libraries are not installed.

    Raises:
        BadInput: Names them.
    """
    if missing := [name for name in LIBRARIES[form] if importlib.util.find_spec(name) is None]:
        raise BadInput(f"--format {form} needs {' and '.join(missing)}; pip install 'resnet-pipeline[export]'")
