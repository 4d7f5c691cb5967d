import numpy as np
import pytest
from scipy.special import softmax

from stages.scores import calibration, calibration_error
from stages.temperature import fit_temperature, scale


@pytest.fixture
def answers():
    """Labels drawn from honest probabilities, and the same probabilities sharpened by a temperature."""

    def draw(temperature, images=4000, classes=5):
        generator = np.random.default_rng(0)
        logits = generator.normal(0, 1.5, (images, classes))
        honest = softmax(logits, axis=1)
        labels = (honest.cumsum(axis=1) < generator.random((images, 1))).sum(axis=1).clip(max=classes - 1)
        return softmax(logits * temperature, axis=1), labels

    return draw


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_sharpened_is_found_again(answers, temperature):
    probabilities, labels = answers(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.06)


def test_scaling_makes_an_overconfident_model_honest_and_changes_no_answer(answers):
    probabilities, labels = answers(3.0)
    scaled = scale(probabilities, fit_temperature(probabilities, labels))
    before, after = (calibration_error(calibration(table, labels, 15)) for table in (probabilities, scaled))
    assert before > 0.15
    assert after < 0.03
    assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_scaling_by_one_changes_nothing(answers):
    probabilities, _ = answers(1.0)
    np.testing.assert_allclose(scale(probabilities, 1.0), probabilities, atol=1e-12)


def test_probabilities_of_exactly_zero_stay_finite():
    scaled = scale(np.eye(3), 5.0)
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scaled.sum(axis=1), 1)


def test_of_a_split_without_mistakes_nothing_is_known():
    certain = np.eye(2)[np.arange(20) % 2]
    for probabilities in (certain, 0.4 + 0.2 * certain):
        assert fit_temperature(probabilities, np.arange(20) % 2) is None
        # Nor of one with mistakes alone, which no heat makes up for.
        assert fit_temperature(probabilities, 1 - np.arange(20) % 2) is None
