"""The report's charts, drawn by Vega-Lite and embedded as SVG, so that the page needs neither network nor library.

Colours are the page's CSS variables, so that one drawing serves light and dark. Each chart is small enough for a
phone; the page sets several side by side where there is room.
"""

import functools
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert
from markupsafe import Markup

WIDTH, HEIGHT = 264, 180
CELL = 29
_MOST_TICKS = 8
# Beyond this, cells and labels are too small to be read.
MOST_CLASSES_DRAWN = 30
INK, FIRST, SECOND = "currentColor", "var(--first)", "var(--second)"
FAINT: dict[str, Any] = {"strokeDash": [3, 3], "opacity": 0.5, "color": INK}
THEME: dict[str, Any] = {
    "background": None,
    "view": {"stroke": None},
    "padding": 2,
    "font": "sans-serif",
    "axis": {
        **{f"{part}Color": INK for part in ("label", "title", "tick", "domain", "grid")},
        "gridOpacity": 0.12,
        "domainOpacity": 0.4,
        "tickOpacity": 0.4,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelLimit": 120,
        "labelOverlap": True,
    },
    "legend": {"labelColor": INK, "labelFontSize": 12, "orient": "top", "title": None, "offset": 4},
    "title": {"color": INK, "fontSize": 13, "anchor": "start", "fontWeight": 600, "offset": 10},
    "line": {"strokeWidth": 2},
    "rule": {"color": INK},
}
Chart = alt.Chart | alt.LayerChart


@functools.cache
def vega_script() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script, for a page that draws by itself."""
    names = "Object.assign(window, {vega, vegaLite, vegaEmbed});"  # as DVC's plots call them
    return Markup(vl_convert.javascript_bundle(names))  # noqa: S704


def to_svg(chart: Chart, alternative: str) -> Markup:
    """Draw a chart; `alternative` says in words what it shows."""
    # Altair refuses more than 5,000 rows, which a thousand epochs have, and takes longer to check than Vega to draw.
    with alt.data_transformers.enable("default", max_rows=None):
        svg = vl_convert.vegalite_to_svg(chart.to_dict(validate=False) | {"config": THEME})
    return Markup(  # noqa: S704 - drawn by Vega-Lite, which escapes its texts
        svg.replace("<svg ", f'<svg role="img" aria-label="{Markup.escape(alternative)}" ', 1)
    )


def history(table: pd.DataFrame) -> list[Markup]:
    """Loss, accuracy and learning rate over epochs."""
    long = table.melt("epoch", var_name="series", value_name="value").dropna()
    long["measure"] = long["series"].str.removeprefix("val_").str.replace("_", " ")
    long["images"] = long["series"].str.startswith("val_").map({True: "validation", False: "training"})
    scales = {
        # The first epochs' losses are far above the rest.
        "loss": _logarithmic(table.filter(regex="loss$")),
        "accuracy": alt.Scale(domain=[0, 1]),
        "learning rate": alt.Scale(),
    }
    return [
        _history_of(long[long["measure"] == measure], measure, scale, points=len(table) < 40)
        for measure, scale in scales.items()
    ]


def _history_of(table: pd.DataFrame, measure: str, scale: alt.Scale, *, points: bool) -> Markup:
    shown = [name for name in ("training", "validation") if name in set(table["images"])]
    legend = None if measure == "learning rate" else alt.Legend(values=shown)
    chart = (
        alt.Chart(table, title=measure.capitalize())
        .mark_line(point={"size": 18} if points else False)
        .encode(
            x=alt.X("epoch:Q", title="Epoch", scale=_from_one(table["epoch"]), axis=_whole(table["epoch"])),
            y=alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5)),
            color=alt.Color("images:N", legend=legend, scale=_two("training", "validation")),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )
    return to_svg(chart, f"{measure.capitalize()} over the epochs of the training")


def confusion(cells: pd.DataFrame, classes: list[str]) -> Markup:
    """How often each class was taken for each other.

    Args:
        cells: A row a pair of these classes that occurs: actual, predicted, images, share (of the actual class).
        classes: Those to draw, in order.
    """
    told = [
        f"{row.images:,} images of {row.actual} taken for {row.predicted}, {row.share:.0%} of the class"
        for row in cells.itertuples()
    ]
    cells = cells.assign(told=told, short=cells["images"].map(_short))
    encodings = {
        "description": alt.Description("told:N"),
        "x": alt.X(
            "predicted:N",
            title="Predicted",
            scale=alt.Scale(domain=classes),
            axis=_names(angle=-50 if max(map(len, classes)) > 3 else 0),
        ),
        "y": alt.Y("actual:N", title="Actual", scale=alt.Scale(domain=classes), axis=_names()),
    }
    right = alt.datum.actual == alt.datum.predicted
    squares = (
        alt.Chart(cells)
        .mark_rect(stroke=INK, strokeOpacity=0.12)
        .encode(
            **encodings,
            color=alt.condition(right, alt.value(FIRST), alt.value(SECOND)),
            opacity=alt.Opacity(
                "share:Q", legend=None, scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0.05, 0.62])
            ),
        )
    )
    numbers = alt.Chart(cells).mark_text(fontSize=11, color=INK).encode(**encodings, text="short:N")
    frame = alt.ViewBackground(stroke=INK, strokeOpacity=0.25)
    chart = (squares + numbers).properties(width=alt.Step(CELL), height=alt.Step(CELL), view=frame)
    return to_svg(chart, f"Confusion matrix of {len(classes)} classes: actual against predicted")


def _short(images: int) -> str:
    """A number in at most four characters, which a cell has room for: 1,135 becomes 1.1k."""
    if images < 1000:
        return str(images)
    return f"{images / 1000:.{1 if images < 9950 else 0}f}k"


def slices(table: pd.DataFrame, title: str, accuracy: float, lowest: float) -> Markup:
    """The accuracy on the parts of one property with intervals, beside that on all images.

    Args:
        lowest: Where the axis begins, so that properties can be compared.
    """
    scale = alt.Scale(domain=[lowest, 1], nice=False)
    order = alt.Y(
        "value:N", sort=None, title=None, axis=alt.Axis(grid=False, domain=False, ticks=False, labelPadding=8)
    )
    axis = alt.Axis(format=".0%", tickCount=4)
    base = alt.Chart(table, title=title).encode(y=order)
    spans = base.mark_rule(color=FIRST, strokeWidth=2.5, opacity=0.45).encode(
        x=alt.X("low:Q", scale=scale, title=None, axis=axis), x2="high:Q"
    )
    points = base.mark_circle(size=60, color=FIRST, opacity=1).encode(x=alt.X("accuracy:Q", scale=scale))
    whole = alt.Chart(pd.DataFrame({"all": [accuracy]})).mark_rule(**FAINT).encode(x=alt.X("all:Q", scale=scale))
    chart = (whole + spans + points).properties(width=WIDTH - 74, height=alt.Step(24))
    return to_svg(chart, f"{title}, with intervals")


def calibration(table: pd.DataFrame, title: str) -> Markup:
    """Accuracy against confidence; on the diagonal they agree."""
    scale = alt.Scale(domain=[0, 1])
    percent = alt.Axis(format="~%", tickCount=5)
    ends = pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]})
    diagonal = alt.Chart(ends).mark_line(**FAINT, strokeWidth=1.2).encode(x="confidence:Q", y="accuracy:Q")
    points = (
        alt.Chart(table, title=title)
        .mark_circle(opacity=0.75, color=FIRST)
        .encode(
            x=alt.X("confidence:Q", scale=scale, title="Confidence", axis=percent),
            y=alt.Y("accuracy:Q", scale=scale, title="Accuracy", axis=percent),
            size=alt.Size("images:Q", legend=None, scale=alt.Scale(range=[30, 420])),
        )
    )
    chart = (diagonal + points).properties(width=WIDTH, height=WIDTH)
    return to_svg(chart, f"Reliability diagram, {title}: accuracy of the test images against the model's confidence")


def robustness(table: pd.DataFrame, corruption: str) -> Markup:
    """The accuracy as one corruption grows."""
    rows = table[["strength", corruption]].set_axis(["strength", "accuracy"], axis="columns")
    chart = (
        alt.Chart(rows, title=corruption.upper() if corruption == "jpeg" else corruption.capitalize())
        .mark_line(point={"size": 30, "color": FIRST}, color=FIRST)
        .encode(
            x=alt.X("strength:Q", title="Strength", axis=alt.Axis(tickMinStep=1, tickCount=6, grid=False)),
            y=alt.Y("accuracy:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="~%", tickCount=3)),
        )
        .properties(width=122, height=110)
    )
    return to_svg(chart, f"Accuracy under {corruption} of growing strength")


def class_sizes(table: pd.DataFrame) -> Markup:
    """Training images of each class, or where there are many, how many classes are of which size."""
    if len(table) > MOST_CLASSES_DRAWN:
        chart = (
            alt.Chart(table)
            .mark_bar(color=FIRST)
            .encode(
                x=alt.X("training_images:Q", bin=alt.Bin(maxbins=20), title="Training images of a class"),
                y=alt.Y("count():Q", title="Classes"),
            )
            .properties(width=2 * WIDTH, height=HEIGHT)
        )
        return to_svg(chart, "How many classes have how many training images")
    base = alt.Chart(table).encode(
        x=alt.X("training_images:Q", title=None, axis=None),
        y=alt.Y("label:N", sort=None, title=None, axis=_names()),
    )
    numbers = base.mark_text(align="left", dx=4, fontSize=12, color=INK).encode(
        text=alt.Text("training_images:Q", format=",")
    )
    chart = (base.mark_bar(color=FIRST, height=14) + numbers).properties(width=WIDTH, height=alt.Step(22))
    return to_svg(chart, "Training images of each class")


def gradients(table: pd.DataFrame, moment: str, title: str, network: str) -> Markup:
    """The norm of each convolution's gradient, and of those of the twin without shortcuts where there is one.

    Args:
        moment: The columns to draw: `initial` or `trained`.
        network: What the network with shortcuts is called.
    """
    twin = "without shortcuts"
    series = table[["depth", "layer", moment, f"plain_{moment}"]].set_axis(["depth", "layer", network, twin], axis=1)
    norms = table.drop(columns=["depth", "layer"])
    long = series.melt(["depth", "layer"], var_name="of", value_name="gradient").dropna()
    shown = [name for name in (network, twin) if name in set(long["of"])]
    chart = (
        alt.Chart(long, title=title)
        .mark_line(point={"size": 18} if len(table) < 80 else False)
        .encode(
            x=alt.X(
                "depth:Q",
                title="Convolution, first to last",
                scale=_from_one(table["depth"]),
                axis=_whole(table["depth"]),
            ),
            y=alt.Y(
                "gradient:Q",
                title="Norm of its gradient",
                scale=_logarithmic(norms),
                axis=alt.Axis(tickCount=4, format="~g"),
            ),
            color=alt.Color("of:N", legend=alt.Legend(values=shown), scale=_two(network, twin)),
        )
        .properties(width=WIDTH + 40, height=HEIGHT + 30)
    )
    compared = ", with and without shortcuts" if len(shown) > 1 else ""
    return to_svg(chart, f"Norm of the gradient of each convolution {title.lower()}{compared}")


def _logarithmic(values: pd.DataFrame) -> alt.Scale:
    """A logarithmic scale for all of these numbers, also where a loss came down to 0."""
    if (values <= 0).any(axis=None):
        return alt.Scale(type="symlog", constant=0.001)
    lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
    return alt.Scale(type="log", nice=False, domain=[lowest / 1.1, highest * 1.1])


def _from_one(numbers: pd.Series) -> alt.Scale:
    return alt.Scale(domain=[1, max(2, int(numbers.max()))], nice=False)


def _whole(numbers: pd.Series) -> alt.Axis:
    # Left to itself, Vega would put ticks between few numbers, and round them.
    last = max(2, int(numbers.max()))
    values = list(range(1, last + 1)) if last <= _MOST_TICKS else alt.Undefined
    return alt.Axis(values=values, tickMinStep=1, tickCount=_MOST_TICKS, format="d", grid=False)


def _two(first: str, second: str) -> alt.Scale:
    return alt.Scale(domain=[first, second], range=[FIRST, SECOND])


def _names(angle: int = 0) -> alt.Axis:
    return alt.Axis(grid=False, domain=False, ticks=False, labelOverlap=False, labelAngle=angle)
