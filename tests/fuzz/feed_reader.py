"""Feed a reader with what libFuzzer makes of good files, guided by the code that each input reaches.

`python -m tests.fuzz.feed_reader READER FOLDER [libFuzzer's options]`: an input may be read or refused; whatever else a
reader raises ends the process. The folder is for the files: FOLDER/corpus begins with the good ones, and FOLDER/inputs
has a line for each input, in hexadecimal.
"""

import resource
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["resnet", "stages", "PIL"]):
    from tests.fuzz.readers import READERS, feed

# libFuzzer's own limit counts the peak of the process that started this one.
MEMORY = 8 << 30


def main(name: str, folder: Path, options: list[str]) -> None:
    """Read until libFuzzer has had enough."""
    _, good = READERS[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(good(folder)):
        (corpus / str(number)).write_bytes(content)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # Unbuffered, for libFuzzer leaves without closing it.
    inputs = (folder / "inputs").open("wb", buffering=0)

    def one(content: bytes) -> None:
        inputs.write(content.hex().encode() + b"\n")
        feed(name, content, folder)

    atheris.Setup([sys.argv[0], "-rss_limit_mb=0", *options, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
