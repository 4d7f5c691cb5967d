"""The report's charts, drawn by Vega-Lite and embedded as SVG, so that the page needs neither network nor script."""

import altair as alt
import pandas as pd
import vl_convert
from markupsafe import Markup

WIDTH, HEIGHT = 360, 220
# Beyond this, cells and labels are too small to be read.
MOST_CLASSES_DRAWN = 30


def to_svg(chart: alt.Chart | alt.LayerChart | alt.HConcatChart, alternative: str) -> Markup:
    """Draw a chart; `alternative` says in words what it shows."""
    # Altair refuses more than 5,000 rows, which a thousand epochs have.
    with alt.data_transformers.enable("default", max_rows=None):
        svg = vl_convert.vegalite_to_svg(chart.to_json())
    return Markup(  # noqa: S704 - drawn by Vega-Lite, which escapes its texts
        svg.replace("<svg ", f'<svg role="img" aria-label="{Markup.escape(alternative)}" ', 1)
    )


def history(table: pd.DataFrame) -> Markup:
    """Loss, accuracy and learning rate over epochs."""
    long = table.melt("epoch", var_name="series", value_name="value")
    long["measure"] = long["series"].str.removeprefix("val_").str.replace("_", " ")
    long["images"] = long["series"].str.startswith("val_").map({True: "validation", False: "training"})
    lines = alt.Chart(long).mark_line(point=len(table) < 40).encode(x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1)))
    parts = [
        lines.transform_filter(alt.datum.measure == measure)
        .encode(y=alt.Y("value:Q", title=measure, scale=scale), color=alt.Color("images:N", title=None))
        .properties(width=230, height=HEIGHT)
        # The first epochs' losses are far above the rest.
        for measure, scale in (
            ("loss", alt.Scale(type="symlog", constant=0.01)),
            ("accuracy", alt.Scale(domain=[0, 1])),
            ("learning rate", alt.Scale()),
        )
    ]
    return to_svg(alt.hconcat(*parts), "Loss, accuracy and learning rate over the epochs of the training")


def confusion(table: pd.DataFrame, classes: list[str]) -> Markup | None:
    """How often each class was taken for each other; None where there are too many to draw."""
    if len(classes) > MOST_CLASSES_DRAWN:
        return None
    pairs = pd.MultiIndex.from_product([classes, classes], names=["actual", "predicted"])
    cells = table.value_counts(["actual", "predicted"]).reindex(pairs, fill_value=0).rename("images").reset_index()
    cells["share"] = cells["images"] / cells.groupby("actual")["images"].transform("sum").clip(lower=1)
    axes = {
        "x": alt.X("predicted:N", sort=classes, title="predicted"),
        "y": alt.Y("actual:N", sort=classes, title="actual"),
    }
    squares = (
        alt.Chart(cells)
        .mark_rect()
        .encode(
            **axes,
            color=alt.Color(
                "share:Q",
                title="share of class",
                scale=alt.Scale(domain=[0, 1], range=["#ffffff", "#08519c"], interpolate="rgb"),
            ),
        )
    )
    numbers = (
        alt.Chart(cells[cells["images"] > 0])
        .mark_text(fontSize=10)
        .encode(
            **axes,
            text="images:Q",
            color=alt.condition(alt.datum.share > 0.5, alt.value("white"), alt.value("black")),
        )
    )
    side = max(160, 24 * len(classes))
    return to_svg((squares + numbers).properties(width=side, height=side), "Confusion matrix of the test images")


def calibration(table: pd.DataFrame) -> Markup:
    """Accuracy against confidence; on the diagonal they agree."""
    scale = alt.Scale(domain=[0, 1])
    ends = pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]})
    diagonal = alt.Chart(ends).mark_line(strokeDash=[4, 4], color="grey").encode(x="confidence:Q", y="accuracy:Q")
    points = (
        alt.Chart(table)
        .mark_circle(opacity=0.8)
        .encode(
            x=alt.X("confidence:Q", scale=scale),
            y=alt.Y("accuracy:Q", scale=scale),
            size=alt.Size("images:Q", title="images", legend=alt.Legend(tickCount=3)),
        )
    )
    chart = (diagonal + points).properties(width=WIDTH, height=HEIGHT)
    return to_svg(chart, "Accuracy of the test images against the model's confidence")
