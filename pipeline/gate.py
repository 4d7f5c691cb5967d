"""The rule by which a candidate takes the champion's place, or does not."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.params import GateParams

Outcome = Literal["promoted", "rejected", "undecided"]
RESAMPLES = 10_000
# Of fewer images that tell two models apart, the bootstrap makes intervals that are too narrow.
FEW = 10
NO_CHAMPION = "there is no champion yet, and every limit holds"


@dataclass(frozen=True)
class Difference:
    """How much more of the same images the candidate gets right.

    Attributes:
        clusters: What was drawn: images, or groups of them.
        telling_clusters: Those on which one model is right more often than the other.
    """

    images: int
    accuracy: float
    champion_accuracy: float
    low: float
    high: float
    only_candidate: int
    only_champion: int
    mcnemar_p: float
    clusters: int
    telling_clusters: int

    @property
    def mean(self) -> float:
        """The difference of the two accuracies."""
        return self.accuracy - self.champion_accuracy


@dataclass(frozen=True)
class Candidate:
    """What the limits look at.

    Units:
        megabytes: 10^6 bytes. latency_ratio: the candidate's time over the champion's; None without a champion.
    """

    worst_class: str
    worst_class_recall: float
    calibration_error: float
    megabytes: float
    latency_ratio: float | None = None
    latency_ratio_low: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What is to become of a candidate, with the reasons in words and the numbers behind them."""

    outcome: Outcome
    reasons: list[str]
    numbers: dict[str, Any] = field(default_factory=dict)

    def because(self, reason: str) -> "Verdict":
        """Add a reason."""
        return replace(self, reasons=[*self.reasons, reason])

    def with_numbers(self, **numbers: Any) -> "Verdict":
        """Add numbers."""
        return replace(self, numbers=self.numbers | numbers)


def compare(
    candidate: NDArray[np.bool_],
    champion: NDArray[np.bool_],
    cluster: NDArray[np.int64],
    confidence: float,
    seed: int,
) -> Difference:
    """Hold two models' answers to the same images against each other.

    Shapes:
        candidate, champion: (N,), whether each image's prediction is right, in one order. cluster: (N,), what each
        is drawn with, as `stages.intervals.clusters` numbers it.

    Source: Efron and Tibshirani 1993, chapter 13 (percentile interval); McNemar 1947, in its exact form.
    """
    # As in drift: a first model need not wait for it.
    from scipy.stats import binomtest

    better, worse = int((candidate & ~champion).sum()), int((champion & ~candidate).sum())
    count = len(candidate)
    gains = np.bincount(cluster, candidate.astype(int) - champion.astype(int))
    # To draw with replacement and count how many of each kind come is to draw from a multinomial.
    kinds, times = np.unique(np.stack([gains, np.bincount(cluster)]), axis=1, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(gains), times / len(gains), size=RESAMPLES)
    differences = drawn @ kinds[0] / (drawn @ kinds[1])
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Difference(
        images=count,
        accuracy=float(candidate.mean()),
        champion_accuracy=float(champion.mean()),
        low=float(low),
        high=float(high),
        only_candidate=better,
        only_champion=worse,
        mcnemar_p=float(binomtest(better, better + worse).pvalue) if better + worse else 1.0,
        clusters=len(gains),
        telling_clusters=int(np.count_nonzero(gains)),
    )


def worst_class(predictions: pd.DataFrame) -> tuple[str, float]:
    """The class of whose images the least share is recognised, and that share."""
    recall = predictions.groupby("label")["correct"].mean().sort_values(kind="stable")
    return str(recall.index[0]), float(recall.iloc[0])


def decide(candidate: Candidate, difference: Difference | None, settings: GateParams) -> Verdict:
    """Apply the rule; without a champion, the limits alone decide."""
    broken = _broken_limits(candidate, settings)
    if difference is None:
        return Verdict("rejected", broken) if broken else Verdict("promoted", [NO_CHAMPION])
    interval = (
        f"on {difference.images:,} images that neither was trained on, the accuracy is {difference.accuracy:.2%}, the "
        f"champion's {difference.champion_accuracy:.2%}: a difference of {100 * difference.mean:+.2f} points, "
        f"{settings.confidence:.0%} interval {100 * difference.low:+.2f} to {100 * difference.high:+.2f} "
        f"(McNemar's exact p {difference.mcnemar_p:.3g})"
    )
    drawn = "images" if difference.clusters == difference.images else "groups of images, which McNemar's p leaves out,"
    if (telling := difference.telling_clusters) < FEW:
        interval += f"; only {telling} of {difference.clusters:,} {drawn} tell the two apart: it is too narrow"
    if broken:
        return Verdict("rejected", [*broken, interval])
    margin = f"the margin, {100 * settings.margin:g} points"
    in_groups = difference.clusters < difference.images
    if in_groups and difference.clusters == 1 and telling:
        return Verdict("undecided", [interval, "all of them are of one group, so that nothing is known of others"])
    # Models that answer alike are equal, also where the margin is 0.
    if difference.low > -settings.margin or not telling:
        # Seen night after night, this is how a model gets worse with every gate passed.
        proven = difference.high < 0 and difference.mcnemar_p < 1 - settings.confidence
        proven = proven and not (in_groups and telling < FEW)
        loss = "; worse all the same, and such losses add up" if proven else ""
        return Verdict("promoted", [interval, f"not worse by more than {margin}, and every limit holds{loss}"])
    if difference.high < -settings.margin:
        return Verdict("rejected", [interval, f"worse by more than {margin}"])
    return Verdict("undecided", [interval, f"the interval contains minus {margin}; more test images would decide"])


def _broken_limits(candidate: Candidate, settings: GateParams) -> list[str]:
    broken = []
    if candidate.worst_class_recall < settings.worst_class_recall:
        broken.append(
            f"the recall of class {candidate.worst_class} is {candidate.worst_class_recall:.2%}, below "
            f"gate.worst_class_recall, {settings.worst_class_recall:.2%}"
        )
    if candidate.calibration_error > settings.calibration_error:
        broken.append(
            f"the calibration error (ece) is {candidate.calibration_error:.4f}, above gate.calibration_error, "
            f"{settings.calibration_error}"
        )
    if candidate.megabytes > settings.model_megabytes:
        broken.append(
            f"the model has {candidate.megabytes:.1f} MB, above gate.model_megabytes, {settings.model_megabytes}"
        )
    if candidate.latency_ratio_low is not None and candidate.latency_ratio_low > settings.latency_ratio:
        broken.append(
            f"it takes {candidate.latency_ratio:.2f} times as long as the champion (at least "
            f"{candidate.latency_ratio_low:.2f}), above gate.latency_ratio, {settings.latency_ratio}"
        )
    return broken
