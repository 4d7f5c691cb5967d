"""Who may import whom, and what a light import costs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_packages_depend_one_way_and_no_stage_imports_another():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("resnet", {"keras"}),
        ("stages.params", {"keras"}),
        ("stages.prepare", {"tensorflow"}),
        ("stages.validate", {"tensorflow"}),
        ("stages.train", {"tensorflow", "sklearn"}),
        ("stages.evaluate", {"tensorflow"}),
        ("stages.report", {"tensorflow", "sklearn"}),
        ("pipeline.candidate", {"scipy.stats"}),
    ],
)
def test_importing_a_module_does_not_import_what_it_may_never_need(module, heavy):
    code = f"import sys, {module}; print(*{heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_the_stages_keras_comes_without_the_libraries_of_its_adapters_which_can_be_imported_later():
    code = (
        "import sys; from stages import backend; "
        "backend.start(threads=1, device='cpu', deterministic=True, seed=0, instruction_set='avx2'); "
        "assert 'keras' in sys.modules; assert not {'jax', 'sklearn'} & sys.modules.keys(); "
        "from sklearn.metrics import f1_score"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
