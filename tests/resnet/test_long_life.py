"""A training of many epochs holds as much at its end as at its beginning."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("long_training.py")


def test_many_epochs_of_one_training_take_no_more_memory_files_or_checkpoints(
    tmp_path, growth, pytestconfig, record_property
):
    """In a process of its own: this one holds what other tests left."""
    epochs = pytestconfig.getoption("epochs")
    done = subprocess.run(
        [sys.executable, SCRIPT, str(epochs), tmp_path / "checkpoints"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    held = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(held) == epochs
    memory = [epoch["bytes"] for epoch in held]
    record_property(
        "counted",
        f"epochs of one training: {epochs}, peak memory {max(memory) / 1e6:.0f} MB, growth {growth(memory):+.2%}",
    )
    assert growth(memory) < 0.05
    assert growth([epoch["files"] for epoch in held]) <= 0
    assert growth([epoch["threads"] for epoch in held]) <= 0
    left = sorted(path.relative_to(tmp_path).parent.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["checkpoints", "checkpoints"], "the newest checkpoint and the one before it, and nothing else"
