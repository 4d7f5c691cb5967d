"""Ours beside its peers, a process each, in turn: A B C A B C ...

`make benchmark`, or `python -m benchmarks.peers --rounds 5 --case resnet20`. Prints a table and writes it to
benchmarks/results/. PyTorch takes part where it is installed: `pip install torch==2.13.0`.
"""

import argparse
import importlib.util
import statistics
import sys
from typing import Any

from benchmarks.contenders import CASES
from benchmarks.processes import measured
from benchmarks.records import keep

PRECISIONS = ("float32", "mixed_bfloat16")


def contenders(case: str, precisions: list[str]) -> list[tuple[str, str]]:
    """Who takes part, ours first."""
    names = ["ours", "stock"]
    names += ["applications"] if case == "resnet50" else []
    names += ["pytorch"] if importlib.util.find_spec("torch") else []
    return [(name, precision) for precision in precisions for name in names]


def main() -> None:
    """Measure all in turn, print the table, keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", choices=CASES, action="append", help="may be repeated; all, if none is given")
    parser.add_argument(
        "--precision", choices=PRECISIONS, action="append", help="may be repeated; both, if none is given"
    )
    options = parser.parse_args()
    results: dict[str, Any] = {"rounds": options.rounds, "cases": {}}
    for case in options.case or CASES:
        taken: dict[tuple[str, str], list[dict[str, float]]] = {}
        for number in range(options.rounds):
            for who in contenders(case, options.precision or list(PRECISIONS)):
                print(
                    f"{case}, round {number + 1} of {options.rounds}: {' '.join(who)}      ", end="\r", file=sys.stderr
                )
                taken.setdefault(who, []).append(measured("contenders", who[0], case, who[1]))
        results["cases"][case] = {" ".join(who): rounds for who, rounds in taken.items()}
        print(table(case, results["cases"][case]), flush=True)
    keep("peers", results)


def table(case: str, taken: dict[str, list[dict[str, float]]]) -> str:
    """A row a contender: how many times as fast ours in float32 is as it, round by round."""
    side, images = CASES[case]
    lines = [
        f"\n{case}, {side} x {side}, batch {images}",
        f"{'':24} images/s  CPU s a step  ours float32 is … times as fast",
    ]
    own = taken["ours float32"] if "ours float32" in taken else next(iter(taken.values()))
    for who, rounds in taken.items():
        ratios = [theirs["wall"] / ours["wall"] for theirs, ours in zip(rounds, own, strict=True)]
        wall, cpu = (statistics.median(each[kind] for each in rounds) for kind in ("wall", "cpu"))
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        lines.append(f"{who:24} {images / wall:8.1f}  {cpu:12.2f}  {spread}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
