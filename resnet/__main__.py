"""The command line of the network: `python -m resnet COMMAND`."""

import argparse
import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from resnet import garbage
from resnet.commands import export_model, list_architectures, predict_images, time_models
from resnet.errors import BadInput

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Of Keras, which imports whatever else is named and ends in a traceback.
BACKENDS = ("tensorflow", "jax", "torch", "numpy", "openvino")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status, 1 with a sentence for bad input and 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m resnet", description="Residual networks in Keras.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (list_architectures, predict_images, export_model, time_models):
        command.add_to(commands)
    options = parser.parse_args(arguments)
    garbage.search_rarely()
    # Names of files and of classes need not be text that a terminal can show.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        check_backend()
        return int(options.run(options))
    except BrokenPipeError:
        # Whoever read has enough, as `head` does; nothing is left to be flushed at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print(
            "resnet: there is not enough memory for this model; take a smaller one, or end what else runs",
            file=sys.stderr,
        )
        return 1
    except (BadInput, OSError) as error:
        print(f"resnet: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def check_backend() -> None:
    """Refuse what Keras cannot run on.

    Raises:
        BadInput: The environment, or Keras' own file of settings, names something else.
    """
    where, name = "KERAS_BACKEND", os.environ.get("KERAS_BACKEND")
    if not name:
        settings = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "keras.json")
        with contextlib.suppress(OSError, ValueError, AttributeError):
            where, name = f"backend of {settings}", json.loads(settings.read_text(encoding="utf-8")).get("backend")
    if name and name not in BACKENDS:
        raise BadInput(f"{where} is {name!r}; expected {', '.join(BACKENDS)}, or nothing, which is tensorflow")
    if name and find_spec(name) is None:
        raise BadInput(f"{where} is {name!r}, which is not installed; pip install {name}, or set another")


if __name__ == "__main__":
    # As an exception, so that what is half written is cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
