"""What depth costs, from 20 to 1202 layers, in the form that trains and in stock layers: time to build, a step, memory.

`python -m benchmarks.depth`, ten minutes to half an hour. Prints a table; writes it, and a figure, to
benchmarks/results/.
"""

import argparse
import json
import sys

import altair as alt
import pandas as pd

import resnet
from benchmarks.processes import measured
from benchmarks.records import keep

NETWORKS = ["resnet20", "resnet56", "resnet110", "resnet1202", "resnet1001v2"]
FORMS = ["training", "rematerialized", "stock"]
COLUMNS = {"ready": "build and first step, s", "step": "a step, s", "peak_mb": "peak memory, MB"}


def main() -> None:
    """Measure each network in each form, a process each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16, metavar="IMAGES")
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="after the first")
    parser.add_argument("--precision", default="float32", metavar="POLICY", help="mixed_bfloat16, for one")
    parser.add_argument("--network", choices=NETWORKS, action="append", help="may be repeated; all, if none is given")
    parser.add_argument("--form", choices=FORMS, action="append", help="may be repeated; all, if none is given")
    options = parser.parse_args()
    shared = ["--batch", options.batch, "--steps", options.steps, "--precision", options.precision, "--json"]
    rows = []
    for form in options.form or FORMS:
        for name in [name for name in NETWORKS if name in (options.network or NETWORKS)]:
            print(f"{name}, {form}      ", end="\r", file=sys.stderr)
            taken = measured("training_step", name, "--form", form, *shared)
            work = resnet.describe(name)
            rows.append({"name": name, "form": form, "layers": work.layers, "work": work.multiply_adds} | taken)
    table = pd.DataFrame(rows)
    table["ready"] = table["build"] + table["first_step"]
    # Multiply-adds a second beside those of the form's shallowest network.
    table["rate"] = table["work"] / table["step"]
    table["rate"] /= table.groupby("form")["rate"].transform("first")
    columns = ["name", "form", *COLUMNS, "rate"]
    print(table[columns].rename(columns=COLUMNS).to_string(index=False, float_format="%.2f"))
    settings = {"batch": options.batch, "precision": options.precision}
    file = keep("depth", settings | {"rows": json.loads(table.to_json(orient="records"))})
    figure(table).save(file.with_suffix(".svg"))


def figure(table: pd.DataFrame) -> alt.HConcatChart:
    """A panel for each quantity, against depth, both on logarithmic axes; the family of 2015 alone."""
    family = table[~table["name"].str.endswith("v2")]
    base = (
        alt.Chart(family).mark_line(point=True).encode(x=alt.X("layers", scale=alt.Scale(type="log"), title="layers"))
    )
    panels = [
        base.encode(y=alt.Y(column, scale=alt.Scale(type="log"), title=title), color=alt.Color("form", title=None))
        for column, title in COLUMNS.items()
    ]
    return alt.hconcat(*(panel.properties(width=220, height=220) for panel in panels))


if __name__ == "__main__":
    main()
