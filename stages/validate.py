"""Stage 2: hold the manifest against the rules of params.yaml, by Great Expectations.

Reads data/manifest.parquet; writes reports/validation.json and reports/validation.html, also when a rule of
severity `fail` is broken; then it exits with 1, and nothing is trained.
"""

from stages import arguments

if __name__ == "__main__":
    arguments.read(__doc__)

import logging
import os
from pathlib import Path
from typing import Any

import pandas as pd

# Great Expectations asks at its import whether it may report home.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
from great_expectations.datasource.fluent.interfaces import Batch

from stages import command, pages
from stages.errors import BadInput
from stages.outputs import write_json, write_text
from stages.params import Params, ValidateParams
from stages.prepared import MANIFEST
from stages.provenance import sha256
from stages.rules import Check, checks, tables
from stages.runlog import timed
from stages.splits import SPLITS

VALIDATION_JSON = Path("reports/validation.json")
VALIDATION_HTML = Path("reports/validation.html")
EXAMPLES = 5
TEXTS = ("path", "label", "split", "sha256", "perceptual_hash", "mean_color")
NUMBERS = ("width", "height", "channels", "mean", "std")
log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Validate the prepared images.

    Raises:
        BadInput: A rule of severity `fail` is broken.
    """
    with timed("validate"):
        results = validate(params.validate_)
    for result in results:
        log.log(logging.INFO if result["outcome"] == "pass" else logging.WARNING, sentence(result))
    if failed := [result for result in results if result["outcome"] == "fail"]:
        broken = "; ".join(sentence(result) for result in failed)
        raise BadInput(
            f"{len(failed)} of {len(results)} rules failed: {broken}. See {VALIDATION_HTML}; mend the data, or change "
            "the thresholds in the validate section of params.yaml"
        )


def validate(settings: ValidateParams) -> list[dict[str, Any]]:
    """Write what came of each rule; return it."""
    try:
        manifest = pd.read_parquet(MANIFEST)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {MANIFEST} ({error}); run `dvc repro prepare`") from error
    check_manifest(manifest)
    seen = tables(manifest, settings)
    batches = make_batches(seen)
    results = [outcome(check, batches[check.table]) for check in checks(settings)]
    content = {
        "success": all(result["outcome"] != "fail" for result in results),
        "manifest": sha256(MANIFEST),
        "images": len(manifest),
        "splits": dict(zip(seen["splits"]["split"], seen["splits"]["images"].tolist(), strict=True)),
        "classes": seen["classes"][["label", "training_images"]].to_dict("records"),
        "rules": results,
    }
    write_json(VALIDATION_JSON, content)
    write_text(VALIDATION_HTML, pages.render("validation.html", validation=content))
    return results


def check_manifest(manifest: pd.DataFrame) -> None:
    """Refuse a manifest that was edited to what the rules cannot judge, or would pass over."""
    again = "run `dvc repro --force prepare`"
    if missing := [name for name in (*TEXTS, *NUMBERS, "error") if name not in manifest]:
        raise BadInput(f"{MANIFEST} lacks the columns {', '.join(missing)}; {again}")
    readable = manifest[manifest["error"].isna()]
    if readable.empty:
        raise BadInput(f"{MANIFEST} has no image that can be read; {again}")
    wrong = [name for name in (*TEXTS, *NUMBERS) if readable[name].isna().any()]
    wrong += [name for name in NUMBERS if not pd.api.types.is_numeric_dtype(readable[name])]
    wrong += ["label"] if manifest["label"].isna().any() else []
    wrong += [] if readable["split"].isin(SPLITS).all() else ["split"]
    for name, digits in (("perceptual_hash", 16), ("mean_color", 6)):
        wrong += [] if readable[name].astype(str).str.fullmatch(f"[0-9a-f]{{{digits}}}").all() else [name]
    if wrong:
        raise BadInput(f"{MANIFEST} has images without a proper {wrong[0]}; {again}")


def make_batches(seen: dict[Any, pd.DataFrame]) -> dict[str, Batch]:
    """Hand the tables to Great Expectations, which keeps nothing on disk."""
    # One of its modules sets a level of its own.
    for name in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(name).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("manifest")
    return {
        name: source.add_dataframe_asset(name)
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": table})
        for name, table in seen.items()
    }


def outcome(check: Check, batch: Batch) -> dict[str, Any]:
    """Validate one rule; say how many rows break it, and name a few."""
    index = [check.example] + ([check.twin] if check.twin else [])
    found = batch.validate(
        check.expectation, result_format={"result_format": "SUMMARY", "unexpected_index_column_names": index}
    ).to_json_dict()
    if found["exception_info"]["raised_exception"]:
        raise RuntimeError(f"{check.rule}: {found['exception_info']['exception_message']}")
    result = found["result"]
    rows = result.get("partial_unexpected_index_list") or []
    return {
        "rule": check.rule,
        "means": check.means,
        "expectation": found["expectation_config"]["type"],
        "severity": check.severity,
        "outcome": "pass" if found["success"] else check.severity,
        "checked": result["element_count"],
        "broken": result["unexpected_count"],
        "examples": [" = ".join(str(row[name]) for name in index) for row in rows[:EXAMPLES]],
    }


def sentence(result: dict[str, Any]) -> str:
    """One line for a log."""
    text = f"{result['outcome']}  {result['rule']}: {result['broken']:,} of {result['checked']:,} break it"
    return text + (f", such as {', '.join(result['examples'])}" if result["examples"] else "")


if __name__ == "__main__":
    command.main(run, arguments.read(__doc__).params)
