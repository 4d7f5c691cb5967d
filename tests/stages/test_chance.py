import numpy as np
import pytest

from stages.chance import chance, learned_nothing


@pytest.mark.parametrize(("accuracy", "nothing"), [(0.3, True), (0.54, True), (0.56, False), (1.0, False)])
def test_an_accuracy_next_to_chance_is_that_of_a_network_that_learned_nothing(accuracy, nothing):
    assert learned_nothing(accuracy, chance(np.array([0, 0, 1, 2]))) == nothing


def test_of_a_single_class_there_is_nothing_to_learn():
    assert not learned_nothing(1.0, chance(np.array([2, 2])))
