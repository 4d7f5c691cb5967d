"""`python -m resnet list`: the table of architectures."""

import argparse
from typing import Any

import resnet


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("list", help="every architecture: layers, parameters, multiply-adds")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table, each architecture at the image size and the classes of its paper.

    Papers count the trained parameters, Keras also the running averages that are stored.
    """
    print(f"{'name':<13} {'layers':>6} {'parameters':>12} {'stored':>12} {'multiply-adds':>14}   paper")
    for name in resnet.names():
        cost = resnet.describe(name)
        row = resnet.variant(name)
        counts = f"{cost.parameters:>12,} {cost.stored:>12,} {cost.multiply_adds:>14,}"
        print(f"{name:<13} {cost.layers:>6,} {counts}   He et al. {row.paper}")
    return 0
