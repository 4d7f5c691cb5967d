import numpy as np

from stages.mislabelled import probably_mislabelled


def answers(truth, given, classes):
    """Probabilities of a model that knows the truth, and is sure of it where the label is another."""
    draw = np.random.default_rng(0)
    sure = np.where(truth == given, draw.uniform(0.7, 0.9, len(truth)), 0.9)[:, None]
    return sure * np.eye(classes)[truth] + (1 - sure) / classes


def test_swapped_labels_are_found_and_nothing_else():
    truth = np.repeat(np.arange(4), 50)
    given = truth.copy()
    given[[3, 70, 120]] = [1, 2, 0]
    assert np.flatnonzero(probably_mislabelled(answers(truth, given, 4), given)).tolist() == [3, 70, 120]


def test_a_class_without_test_images_does_no_harm():
    truth = np.repeat([0, 1, 3], 20)
    given = np.where(np.arange(60) == 5, 3, truth)
    assert np.flatnonzero(probably_mislabelled(answers(truth, given, 4), given)).tolist() == [5]


def test_where_all_images_are_of_one_class_nothing_can_be_said():
    for labels in (np.zeros(5, int), np.array([1])):
        assert not probably_mislabelled(answers(labels, labels, 2), labels).any()
