"""Whatever a file holds, its reader answers with what it read or with a sentence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEED = 20261125
SHARES = {"picture": 0.5, "csv": 0.2, "parquet": 0.15, "params": 0.05, "descriptor": 0.1}


def run(program, *arguments):
    """Run a program of this folder; return its exit status and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.fuzz.{program}", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("reader", SHARES)
def test_a_reader_survives_whatever_it_is_fed(reader, tmp_path, pytestconfig, growth, record_property):
    pytest.importorskip("atheris", reason="atheris, the fuzzer, has no build for this machine")
    runs = round(pytestconfig.getoption("fuzz_inputs") * SHARES[reader])
    limits = [f"-runs={runs}", f"-seed={SEED}", "-timeout=60", "-print_final_stats=1"]
    files = tmp_path / "files"
    files.mkdir()
    status, said = run("feed_reader", reader, files, *limits, f"-artifact_prefix={tmp_path}/")
    found = {path.name: path.read_bytes().hex() for path in tmp_path.iterdir() if path.is_file()}
    assert status == 0, f"{said[-4000:]}\nthe input that did it, in hex: {found}"
    tried = int(re.search(r"stat::number_of_executed_units:\s+(\d+)", said)[1])
    status, said = run("read_again", reader, files)
    assert status == 0, said[-4000:]
    resident = [int(line.split()[1]) for line in said.splitlines() if line.startswith("resident")]
    grown = growth(resident)
    assert tried >= runs
    assert grown < 0.05
    record_property(
        "counted",
        f"inputs to the {reader} reader: {tried:,} tried, 0 crashes, 0 hangs, "
        f"at most {max(resident) / 1e6:.0f} MB, growth {grown:+.2%}",
    )
