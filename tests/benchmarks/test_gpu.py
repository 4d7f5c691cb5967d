"""The GPU's benchmark, in small, where there is no GPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# XLA takes half as long over code that it does not polish.
HASTY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def run(*arguments):
    # As on a machine that has no GPU, whatever this one has.
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax", "XLA_FLAGS": HASTY}
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_under_jax_the_form_that_trains_gives_what_stock_layers_give_and_is_measured():
    done = run("--dry-run")
    assert done.returncode == 0, done.stderr[-3000:]
    # What gradients may differ by, as one rectifier can lie on the other side of zero, the command itself decides.
    (outputs,) = re.findall(r"resnet20: outputs differ by (\S+), gradients by", done.stdout)
    assert float(outputs) < 1e-4
    assert re.search(r"ours +\d+ images/s, +\S+% of the matrix ceiling; ours is 1\.00", done.stdout)


def test_without_a_gpu_it_says_what_to_do():
    done = run()
    assert done.returncode == 1
    assert "JAX finds no GPU here: install jax[cuda12], or take --dry-run" in done.stderr
