"""`python -m resnet time`: how long a saved model takes, alone or against another."""

import argparse
import functools
import json
import math
from pathlib import Path
from typing import Any

from resnet.lean_import import lean_import


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "time",
        help="milliseconds of a model; with --against, as a ratio to another's",
        description="Time a saved model on random images. Two models are timed in turn, round by round, so that their "
        "ratio can be trusted where the times themselves cannot.",
    )
    parser.add_argument("--model", type=Path, required=True, help="a .keras file, such as models/model.keras")
    parser.add_argument("--against", type=Path, help="a .keras file to compare it with")
    parser.add_argument("--seconds", type=_seconds, default=10.0, help="how long to measure (default: 10)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of sentences")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the times."""
    found = measure(options.model, options.against, options.seconds)
    if options.json:
        print(json.dumps(found))
        return 0
    print(
        f"{options.model}  {found['milliseconds']:.1f} ms for {found['batch']} images, "
        f"{found['milliseconds_alone']:.1f} ms for one alone"
    )
    if options.against:
        print(f"{options.against}  {found['against_milliseconds']:.1f} ms for {found['batch']} images")
        print(
            f"the first takes {found['ratio']:.3f} times as long as the second "
            f"(95 % interval {found['ratio_low']:.3f} to {found['ratio_high']:.3f}, {found['rounds']} paired rounds)"
        )
    return 0


def measure(model: Path, against: Path | None, seconds: float) -> dict[str, float]:
    """Time one model, or two in turn; the medians, and the median of the ratios with its 95 % interval."""
    with lean_import():
        import numpy as np

        from resnet import latency
        from resnet.classifier import load_classifier

    loaded = [load_classifier(path) for path in (model, against) if path]
    calls = [
        functools.partial(one.model.predict_on_batch, latency.random_images(latency.BATCH, one.side)) for one in loaded
    ]
    alone = functools.partial(loaded[0].model.predict_on_batch, latency.random_images(1, loaded[0].side))
    # A tenth of the time tells enough of a single image, which nothing is compared with.
    of_one = latency.time_rounds([alone], seconds / 10)
    times = latency.time_rounds(calls, seconds)
    medians = np.median(times, axis=0)
    found = {
        "milliseconds": float(medians[0]),
        "milliseconds_alone": float(np.median(of_one)),
        "batch": latency.BATCH,
        "rounds": len(times),
    }
    if against:
        ratio = latency.paired_ratio(times[:, 0], times[:, 1])
        found |= {
            "against_milliseconds": float(medians[1]),
            "ratio": ratio.median,
            "ratio_low": ratio.low,
            "ratio_high": ratio.high,
        }
    return {name: round(value, 4) for name, value in found.items()}


def _seconds(text: str) -> float:
    if 0 < (time := float(text)) < math.inf:
        return time
    raise argparse.ArgumentTypeError(f"{text} is no number of seconds; expected more than 0")
