"""Stage 5: one page and one model card out of everything that the other stages wrote.

Writes reports/report.html, which opens without network, and reports/MODEL_CARD.md.
"""

import hashlib
import io
import json
import logging
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import UndefinedError
from ruamel.yaml import YAML

from stages import charts, command, pages
from stages.errors import BadInput
from stages.outputs import write_text
from stages.params import Params
from stages.prepared import MANIFEST, load_classes

REPORT = Path("reports/report.html")
MODEL_CARD = Path("reports/MODEL_CARD.md")
MODEL = Path("models/model.keras")
log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write the report and the model card.

    Raises:
        BadInput: What another stage should have written is missing.
    """
    try:
        found = gather(params)
        page, card = pages.render("report.html", **found), pages.render("MODEL_CARD.md", **found)
    except (OSError, ValueError, KeyError, TypeError, UndefinedError) as error:
        raise BadInput(f"cannot read what the other stages wrote ({error}); run `dvc repro`") from error
    write_text(REPORT, page)
    write_text(MODEL_CARD, card)
    log.info("wrote %s and %s", REPORT, MODEL_CARD)


def gather(params: Params) -> dict[str, Any]:
    """Read all results and make of them what the templates show."""
    classes = load_classes()
    per_class = pd.read_csv("plots/classes.csv", dtype={"class": str}, keep_default_na=False)
    pairs = pd.read_csv("plots/confusion.csv", dtype=str, keep_default_na=False)
    tested = per_class[per_class["images"] > 0]
    evaluation = _json("metrics/evaluate.json")
    return {
        "params": params,
        "settings": yaml_text(params),
        "classes": classes,
        "evaluation": evaluation,
        "chance": chance(tested),
        "training": _json("metrics/train.json"),
        "validation": _json("reports/validation.json"),
        "per_class": per_class.to_dict("records"),
        "worst": tested.sort_values(["f1", "class"]).head(params.report.worst_classes).to_dict("records"),
        "confusions": confusions(pairs),
        "history_chart": charts.history(pd.read_csv("plots/history.csv")),
        "confusion_chart": charts.confusion(pairs, classes),
        "calibration_chart": charts.calibration(pd.read_csv("plots/calibration.csv")),
        "hashes": {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in (MANIFEST, MODEL)},
    }


def chance(tested: pd.DataFrame) -> float:
    """The accuracy of always answering the most frequent class."""
    return float(tested["images"].max() / tested["images"].sum())


def confusions(pairs: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """The most frequent mistakes."""
    wrong = pairs[pairs["actual"] != pairs["predicted"]]
    counts = wrong.value_counts().rename("images").reset_index()
    return (
        counts.sort_values(["images", "actual", "predicted"], ascending=[False, True, True]).head(10).to_dict("records")
    )


def yaml_text(params: Params) -> str:
    """The settings as params.yaml has them."""
    text = io.StringIO()
    yaml = YAML()
    yaml.dump(params.model_dump(by_alias=True, mode="json"), text)
    return text.getvalue()


def _json(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


if __name__ == "__main__":
    command.main(run, __doc__)
