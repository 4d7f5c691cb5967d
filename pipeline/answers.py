"""What two models answered to the same test images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline import gate
from pipeline.champion import CLASSES, MANIFEST, PREDICTIONS
from pipeline.errors import Incomparable, PipelineError
from pipeline.pairing import IMAGE, drawn_with, first_of_each_image, without_training_images
from pipeline.sides import Side
from stages.intervals import bootstrap
from stages.params import Params
from stages.prepared import PREPARED, images_file
from stages.scores import scores_of_resamples
from stages.splits import TEST
from stages.thumbnails import data_uri

ANSWER = ["path", "predicted", "confidence", "correct", "probabilities"]


@dataclass(frozen=True)
class Measured:
    """A metric of both on the same images, and the interval of the difference, image by image."""

    name: str
    former: float
    new: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """How much larger it is on the new side."""
        return self.new - self.former


def paired_predictions(former: Side, new: Side) -> pd.DataFrame:
    """A row a test image that both were asked and neither was trained on; columns end in _former and _new.

    Raises:
        Incomparable: There is none, or the two know other classes.
        PipelineError: A file is at hand nowhere.
    """
    classes, former_classes = new.json(CLASSES), former.json(CLASSES)
    if classes != former_classes:
        gone, come = (set(former_classes) - set(classes), set(classes) - set(former_classes))
        raise Incomparable(f"{former} has different classes (gone: {_some(gone)}; new: {_some(come)})")
    own, theirs = (_answers(side) for side in (new, former))
    both = theirs.merge(own, on=IMAGE, suffixes=("_former", "_new"), validate="one_to_one")
    if both.empty:
        raise Incomparable(f"no test image is the same, of {len(theirs):,} and {len(own):,}")
    both = without_training_images(both, former.table(MANIFEST), new.table(MANIFEST))
    if both.empty:
        raise Incomparable("every test image that is the same is in the training data of one of the two")
    return both


def measure(
    both: pd.DataFrame, manifest: pd.DataFrame, classes: list[str], settings: Params
) -> tuple[list[Measured], gate.Difference]:
    """Measure both on the same images; the accuracy's interval is the gate's own."""
    labels = both["label"].map({name: number for number, name in enumerate(classes)}).to_numpy()
    answers = [np.stack([*both[f"probabilities_{side}"]]).astype(np.float64) for side in ("former", "new")]
    theirs, own = (scores_of_resamples(probabilities, labels) for probabilities in answers)

    def differences(counts: Any) -> dict[str, float]:
        before = theirs(counts)
        return {name: value - before[name] for name, value in own(counts).items()}

    level, cluster = settings.evaluate.bootstrap.level, drawn_with(both, manifest)
    intervals = bootstrap(differences, cluster, settings.evaluate.bootstrap.resamples, level, settings.seed)
    right, former_right = (both[f"correct_{side}"].to_numpy(bool) for side in ("new", "former"))
    difference = gate.compare(right, former_right, cluster, level, settings.seed)
    intervals["accuracy"] = {"low": difference.low, "high": difference.high}
    each_once = np.ones(len(both), int)
    before, after = theirs(each_once), own(each_once)
    return [Measured(name, before[name], after[name], **interval) for name, interval in intervals.items()], difference


def flips(both: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The images that only the new side gets right, and those that only the former did; the surest mistakes first."""
    gained, lost = (
        both[both[f"correct_{right}"].astype(bool) & ~both[f"correct_{wrong}"].astype(bool)].sort_values(
            [f"confidence_{wrong}", f"path_{right}"], ascending=[False, True]
        )
        for right, wrong in (("new", "former"), ("former", "new"))
    )
    return gained, lost


def thumbnails(images: set[str], sides: list[Side]) -> dict[str, str]:
    """The pictures of some test images, by their hash, from the first side that has them all.

    Raises:
        PipelineError: None has.
    """
    reason = "no side has them all"
    for side in sides if images else []:
        try:
            manifest = side.table(MANIFEST)
            tested = manifest[manifest["error"].isna() & (manifest["split"] == TEST)]["sha256"].reset_index(drop=True)
            wanted = tested[tested.isin(images)].drop_duplicates()
            if len(wanted) == len(images):
                pixels = np.load(side.file(str(images_file(PREPARED, TEST))), mmap_mode="r", allow_pickle=False)
                return {name: data_uri(pixels[place]) for place, name in wanted.items()}
        except (PipelineError, ValueError, IndexError) as error:
            reason = str(error)
    if images:
        raise PipelineError(f"the pictures are not at hand: {reason}")
    return {}


def _answers(side: Side) -> pd.DataFrame:
    """What a side said to each of its test images, once."""
    found = side.table(PREDICTIONS)
    if lacking := [name for name in (*IMAGE, *ANSWER) if name not in found]:
        raise Incomparable(f"{PREDICTIONS} of {side}, of another version of this code, lacks {', '.join(lacking)}")
    return first_of_each_image(found[[*IMAGE, *ANSWER]])


def _some(names: set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:5]) + (", …" if len(listed) > 5 else "") if listed else "none"
