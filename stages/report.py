"""Stage 5: one page and one model card out of everything that the other stages wrote.

Writes reports/report.html, which opens without network, reports/MODEL_CARD.md, and reports/dvc_plots.html, the
page in which `dvc plots` draws, so that those open without network too.
"""

from stages import arguments

if __name__ == "__main__":
    arguments.read(__doc__)

import io
import json
import logging
import math
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import UndefinedError
from markupsafe import Markup
from ruamel.yaml import YAML

from resnet.variants import variant
from stages import charts, checkpoints, command, findings, pages
from stages.chance import learned_nothing
from stages.errors import BadInput
from stages.outputs import write_text
from stages.params import Params
from stages.pictures import mislabelled, mistakes
from stages.prepared import MANIFEST, check_manifest_hash, load_classes, load_split
from stages.provenance import code_files, sha256, sha256_of_code, sha256_of_text
from stages.runlog import timed
from stages.splits import TEST

REPORT = Path("reports/report.html")
MODEL_CARD = Path("reports/MODEL_CARD.md")
DVC_PLOTS = Path("reports/dvc_plots.html")
MODEL = Path("models/model.keras")
PREDICTIONS = Path("data/predictions.parquet")
log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write the report, the model card and the page of `dvc plots`.

    Raises:
        BadInput: What another stage should have written is missing, or is of another run.
    """
    checkpoints.forget_recorded()
    with timed("report"):
        report(params)
    log.info("wrote %s and %s", REPORT, MODEL_CARD)


def report(params: Params) -> None:
    """Fill the pages with all results."""
    try:
        found = gather(params)
        found |= pictures(params, found["classes"])
        page = pages.render("report.html", **found, charts=drawn(found))
        card = pages.render("MODEL_CARD.md", **found)
    except (OSError, ValueError, KeyError, TypeError, IndexError, ZeroDivisionError, UndefinedError) as error:
        raise BadInput(f"cannot read what the other stages wrote ({error}); run `dvc repro`") from error
    write_text(REPORT, page)
    write_text(MODEL_CARD, card)
    write_text(DVC_PLOTS, pages.render("dvc_plots.html", bundle=charts.vega_script()))


def gather(params: Params) -> dict[str, Any]:
    """Read all results, and what stands out in them."""
    settings, classes, data = yaml_text(params), load_classes(), sha256(MANIFEST)
    check_manifest_hash(data)
    per_class = pd.read_csv("plots/classes.csv", dtype={"class": str}, keep_default_na=False)
    if per_class["class"].tolist() != classes:
        raise ValueError("plots/classes.csv and data/prepared/classes.json name other classes")
    validation = read_json("reports/validation.json")
    if sorted(row["label"] for row in validation["classes"]) != sorted(classes):
        raise ValueError("reports/validation.json and data/prepared/classes.json name other classes")
    tested = per_class[per_class["images"] > 0]
    evaluation = read_json("metrics/evaluate.json")
    slices = pd.read_csv("plots/slices.csv", dtype={"slice": str, "property": str, "value": str}, keep_default_na=False)
    counts = findings.cells(pd.read_csv("plots/confusion.csv", dtype=str, keep_default_na=False))
    mistaken = findings.confusions(counts)
    drawn_classes = findings.most_confused(mistaken, classes, charts.MOST_CLASSES_DRAWN)
    gradients, code = read_rows("plots/gradients.csv"), code_files()
    return {
        "params": params,
        "settings": settings,
        "classes": classes,
        "evaluation": evaluation,
        "learned_nothing": learned_nothing(evaluation["accuracy"], evaluation["chance"]),
        "training": read_json("metrics/train.json"),
        "validation": validation,
        "per_class": per_class,
        "worst": tested.sort_values(["f1", "class"]).head(params.report.worst_classes).to_dict("records"),
        "absent": per_class.loc[per_class["images"] == 0, "class"].tolist(),
        "confusions": mistaken,
        "drawn_classes": drawn_classes,
        "cells": counts[counts[["actual", "predicted"]].isin(drawn_classes).all(axis="columns")],
        "slices": slices,
        "weak_parts": findings.weak_parts(slices),
        "weakest_corruption": findings.weakest_corruption(evaluation["corrupted"]),
        "robustness": read_rows("plots/robustness.csv"),
        "gradients": gradients,
        "has_shortcuts": variant(params.model.name).block != "plain",
        "history": read_rows("plots/history.csv"),
        "reliability": read_rows("plots/calibration.csv"),
        "reliability_scaled": read_rows("plots/calibration_scaled.csv"),
        "spread": {name: findings.spread(norms) for name, norms in gradients.drop(columns=["depth", "layer"]).items()},
        "hashes": {
            "data": data,
            "code": sha256_of_code(code),
            "params": sha256_of_text(settings),
            "model": sha256(MODEL),
        },
        "code_files": len(code),
    }


def drawn(found: dict[str, Any]) -> dict[str, list[Markup]]:
    """Draw what the page shows, several small charts to a figure."""
    accuracy, slices, network = found["evaluation"]["accuracy"], found["slices"], found["params"].model.name
    parts = slices[slices["property"] != "class"]
    lowest = max(0.0, float(slices["low"].min()) - 0.02)
    return {
        "confusion": [charts.confusion(found["cells"], found["drawn_classes"])],
        "recall": [charts.slices(slices[slices["property"] == "class"], "Recall by class", accuracy, lowest)]
        if len(found["classes"]) <= charts.MOST_CLASSES_DRAWN
        else [],
        "slices": [
            charts.slices(rows, f"Accuracy by {name}", accuracy, lowest)
            for name, rows in parts.groupby("property", sort=False)
        ],
        "calibration": [
            charts.calibration(found["reliability"], "As trained"),
            charts.calibration(found["reliability_scaled"], "After temperature scaling"),
        ],
        "robustness": [
            charts.robustness(found["robustness"], str(name)) for name in found["robustness"].columns.drop("strength")
        ],
        "classes": [charts.class_sizes(pd.DataFrame(found["validation"]["classes"]))],
        "history": charts.history(found["history"]),
        "gradients": [
            charts.gradients(found["gradients"], "initial", "At initialisation", network),
            charts.gradients(
                found["gradients"], "trained", f"After {found['params'].evaluate.gradients.steps} steps", network
            ),
        ],
    }


def pictures(params: Params, classes: list[str]) -> dict[str, Any]:
    """Cut out of the test images those that a person should look at.

    Raises:
        ValueError: The predictions are of other images.
    """
    images, predictions = load_split(TEST).images, pd.read_parquet(PREDICTIONS)
    if len(images) != len(predictions):
        raise ValueError(f"{PREDICTIONS} has {len(predictions)} rows, but there are {len(images)} test images")
    return {
        "mistakes": mistakes(predictions, images, params.report.pictures),
        "mislabelled": mislabelled(predictions, classes, images, params.report.pictures),
        "side": images.shape[1],
    }


def yaml_text(params: Params) -> str:
    """The settings as params.yaml has them."""
    text = io.StringIO()
    yaml = YAML()
    yaml.dump(params.model_dump(by_alias=True, mode="json"), text)
    return text.getvalue()


def read_json(path: str) -> Any:
    """Read what another stage measured."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_rows(path: str) -> pd.DataFrame:
    """Read a table of figures.

    Raises:
        ValueError: It has none.
    """
    rows = pd.read_csv(path)
    if rows.empty:
        raise ValueError(f"{path} has no rows")
    # What has grown beyond all numbers has no place in a chart.
    return rows.replace([math.inf, -math.inf], math.nan)


if __name__ == "__main__":
    command.main(run, arguments.read(__doc__).params)
