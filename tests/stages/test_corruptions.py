import numpy as np
import pytest

from stages.corruptions import CORRUPTIONS


@pytest.fixture
def pictures(scene):
    return lambda side: np.stack([np.asarray(scene(seed, (side, side))) for seed in range(3)])


def corrupted(name, images, strength, seed=0):
    corrupt, strengths = CORRUPTIONS[name]
    return corrupt(images, strengths[strength - 1], np.random.default_rng(seed))


def distance(one, other):
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("side", [8, 32, 65])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_gives_images_of_the_same_kind_and_grows_with_its_strength(pictures, name, side):
    images = pictures(side)
    former = images.copy()
    results = [corrupted(name, images, strength) for strength in range(1, 6)]
    assert all(result.shape == images.shape and result.dtype == np.uint8 for result in results)
    # The weakest blur is too weak for the smallest pictures.
    assert distance(images, results[0]) > 0 or (name, side) == ("blur", 8)
    assert distance(images, results[4]) > distance(images, results[0])
    np.testing.assert_array_equal(images, former)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_a_pure_function_of_images_strength_and_seed(pictures, name):
    images = pictures(16)
    np.testing.assert_array_equal(corrupted(name, images, 3, seed=1), corrupted(name, images, 3, seed=1))


@pytest.mark.parametrize("name", ["noise", "shift"])
def test_chance_follows_the_seed(pictures, name):
    images = pictures(32)
    assert distance(corrupted(name, images, 3, seed=1), corrupted(name, images, 3, seed=5)) > 0


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_befalls_an_image_does_not_depend_on_how_many_come_at_once(pictures, name):
    corrupt, strengths = CORRUPTIONS[name]
    images, draw = pictures(32), np.random.default_rng(0)
    one_by_one = np.concatenate([corrupt(images[number : number + 1], strengths[2], draw) for number in range(3)])
    np.testing.assert_array_equal(one_by_one, corrupted(name, images, 3))


def test_noise_has_the_deviation_that_it_is_told():
    grey = np.full((4, 64, 64, 3), 128, np.uint8)
    assert corrupted("noise", grey, 2).std() == pytest.approx(0.08 * 255, rel=0.03)


def test_contrast_keeps_the_mean_and_a_share_of_the_deviation(pictures):
    images = pictures(32)
    faint = corrupted("contrast", images, 2)
    assert faint.mean() == pytest.approx(images.mean(), abs=0.5)
    np.testing.assert_allclose(faint.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3)), 0.5, rtol=0.02)


def test_a_shift_moves_each_image_along_both_axes_and_smears_its_border():
    images = np.zeros((8, 20, 20, 3), np.uint8)
    images[:, 10, 10] = 255
    images[:, 0], images[:, -1] = 7, 7
    moved = corrupted("shift", images, 5)
    places = {tuple(np.argwhere(image[..., 0] == 255)[0]) for image in moved}
    assert places <= {(6, 6), (6, 14), (14, 6), (14, 14)}
    assert len(places) > 1
    assert all((image[:5] == 7).all() or (image[-5:] == 7).all() for image in moved)


def test_a_blur_is_the_same_share_of_a_small_and_of_a_large_picture():
    small, large = np.zeros((1, 20, 20, 3), np.uint8), np.zeros((1, 80, 80, 3), np.uint8)
    small[:, :, 10:], large[:, :, 40:] = 200, 200
    soft, softer = (corrupted("blur", images, 5)[0, 0, :, 0] for images in (small, large))
    blurred = [np.mean((row > 10) & (row < 190)) for row in (soft, softer)]
    assert blurred[0] == pytest.approx(blurred[1], abs=0.06)
