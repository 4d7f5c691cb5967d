"""A process for each measurement, so that none finds what another has left in memory."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.records import ROOT


def measured(module: str, *arguments: object) -> Any:
    """Run `python -m benchmarks.MODULE` and return what its last line says, as JSON."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    # `import resnet` sets this variable here, and stock Keras is to be measured as it is found.
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
