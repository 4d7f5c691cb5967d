"""Nothing in the project unpickles: whoever can write a pickle that is read can run what he likes."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for package in ("resnet", "stages", "pipeline") for path in (ROOT / package).rglob("*.py"))
# What unpickles by its nature, and what does when it is told to.
UNPICKLE = {
    *("pickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib.load", "torch.load"),
    *("read_pickle", "unsafe_load", "full_load", "enable_unsafe_deserialization"),
}
# Whatever else these are set to permits it, or may.
SAFE = {"allow_pickle": False, "safe_mode": True, "weights_only": True}


def unpickles(code):
    """The lines of some code that unpickle, or permit it."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                module = getattr(node, "module", None) or ""
                used = {part for name in names for part in (*name.name.split("."), *module.split("."))}
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                used = {name, f"{owner}.{name}"}
            case ast.Attribute(attr=name) | ast.Name(id=name):
                used = {name}
            case ast.keyword(arg=name, value=value) if name in SAFE:
                used = set() if isinstance(value, ast.Constant) and value.value is SAFE[name] else UNPICKLE
            case ast.keyword(arg="typ", value=ast.Constant(value="unsafe")):
                used = UNPICKLE
            case _:
                used = set()
        if used & UNPICKLE:
            yield node.lineno


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_does_not_unpickle(module):
    assert list(unpickles(module.read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import numpy as np\nnp.load('a.npy', allow_pickle=True)",
        "import pandas\npandas.read_pickle('a')",
        "import numpy as np\nnp.load('a.npy', allow_pickle=1)",
        "import numpy as np\nnp.load('a.npy', allow_pickle=perhaps)",
        "import _pickle",
        "import joblib\njoblib.load('a')",
        "import torch\ntorch.load('a')",
        "from ruamel.yaml import YAML\nYAML(typ='unsafe')",
        "import keras\nkeras.config.enable_unsafe_deserialization()",
        "import keras\nkeras.saving.load_model('a', safe_mode=False)",
    ],
)
def test_what_unpickles_is_seen(code):
    assert list(unpickles(code))
