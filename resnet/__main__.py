"""The command line of the network: `python -m resnet COMMAND`."""

import argparse
import os
import sys
from collections.abc import Sequence

from resnet import garbage
from resnet.commands import export_model, list_architectures, predict_images, time_models
from resnet.errors import BadInput

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status, 1 with a sentence for bad input and 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m resnet", description="Residual networks in Keras.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (list_architectures, predict_images, export_model, time_models):
        command.add_to(commands)
    options = parser.parse_args(arguments)
    garbage.search_rarely()
    try:
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


if __name__ == "__main__":
    sys.exit(main())
