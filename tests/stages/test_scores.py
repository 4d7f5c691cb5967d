import numpy as np
import pandas as pd
import pytest

from stages.scores import (
    calibration,
    calibration_error,
    per_class,
    scores,
    scores_of_resamples,
    top_k_accuracy,
)

# Four images of three classes: right with 0.8, wrong with 0.6, right with 0.5, right with 1.
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
LABELS = np.array([0, 0, 1, 2])
# 7 classes, the probabilities fall from the first to the last.
FALLING = np.tile(np.array([7, 6, 5, 4, 3, 2, 1]) / 28, (7, 1))


def test_scores_are_those_that_a_hand_computes():
    found = scores(PROBABILITIES, LABELS, bins=10)
    assert found == {
        "accuracy": 0.75,
        "loss": pytest.approx(-np.log([0.8, 0.3, 0.5, 1.0]).mean()),
        "top5_accuracy": 1.0,
        # F1 2/3 of the first class (recall 1/2), 2/3 of the second (precision 1/2), 1 of the third.
        "macro_f1": pytest.approx((2 / 3 + 2 / 3 + 1) / 3),
        # Each confidence is alone in its bin: 0.8 and 0.5 are right, 0.6 is wrong, 1.0 is right.
        "ece": pytest.approx((0.2 + 0.6 + 0.5 + 0.0) / 4),
        "chance": 0.5,
    }


def test_two_classes_are_enough():
    found = scores(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0]), bins=2)
    assert found["accuracy"] == 0.5
    assert found["top5_accuracy"] == 1.0
    assert found["loss"] == pytest.approx(-np.log([0.9, 0.4]).mean())
    # The first class has F1 2/3; the second was predicted once, wrongly.
    assert found["macro_f1"] == pytest.approx(1 / 3)
    assert found["ece"] == pytest.approx(abs(0.75 - 0.5))


def test_classes_that_are_not_tested_do_not_count():
    found = scores(PROBABILITIES[:1], LABELS[:1], bins=10)
    assert (found["accuracy"], found["macro_f1"], found["top5_accuracy"]) == (1.0, 1.0, 1.0)
    assert scores(FALLING[:2], np.array([0, 6]), bins=10)["top5_accuracy"] == 0.5


@pytest.mark.parametrize(("k", "share"), [(1, 1 / 7), (5, 5 / 7), (6, 6 / 7), (7, 1.0), (9, 1.0)])
def test_top_k_counts_the_k_most_probable_classes(k, share):
    assert top_k_accuracy(FALLING, np.arange(7), k) == pytest.approx(share)


def test_calibration_has_a_row_for_each_bin_that_has_images():
    # Bins of 0.25: [0.25, 0.5) [0.5, 0.75) [0.75, 1], and nothing below.
    confidences = [0.45, 0.5, 0.74, 0.75, 1.0]
    probabilities = np.array([[confidence, *[(1 - confidence) / 2] * 2] for confidence in confidences])
    table = calibration(probabilities, np.array([0, 1, 0, 0, 0]), bins=4)
    pd.testing.assert_frame_equal(
        table,
        pd.DataFrame({"confidence": [0.45, 0.62, 0.875], "accuracy": [1.0, 0.5, 1.0], "images": [1, 2, 2]}),
    )
    assert calibration_error(table) == pytest.approx((0.55 + 2 * 0.12 + 2 * 0.125) / 5)


@pytest.mark.parametrize("bins", [2, 10, 15, 100])
def test_a_model_that_is_certain_and_right_has_no_calibration_error(bins):
    certain = np.eye(5)
    assert calibration_error(calibration(certain, np.arange(5), bins)) == 0
    assert calibration_error(calibration(certain, (np.arange(5) + 1) % 5, bins)) == 1


def test_each_class_has_its_row_also_where_nothing_is_there_or_predicted():
    table = per_class(np.eye(4)[[0, 0, 1, 3]], np.array([0, 1, 1, 1]), ["cat", "dog", "eel", "fox"])
    pd.testing.assert_frame_equal(
        table,
        pd.DataFrame(
            {
                "class": ["cat", "dog", "eel", "fox"],
                "precision": [0.5, 1.0, 0.0, 0.0],
                "recall": [1.0, 1 / 3, 0.0, 0.0],
                "f1": [2 / 3, 0.5, 0.0, 0.0],
                "images": [1, 3, 0, 0],
            }
        ),
    )


def test_the_top_5_of_a_resample_breaks_ties_as_the_score_does():
    probabilities, labels = np.full((40, 20), 1 / 20), np.arange(40) % 20
    found = scores_of_resamples(probabilities, labels)(np.ones(40, int))
    assert found["top5_accuracy"] == scores(probabilities, labels, bins=10)["top5_accuracy"] == 0.25


@pytest.mark.parametrize("counts", [[1, 1, 1, 1, 1], [3, 0, 1, 1, 0], [0, 0, 0, 0, 5], [0, 2, 0, 3, 0]])
def test_the_scores_of_a_resample_are_those_of_the_images_so_repeated(counts):
    draw = np.random.default_rng(0)
    probabilities, labels = draw.dirichlet(np.ones(7), 5), np.array([0, 6, 3, 3, 1])
    repeated = np.repeat(np.arange(5), counts)
    expected = scores(probabilities[repeated], labels[repeated], bins=10)
    found = scores_of_resamples(probabilities, labels)(np.array(counts))
    assert found == {name: pytest.approx(expected[name]) for name in ("accuracy", "loss", "top5_accuracy", "macro_f1")}
