"""A freshly trained model, measured beside the champion for the gate."""

import filecmp
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import champion, gate, registry
from pipeline.champion import CLASSES, MANIFEST, MODEL, PREDICTIONS, Champion
from pipeline.drift import drift
from pipeline.errors import Incomparable, PipelineError
from pipeline.git import read
from pipeline.pairing import IMAGE, drawn_with, first_of_each_image, without_training_images
from pipeline.processes import Say, supervised
from pipeline.project import EVALUATION, settings
from stages.params import Params
from stages.provenance import md5

BY_HAND = "`python -m pipeline promote REV`, or rollback, decides by hand"


def judge(folder: Path, say: Say, held: int | None = None) -> gate.Verdict:
    """Hold the model of a checkout against the champion.

    Raises:
        PipelineError: params.yaml cannot be read, or a measurement failed.
    """
    params = settings(folder)
    version = registry.champion(folder)
    measured = _measure(folder)
    by_itself = gate.decide(measured, None, params.gate).with_numbers(champion=None, candidate=asdict(measured))
    if version is None:
        return by_itself
    say(f"holding the model against {version} ({version.commit[:12]})")
    with _champion_folder(folder) as files:
        try:
            if (size := champion.image_size(folder, version)) != params.data.image_size:
                raise Incomparable(
                    f"{version} takes images of {size} pixels, and this model of {params.data.image_size}"
                )
            verdict = _against(champion.fetch(folder, version, files), folder, params, measured, say, held)
        except Incomparable as error:
            # What breaks a limit is rejected, whatever it could be compared with.
            verdict = by_itself if by_itself.outcome == "rejected" else gate.Verdict("undecided", [])
            verdict = verdict.because(str(error)).because(BY_HAND)
    if verdict.outcome == "promoted" and (former := _rolled_back(folder)):
        reason = f"this model is {former} to the byte, which was rolled back"
        verdict = gate.Verdict("undecided", [*verdict.reasons, reason, BY_HAND], verdict.numbers)
    return verdict.with_numbers(champion=str(version), champion_commit=version.commit)


def _rolled_back(folder: Path) -> registry.Version | None:
    """The version of this very model that was the champion, if it is not to be one any more."""
    digest = md5(folder / MODEL)
    same = [each for each in registry.versions(folder) if digest in (read(folder, each.commit, "dvc.lock") or "")]
    # Versions may differ in nothing but their report.
    return None if any(version.in_stage for version in same) else next(iter(same), None)


@contextmanager
def _champion_folder(folder: Path) -> Iterator[Path]:
    """Give a place for the champion's files, which goes with the checkout or the next run, should we be killed."""
    files = folder / ".dvc" / "tmp" / "champion"
    shutil.rmtree(files, ignore_errors=True)
    try:
        yield files
    finally:
        shutil.rmtree(files, ignore_errors=True)


def _against(
    former: Champion, folder: Path, params: Params, measured: gate.Candidate, say: Say, held: int | None
) -> gate.Verdict:
    if former.classes() != json.loads((folder / CLASSES).read_text(encoding="utf-8")):
        raise Incomparable(f"{former.version} has different classes")
    manifest, former_manifest = pd.read_parquet(folder / MANIFEST), former.manifest()
    moved = drift(former_manifest, manifest, params.gate.drift_warning)
    both = without_training_images(_answers_of_both(former, folder, say, held), manifest, former_manifest)
    if both.empty:
        raise Incomparable("every test image is in the training data of one of the models, so that nothing can be said")
    difference = gate.compare(
        both["correct"].to_numpy(bool),
        both["champion"].to_numpy(bool),
        drawn_with(both, manifest),
        params.gate.confidence,
        params.seed,
    )
    time = _time_against(former, folder, say, held)
    measured = replace(measured, latency_ratio=time["ratio"], latency_ratio_low=time["ratio_low"])
    verdict = gate.decide(measured, difference, params.gate)
    if warned := moved[moved["warning"]]["feature"].tolist():
        verdict = verdict.because(f"mind that the images differ in {', '.join(warned)}")
    return verdict.with_numbers(
        difference=asdict(difference) | {"mean": difference.mean},
        candidate=asdict(measured),
        drift=moved.to_dict("records"),
    )


def _answers_of_both(former: Champion, folder: Path, say: Say, held: int | None) -> pd.DataFrame:
    """A row a test image: whether the candidate is right (`correct`), and whether the champion is (`champion`)."""
    own, theirs = first_of_each_image(pd.read_parquet(folder / PREDICTIONS)), first_of_each_image(former.predictions())
    if len(own.merge(theirs, on=IMAGE)) < len(own):
        say(f"the test images have changed: {former.version} is evaluated on the new ones first")
        theirs = first_of_each_image(former.predictions_on_images_of(folder, say, held))
    own, theirs = own[[*IMAGE, "correct"]], theirs[[*IMAGE, "correct"]].rename(columns={"correct": "champion"})
    return own.merge(theirs, on=IMAGE, validate="one_to_one")


def _measure(folder: Path) -> gate.Candidate:
    """Measure on all test images: the candidate was trained on none of them, whatever the champion was."""
    worst, recall = gate.worst_class(pd.read_parquet(folder / PREDICTIONS))
    metrics = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    return gate.Candidate(
        worst_class=worst,
        worst_class_recall=recall,
        calibration_error=metrics["ece"],
        megabytes=(folder / MODEL).stat().st_size / 1e6,
    )


def _time_against(former: Champion, folder: Path, say: Say, held: int | None) -> dict[str, Any]:
    if filecmp.cmp(folder / MODEL, former.model, shallow=False):
        say(f"the very model of {former.version}: its time needs no measuring")
        return {"ratio": 1.0, "ratio_low": 1.0}
    command = [sys.executable, "-m", "resnet", "time", "--model", MODEL, "--against", str(former.model), "--json"]
    status, lines = supervised(command, folder, lambda line: None, held)
    if status:
        raise PipelineError("the time that the models take could not be measured: " + "\n".join(lines[-5:]))
    measured: dict[str, Any] = json.loads(lines[-1])
    say(f"{measured['milliseconds']:.1f} ms a batch, {measured['ratio']:.2f} times what {former.version} takes")
    return measured
