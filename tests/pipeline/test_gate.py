"""The rule by which a candidate takes the champion's place."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from pipeline import gate
from stages.params import GateParams

SETTINGS = GateParams(
    confidence=0.95,
    margin=0.01,
    worst_class_recall=0.5,
    calibration_error=0.1,
    model_megabytes=10,
    latency_ratio=1.5,
    drift_warning=0.1,
)
SOUND = gate.Candidate("cat", 0.9, 0.05, 2.0)


def answers(both, only_candidate, only_champion, neither=0):
    """Two models' answers to as many images as are right for both, for one of them, for none."""
    counts = (both, only_candidate, only_champion, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def difference(*counts, confidence=0.95):
    return gate.compare(*answers(*counts), np.arange(sum(counts)), confidence, seed=0)


def test_the_difference_is_that_of_the_accuracies_and_lies_in_its_interval():
    found = difference(900, 60, 20, 20)
    assert (found.images, found.only_candidate, found.only_champion) == (1000, 60, 20)
    assert (found.accuracy, found.champion_accuracy) == (0.96, 0.92)
    assert found.mean == pytest.approx(0.04)
    assert found.low < found.mean < found.high


def test_the_interval_is_the_bootstraps_of_images_drawn_one_by_one():
    candidate, champion = answers(150, 20, 10, 20)
    found = gate.compare(candidate, champion, np.arange(len(candidate)), 0.95, seed=1)
    draw = np.random.default_rng(7).integers(0, 200, (10_000, 200))
    resampled = candidate[draw].mean(axis=1) - champion[draw].mean(axis=1)
    assert (found.low, found.high) == pytest.approx(np.quantile(resampled, [0.025, 0.975]), abs=0.006)


def test_mcnemars_p_is_the_exact_one():
    # Nine of ten discordant pairs on one side: 2 (1 + 10) / 1024.
    assert difference(50, 9, 1).mcnemar_p == pytest.approx(22 / 1024)
    assert difference(50, 1, 9).mcnemar_p == pytest.approx(22 / 1024)
    assert difference(50, 5, 5).mcnemar_p == 1.0


def test_more_confidence_is_a_wider_interval():
    narrow, wide = (difference(900, 50, 50, confidence=confidence) for confidence in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_interval_depends_on_nothing_but_answers_and_seed():
    candidate, champion = answers(80, 10, 5, 5)
    order = np.random.default_rng(3).permutation(100)
    once = gate.compare(candidate, champion, np.arange(100), 0.95, seed=0)
    assert gate.compare(candidate[order], champion[order], np.arange(100), 0.95, seed=0) == once


def test_models_that_answer_alike_differ_by_nothing():
    found = difference(90, 0, 0, 10)
    assert (found.mean, found.low, found.high, found.mcnemar_p) == (0, 0, 0, 1)


@pytest.mark.parametrize(("candidate", "champion"), [(True, True), (False, False), (True, False), (False, True)])
def test_one_image_is_compared_too(candidate, champion):
    found = gate.compare(np.array([candidate]), np.array([champion]), np.arange(1), 0.95, seed=0)
    assert found.images == 1
    assert found.low == found.high == found.mean == candidate - champion
    assert found.mcnemar_p == 1


@pytest.mark.parametrize(
    ("counts", "outcome", "reason"),
    [
        ((9_000, 500, 100, 400), "promoted", "not worse by more than the margin, 1 points, and every limit holds"),
        ((9_990, 0, 0, 10), "promoted", "not worse by more than the margin, 1 points, and every limit holds"),
        # Worse, but by less than the margin.
        ((99_000, 100, 300, 600), "promoted", "not worse by more than the margin, 1 points, and every limit holds"),
        ((9_000, 100, 500, 400), "rejected", "worse by more than the margin, 1 points"),
        ((90, 4, 4, 2), "undecided", "more test images would decide"),
        ((9_000, 300, 400, 300), "undecided", "more test images would decide"),
    ],
)
def test_the_interval_decides(counts, outcome, reason):
    verdict = gate.decide(SOUND, difference(*counts), SETTINGS)
    assert verdict.outcome == outcome
    assert reason in verdict.reasons[-1]
    assert f"on {sum(counts):,} images" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"worst_class_recall": 0.49}, "the recall of class cat is 49.00%, below gate.worst_class_recall, 50.00%"),
        ({"calibration_error": 0.11}, r"\(ece\) is 0.1100, above gate.calibration_error, 0.1"),
        ({"megabytes": 10.1}, "has 10.1 MB, above gate.model_megabytes, 10"),
        ({"latency_ratio": 1.7, "latency_ratio_low": 1.51}, r"1.70 times .* \(at least 1.51\), above"),
    ],
)
def test_a_limit_that_does_not_hold_rejects_whatever_the_accuracy(broken, reason):
    candidate = dataclasses.replace(SOUND, **broken)
    for found in (difference(50, 50, 0), None):
        verdict = gate.decide(candidate, found, SETTINGS)
        assert verdict.outcome == "rejected"
        given, *accuracy = verdict.reasons
        assert re.search(reason, given)
        # How it compares is told all the same.
        assert len(accuracy) == (found is not None)
        assert all("a difference of +50.00 points" in sentence for sentence in accuracy)


def test_every_limit_that_does_not_hold_is_told():
    bad = gate.Candidate("dog", 0.0, 1.0, 99.0, 3.0, 2.9)
    assert len(gate.decide(bad, None, SETTINGS).reasons) == 4


def test_at_the_limit_is_not_beyond_it():
    at_the_limits = gate.Candidate("cat", 0.5, 0.1, 10.0, 1.6, 1.5)
    assert gate.decide(at_the_limits, None, SETTINGS).outcome == "promoted"


def test_a_time_that_may_be_within_the_limit_does_not_reject():
    slow_perhaps = dataclasses.replace(SOUND, latency_ratio=1.7, latency_ratio_low=1.4)
    assert gate.decide(slow_perhaps, difference(9_990, 0, 0), SETTINGS).outcome == "promoted"


def test_without_a_champion_the_limits_decide():
    verdict = gate.decide(SOUND, None, SETTINGS)
    assert (verdict.outcome, verdict.reasons) == ("promoted", ["there is no champion yet, and every limit holds"])


def test_the_worst_class_is_that_of_which_least_is_recognised():
    predictions = pd.DataFrame({"label": ["a", "a", "b", "b", "c"], "correct": [True, False, False, False, True]})
    assert gate.worst_class(predictions) == ("b", 0.0)


def test_a_class_without_test_images_is_not_the_worst():
    labels = pd.Categorical(["a", "a"], categories=["a", "absent"])
    assert gate.worst_class(pd.DataFrame({"label": labels, "correct": [True, False]})) == ("a", 0.5)


def test_a_proven_loss_within_the_margin_is_called_one():
    worse = gate.decide(SOUND, difference(99_000, 100, 300, 600), SETTINGS)
    assert worse.reasons[-1].endswith("every limit holds; worse all the same, and such losses add up")
    for unproven in (difference(9_990, 5, 5), difference(996, 0, 4)):
        assert gate.decide(SOUND, unproven, SETTINGS).reasons[-1].endswith("every limit holds")


@pytest.mark.parametrize(("counts", "told"), [((300, 0, 0), 0), ((300, 3, 6), 9), ((300, 5, 5), None)])
def test_an_interval_from_few_images_that_tell_the_two_apart_is_called_too_narrow(counts, told):
    (sentence, *_) = gate.decide(SOUND, difference(*counts), SETTINGS).reasons
    expected = f"; only {told} of {sum(counts)} images tell the two apart: it is too narrow"
    assert (expected in sentence) == ("too narrow" in sentence) == (told is not None)


def test_images_of_a_group_are_drawn_together():
    candidate, champion = answers(80, 10, 5, 5)
    alone = gate.compare(candidate, champion, np.arange(100), 0.95, seed=0)
    # Each image is there ten times: as much is known as before.
    repeated = gate.compare(candidate.repeat(10), champion.repeat(10), np.arange(100).repeat(10), 0.95, seed=0)
    assert (repeated.low, repeated.high) == pytest.approx((alone.low, alone.high))
    assert (repeated.images, repeated.clusters, repeated.telling_clusters) == (1000, 100, 15)
    # Of a single group nothing is known, though its interval has no width.
    one = gate.decide(SOUND, gate.compare(candidate, champion, np.zeros(100, int), 0.95, seed=0), SETTINGS)
    assert "only 1 of 1 groups of images, which McNemar's p leaves out, tell the two apart" in one.reasons[0]
    assert one.outcome == "undecided"
    assert one.reasons[-1] == "all of them are of one group, so that nothing is known of others"


@pytest.mark.parametrize("groups", [2, 9, 30])
def test_a_loss_in_few_groups_is_not_called_proven(groups):
    candidate, champion = answers(2_970, 0, 30)
    cluster = np.concatenate([np.arange(30, 3_000) - 30 + groups, np.arange(30) % groups])
    found = gate.compare(candidate, champion, cluster, 0.6, seed=0)
    assert (found.high < 0, found.mcnemar_p < 0.01) == (True, True)
    verdict = gate.decide(SOUND, found, SETTINGS.model_copy(update={"margin": 0.1, "confidence": 0.6}))
    assert verdict.outcome == "promoted"
    assert ("worse all the same" in verdict.reasons[-1]) == (groups == 30)


def test_models_that_answer_alike_are_equal_whatever_the_margin():
    verdict = gate.decide(SOUND, difference(290, 0, 0, 10), SETTINGS.model_copy(update={"margin": 0.0}))
    assert verdict.outcome == "promoted"


def test_reasons_and_numbers_are_added_to_a_verdict_and_the_first_stays_as_it_was():
    first = gate.Verdict("promoted", ["good"])
    second = first.because("drift").with_numbers(a=1).with_numbers(b=2)
    assert (second.reasons, second.numbers) == (["good", "drift"], {"a": 1, "b": 2})
    assert (first.reasons, first.numbers) == (["good"], {})
