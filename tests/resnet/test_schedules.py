import keras
import pytest

from resnet import schedules
from resnet.recipe import Recipe
from resnet.training import learning_rate


@pytest.mark.parametrize(("step", "rate"), [(0, 0.4), (25, 0.34142), (50, 0.2), (75, 0.05858), (100, 0)])
def test_cosine_falls_from_the_peak_to_zero_along_half_a_cosine(step, rate):
    assert float(schedules.cosine(0.4, 100)(step)) == pytest.approx(rate, abs=1e-4)


@pytest.mark.parametrize(("step", "rate"), [(0, 0.1), (49, 0.1), (50, 0.01), (74, 0.01), (75, 0.001), (99, 0.001)])
def test_step_divides_by_ten_at_each_milestone(step, rate):
    assert float(schedules.step(0.1, 100, (0.5, 0.75))(step)) == pytest.approx(rate)


def test_step_without_milestones_holds_the_rate():
    schedule = schedules.step(0.1, 100, ())
    assert [float(schedule(step)) for step in (0, 50, 100)] == pytest.approx([0.1] * 3)


@pytest.mark.parametrize(("step", "rate"), [(0, 0.02), (1, 0.04), (3, 0.08), (4, 0.1), (5, 0.1), (20, 0.1)])
def test_warm_up_rises_linearly_to_the_rate_of_the_schedule_it_wraps(step, rate):
    assert float(schedules.WarmUp(schedules.step(0.1, 100, (0.5,)), 5)(step)) == pytest.approx(rate)


def test_no_warm_up_starts_at_the_peak():
    assert float(schedules.WarmUp(schedules.step(0.1, 100, (0.5,)), 0)(0)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("recipe", "rates"),
    {
        Recipe(epochs=10, learning_rate=0.2, schedule="cosine"): {0: 0.2, 50: 0.1, 100: 0},
        Recipe(epochs=10, learning_rate=0.2, schedule="step"): {0: 0.2, 60: 0.02, 90: 0.002},
        Recipe(epochs=10, learning_rate=0.2, schedule="step", warmup_epochs=2): {0: 0.01, 9: 0.1, 19: 0.2, 60: 0.02},
        Recipe(epochs=10, learning_rate=0.2, schedule="step", milestones=(0.1,)): {5: 0.2, 15: 0.02, 99: 0.02},
    }.items(),
    ids=["cosine", "step", "warm-up", "milestones"],
)
def test_a_recipe_counts_its_schedule_in_steps(recipe, rates):
    schedule = learning_rate(recipe, steps=10)
    assert {step: float(schedule(step)) for step in rates} == pytest.approx(rates, abs=1e-6)


def test_a_warm_up_survives_being_stored_with_a_model():
    schedule = schedules.WarmUp(schedules.cosine(0.1, 100), 10)
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert float(restored(4)) == pytest.approx(float(schedule(4)))
