"""Where the time of `dvc repro` goes: into the work of each stage, and into what DVC does around it.

`python -m benchmarks.overheads [ROUNDS]` runs the pipeline anew in a copy of this commit. A stage's own time is that of
its process, imports of libraries included; the rest is DVC's: its start, hashes, the cache and dvc.lock.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
LOOK_EVERY_SECONDS = 0.01


def main(rounds: int) -> None:
    """Measure, and print a table a round and the share of all that is not the stages' own."""
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        for number in range(rounds):
            whole, stages = measure(Path(folder))
            own = sum(stages.values())
            shares.append(1 - own / whole)
            print(f"round {number + 1}: whole {whole:.1f} s, stages {own:.1f} s, the rest {shares[-1]:.1%}")
            for stage, seconds in stages.items():
                print(f"  {stage:9} {seconds:6.1f} s")
    print(f"outside the stages: median {statistics.median(shares):.1%}, {min(shares):.1%} to {max(shares):.1%}")


def measure(folder: Path) -> tuple[float, dict[str, float]]:
    """Run every stage anew; give the seconds of the whole and of each stage's process."""
    start = time.perf_counter()
    seen: dict[int, tuple[str, float, float]] = {}
    command = [sys.executable, "-m", "dvc", "repro", "--force"]
    with psutil.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as dvc:
        while dvc.poll() is None:
            now = time.perf_counter()
            for child in dvc.children():
                if child.pid not in seen and (name := stage_of(child)):
                    seen[child.pid] = (name, now, now)
                elif child.pid in seen:
                    seen[child.pid] = (*seen[child.pid][:2], now)
            time.sleep(LOOK_EVERY_SECONDS)
    if dvc.returncode:
        raise SystemExit(f"{' '.join(command)} failed; run it in {ROOT} to see why")
    return time.perf_counter() - start, {name: end - begun for name, begun, end in seen.values()}


def stage_of(process: psutil.Process) -> str | None:
    """Which stage a process runs, if it runs one."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return None
    return next((word.removeprefix("stages.") for word in words if word.startswith("stages.")), None)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
