"""Feed a reader once more with all that the fuzzer came upon, without the fuzzer, whose own memory grows.

`python -m tests.fuzz.read_again READER FOLDER` prints the memory that is taken now and then.
"""

import ctypes
import gc
import sys
from pathlib import Path

import psutil

from tests.fuzz.readers import feed

SAMPLES = 30


def main(name: str, folder: Path) -> None:
    """Read all inputs."""
    own = psutil.Process()
    with (folder / "inputs").open() as lines:
        every = max(1, sum(1 for _ in lines) // SAMPLES)
        lines.seek(0)
        for number, line in enumerate(lines, 1):
            feed(name, bytes.fromhex(line), folder)
            if number % every == 0:
                # Memory that is free, but not yet given back, is no growth.
                gc.collect()
                ctypes.CDLL(None).malloc_trim(0)
                print("resident", own.memory_info().rss, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
