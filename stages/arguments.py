"""The arguments of the stages.

A stage reads them before it imports its libraries, which takes seconds: `--help` and a wrong argument are answered
at once, what the imports make is not searched for garbage over and over, and code that is edited meanwhile is noticed.
"""

import argparse
import sys
from pathlib import Path
from types import TracebackType

from resnet import garbage
from stages import code_at_start

PARAMS = Path("params.yaml")
MODEL = Path("models/model.keras")


def read(description: str | None) -> argparse.Namespace:
    """Read what every stage takes; a value of params.yaml is overridden by `dvc exp run -S`, not here."""
    return _read(_parser(description))


def read_of_evaluate(description: str | None) -> argparse.Namespace:
    """Read what evaluate takes, which can measure another model too."""
    parser = _parser(description)
    parser.add_argument("--model", type=Path, default=MODEL, metavar="FILE", help=f"the model (default: {MODEL})")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER", help="where metrics/, plots/ and data/ go (default: here)"
    )
    return _read(parser)


def _read(parser: argparse.ArgumentParser) -> argparse.Namespace:
    if not code_at_start.seen:
        code_at_start.look()
    garbage.search_rarely()
    sys.excepthook = _tell
    return parser.parse_args()


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell of a Ctrl-C that came while libraries were imported as of any other; Python ends with 130 by itself."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
    else:
        sys.__excepthook__(kind, error, trace)


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m stages.{Path(sys.argv[0]).stem}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--params", type=Path, default=PARAMS, metavar="FILE", help=f"the params file (default: {PARAMS})"
    )
    return parser
