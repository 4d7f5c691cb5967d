import numpy as np
import pytest

from resnet.shortcuts import SHORTCUTS


def projection():
    return "a projection"


def test_option_A_subsamples_and_fills_new_channels_with_zeros():
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype(np.float32)
    skipped = np.asarray(SHORTCUTS["A"](x, 10, 2, projection))
    assert skipped.shape == (2, 4, 4, 10)
    np.testing.assert_array_equal(skipped[..., :4], x[:, ::2, ::2])
    assert not skipped[..., 4:].any()


@pytest.mark.parametrize(("option", "projects"), [("A", False), ("B", False), ("C", True)])
def test_where_the_shape_stays_only_option_C_projects(option, projects):
    x = np.ones((1, 8, 8, 4), np.float32)
    skipped = SHORTCUTS[option](x, 4, 1, projection)
    assert skipped == "a projection" if projects else skipped is x


@pytest.mark.parametrize(("option", "projects"), [("A", False), ("B", True), ("C", True)])
def test_where_channels_are_added_options_B_and_C_project(option, projects):
    skipped = SHORTCUTS[option](np.ones((1, 8, 8, 4), np.float32), 8, 2, projection)
    assert isinstance(skipped, str) == projects


def test_a_stride_without_new_channels_is_subsampled_by_option_B():
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype(np.float32)
    np.testing.assert_array_equal(SHORTCUTS["B"](x, 4, 2, projection), x[:, ::2, ::2])
