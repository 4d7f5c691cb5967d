from itertools import islice

import numpy as np
import pytest

from resnet.batches import steps_per_epoch, training_batches
from resnet.evaluation import EvaluationBatches
from resnet.recipe import Recipe
from resnet.targets import smoothed_targets

RECIPE = Recipe(batch_size=4, seed=7)
LABELS = np.arange(10) % 3


def taken(count, images, recipe=RECIPE, **where):
    return list(islice(training_batches(images, LABELS, 3, recipe, **where), count))


def same(left, right):
    return all(
        np.array_equal(a, b) for one, other in zip(left, right, strict=True) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("mixup", [0, 0.4])
def test_batches_are_a_function_of_the_seed_alone(noise, mixup):
    recipe, other = Recipe(batch_size=4, seed=7, mixup=mixup), Recipe(batch_size=4, seed=8, mixup=mixup)
    assert same(taken(6, noise(10), recipe), taken(6, noise(10), recipe))
    assert not same(taken(6, noise(10), recipe), taken(6, noise(10), other))


@pytest.mark.parametrize("mixup", [0, 0.4])
def test_starting_at_the_second_epoch_gives_the_second_epoch_of_a_run_from_the_first(noise, mixup):
    recipe = Recipe(batch_size=4, seed=7, mixup=mixup)
    steps = steps_per_epoch(10, recipe)
    from_the_first = taken(2 * steps, noise(10), recipe)
    assert same(taken(steps, noise(10), recipe, first_epoch=1), from_the_first[steps:])
    assert not same(from_the_first[:steps], from_the_first[steps:])


def test_every_image_is_seen_at_most_once_an_epoch_with_its_own_label():
    images = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 8, 8, 3))
    for epoch in range(3):
        batches = taken(2, images, first_epoch=epoch)
        seen = np.concatenate([batch[:, 0, 0, 0] for batch, _ in batches])
        assert len(set(seen)) == 8
        np.testing.assert_array_equal(np.concatenate([targets for _, targets in batches]).argmax(1), LABELS[seen])


@pytest.mark.parametrize(("images", "steps"), [(128, 1), (100, 1), (1, 1), (255, 1), (256, 2)])
def test_an_epoch_has_whole_batches_and_at_least_one(images, steps):
    assert steps_per_epoch(images, Recipe(batch_size=128)) == steps


def test_fewer_images_than_a_batch_make_one_smaller_batch(noise):
    batch, targets = taken(1, noise(10), Recipe(batch_size=64))[0]
    assert batch.shape == (10, 8, 8, 3)
    assert targets.shape == (10, 3)


def test_each_image_of_a_batch_is_cropped_and_flipped_by_its_own_draw(noise):
    images = np.repeat(noise(1), 10, axis=0)
    batch, _ = taken(1, images, Recipe(batch_size=10))[0]
    assert len(np.unique(batch.reshape(10, -1), axis=0)) > 5


def test_each_image_is_mirrored_in_every_other_epoch(noise):
    images = noise(10)
    shown = taken(4, images, Recipe(batch_size=10, crop_padding=0))
    sides = np.array([[(image == batch).all((1, 2, 3)).any() for image in images] for batch, _ in shown])
    assert 0 < sides[0].sum() < 10
    np.testing.assert_array_equal(sides, [sides[0], ~sides[0], sides[0], ~sides[0]])


def test_without_augmentation_the_images_are_only_shuffled(noise):
    images = noise(10)
    batch, _ = taken(1, images, Recipe(batch_size=10, crop_padding=0, horizontal_flip=False))[0]
    assert not np.array_equal(batch, images)
    np.testing.assert_array_equal(np.sort(batch.reshape(10, -1), 0), np.sort(images.reshape(10, -1), 0))


@pytest.mark.parametrize(
    ("recipe", "dtype"), [(RECIPE, np.uint8), (Recipe(batch_size=4, mixup=0.2), np.float32)], ids=["plain", "mixup"]
)
def test_a_memory_map_gives_the_batches_of_the_array(noise, tmp_path, recipe, dtype):
    np.save(tmp_path / "images.npy", noise(10))
    mapped = taken(4, np.load(tmp_path / "images.npy", mmap_mode="r"), recipe)
    assert same(mapped, taken(4, noise(10), recipe))
    assert mapped[0][0].dtype == dtype


def test_label_smoothing_gives_a_share_of_each_target_to_all_classes(noise):
    _, targets = taken(1, noise(10), Recipe(batch_size=10, label_smoothing=0.3))[0]
    np.testing.assert_allclose(np.sort(targets, 1), np.tile([0.1, 0.1, 0.8], (10, 1)), rtol=1e-6)


def test_mixed_targets_still_sum_to_one_and_hold_at_most_two_classes(noise):
    _, targets = taken(1, noise(10), Recipe(batch_size=10, mixup=1.0))[0]
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-6)
    assert ((targets > 0).sum(1) <= 2).all()
    assert ((targets > 0).sum(1) == 2).any()


def test_targets_are_one_hot_without_smoothing():
    np.testing.assert_array_equal(smoothed_targets(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


def test_evaluation_takes_every_image_once_in_order_and_as_it_is(noise):
    images = noise(10)
    batches = EvaluationBatches(images, LABELS, 3, 4)
    parts = [batches[index] for index in range(len(batches))]
    assert [len(batch) for batch, _ in parts] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([batch for batch, _ in parts]), images)
    np.testing.assert_array_equal(np.concatenate([targets for _, targets in parts]), np.eye(3)[LABELS])
