"""The GPU's benchmark, in small, where there is no GPU."""

import re


def test_under_jax_the_form_that_trains_gives_what_stock_layers_give_and_is_measured(python_under_jax):
    done = python_under_jax("-m", "benchmarks.gpu", "--dry-run")
    assert done.returncode == 0, done.stderr[-3000:]
    # What gradients may differ by, as one rectifier can lie on the other side of zero, the command itself decides.
    (outputs,) = re.findall(r"resnet20: outputs differ by (\S+), gradients by", done.stdout)
    assert float(outputs) < 1e-4
    assert re.search(r"ours +\d+ images/s, +\S+% of the matrix ceiling; ours is 1\.00", done.stdout)


def test_without_a_gpu_it_says_what_to_do(python_under_jax):
    done = python_under_jax("-m", "benchmarks.gpu")
    assert done.returncode == 1
    assert "JAX finds no GPU here: install jax[cuda12], or take --dry-run" in done.stderr
