import numpy as np
import pytest

from resnet import augmentation


@pytest.mark.parametrize("padding", [1, 4])
def test_each_crop_is_the_window_of_the_mirrored_image_at_its_own_offset(noise, padding):
    images = noise(12)
    offsets = np.random.default_rng(1).integers(0, 2 * padding + 1, (12, 2))
    cropped = augmentation.pad_and_crop(images, offsets, padding)
    for image, crop, (row, column) in zip(images, cropped, offsets, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), mode="reflect")
        np.testing.assert_array_equal(crop, padded[row : row + 8, column : column + 8])


def test_a_crop_at_the_padding_is_the_image_itself(noise):
    images = noise(3)
    np.testing.assert_array_equal(augmentation.pad_and_crop(images, np.full((3, 2), 4), 4), images)


def test_only_the_chosen_images_are_mirrored_and_only_left_to_right(noise):
    images = noise(2)
    flipped = augmentation.flip(images, np.array([True, False]))
    np.testing.assert_array_equal(flipped[0], np.fliplr(images[0]))
    np.testing.assert_array_equal(flipped[1], images[1])
    assert flipped.dtype == np.uint8


def test_mixup_blends_an_image_and_its_target_by_the_same_share():
    values = np.array([0, 40, 80, 200], np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (4, 8, 8, 3))
    shares = np.array([1, 0.75, 0.5, 0.1], np.float32)
    blended, targets = augmentation.mixup(images, np.eye(4, dtype=np.float32), shares)
    np.testing.assert_allclose(blended[:, 0, 0, 0], [0, 50, 60, 20], rtol=1e-6)
    np.testing.assert_allclose(
        targets, [[1, 0, 0, 0], [0, 0.75, 0.25, 0], [0, 0.5, 0.5, 0], [0.9, 0, 0, 0.1]], rtol=1e-6
    )
    assert blended.dtype == targets.dtype == np.float32
