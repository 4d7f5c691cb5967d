"""Ours beside its peers, a process each, in turn: A B C A B C ...

`make benchmark`, or `python -m benchmarks.peers --rounds 5 --case resnet20`. Prints a table a network
and writes it to benchmarks/results/. PyTorch takes part where it is installed: `pip install torch==2.13.0`;
compiled, where there is a C++ compiler.
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import sys

import resnet
from benchmarks.contenders import CASES, CLASSES, CONTENDERS
from benchmarks.processes import measured
from benchmarks.records import keep

PRECISIONS = ("float32", "mixed_bfloat16")


def contenders(case: str, precisions: list[str], peers: list[str]) -> list[tuple[str, str]]:
    """Who takes part, ours first."""
    names = ["ours", "stock"]
    names += ["applications"] if case == "resnet50" else []
    if importlib.util.find_spec("torch"):
        names += ["pytorch", "compiled"] if shutil.which(os.environ.get("CXX", "g++")) else ["pytorch"]
    chosen = [name for name in names if name == "ours" or name in (peers or names)]
    return [(name, precision) for precision in precisions for name in chosen]


def main() -> None:
    """Measure all in turn; print and keep a table a network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", choices=CASES, action="append", help="may be repeated; all, if none is given")
    parser.add_argument(
        "--precision", choices=PRECISIONS, action="append", help="may be repeated; both, if none is given"
    )
    parser.add_argument(
        "--peer", choices=[name for name in CONTENDERS if name != "ours"], action="append", help="likewise"
    )
    options = parser.parse_args()
    precisions = options.precision or list(PRECISIONS)
    for case in options.case or CASES:
        taken: dict[str, list[dict[str, float]]] = {}
        ceilings: dict[str, list[float]] = {}
        for number in range(options.rounds):
            for precision in precisions:
                ceilings.setdefault(precision, []).append(measured("ceiling", precision)["multiply_adds"])
            for name, precision in contenders(case, precisions, options.peer):
                who = f"{name} {precision}"
                print(f"{case}, round {number + 1} of {options.rounds}: {who}      ", end="\r", file=sys.stderr)
                taken.setdefault(who, []).append(measured("contenders", name, case, precision))
        print(table(case, taken, ceilings), flush=True)
        found = {"seconds_a_step": taken, "ceiling_multiply_adds": ceilings}
        # Each at once: a network takes up to an hour.
        keep("peers", {"rounds": options.rounds, "cases": {case: found}})


def table(case: str, taken: dict[str, list[dict[str, float]]], ceilings: dict[str, list[float]]) -> str:
    """A row a contender: what it reaches, and how many times as fast ours in each precision is, round by round."""
    side, images = CASES[case]
    # The backward pass is two of such a size as the forward one.
    work = 3 * images * resnet.describe(case, side, CLASSES).multiply_adds
    own = {f"  {who} is … times as fast": rounds for who, rounds in taken.items() if who.startswith("ours ")}
    lines = [
        f"\n{case}, {side} x {side}, batch {images}",
        f"{'':24} images/s  CPU s a step  of the ceiling{''.join(own)}",
    ]
    for who, rounds in taken.items():
        wall, cpu = (statistics.median(each[kind] for each in rounds) for kind in ("wall", "cpu"))
        share = work / wall / statistics.median(ceilings[who.partition(" ")[2]])
        compared = "".join(f"{ratios(rounds, ours):>{len(title)}}" for title, ours in own.items())
        lines.append(f"{who:24} {images / wall:8.1f}  {cpu:12.2f}  {share:14.1%}{compared}")
    return "\n".join(lines)


def ratios(theirs: list[dict[str, float]], ours: list[dict[str, float]]) -> str:
    """The median of the rounds' ratios, and their spread."""
    found = [their["wall"] / our["wall"] for their, our in zip(theirs, ours, strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


if __name__ == "__main__":
    main()
