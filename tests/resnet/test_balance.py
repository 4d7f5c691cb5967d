import dataclasses
from itertools import islice

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import recall_score
from sklearn.utils.class_weight import compute_class_weight

import resnet
from resnet import balance
from resnet.batches import training_batches
from resnet.recipe import Recipe

LABELS = np.array([0] * 12 + [1] * 5 + [3] * 3)
WEIGHED = Recipe(batch_size=20, class_weights="balanced", crop_padding=0, horizontal_flip=False)


def first_batch(noise, recipe):
    return next(training_batches(noise(20), LABELS, 4, recipe))


def test_weights_are_those_of_scikit_learn_and_a_class_without_images_has_none():
    weights = balance.balanced_weights(LABELS, 4)
    np.testing.assert_allclose(
        weights[[0, 1, 3]], compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=LABELS), rtol=1e-6
    )
    assert weights[2] == 0
    assert weights[LABELS].mean() == pytest.approx(1)


def test_without_class_weights_a_batch_has_none(noise):
    assert len(first_batch(noise, dataclasses.replace(WEIGHED, class_weights="none"))) == 2


@pytest.mark.parametrize("smoothing", [0, 0.4])
def test_each_image_weighs_as_its_class_does_and_keeps_its_target(noise, smoothing):
    recipe = dataclasses.replace(WEIGHED, label_smoothing=smoothing)
    _, targets, weights = first_batch(noise, recipe)
    expected = balance.balanced_weights(LABELS, 4)
    np.testing.assert_allclose(weights, expected[targets.argmax(1)], rtol=1e-6)
    _, plain = first_batch(noise, dataclasses.replace(recipe, class_weights="none"))
    np.testing.assert_allclose(targets, plain, atol=1e-6)


def test_a_mixed_image_weighs_as_much_of_each_class_as_it_shows_of_it(noise):
    recipe = dataclasses.replace(WEIGHED, mixup=1.0, label_smoothing=0.1)
    _, targets, weights = first_batch(noise, recipe)
    _, mixed = first_batch(noise, dataclasses.replace(recipe, class_weights="none"))
    # Each class's share of the image, without what smoothing added.
    shares = (mixed - 0.1 / 4) / 0.9
    of_class = balance.balanced_weights(LABELS, 4)
    np.testing.assert_allclose(weights, shares @ of_class, rtol=1e-5)
    expected = 0.9 * shares * of_class + 0.1 / 4 * (shares @ of_class)[:, None]
    np.testing.assert_allclose(targets * weights[:, None], expected, atol=1e-5)
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-5)


def test_the_gradient_is_that_of_the_weighed_cross_entropy(tiny, noise):
    """By hand: the mean over images of the weight times (softmax - target), at the logits' bias."""
    model = tiny("plain20", classes=4)
    images, targets, weights = first_batch(noise, dataclasses.replace(WEIGHED, mixup=1.0))
    before = model.get_weights()[-1]
    probabilities = model(images, training=True).numpy()
    model.compile(keras.optimizers.SGD(1.0), "categorical_crossentropy")
    model.train_on_batch(images, targets, sample_weight=weights)
    by_hand = ((probabilities - targets) * weights[:, None]).mean(axis=0)
    np.testing.assert_allclose(before - model.get_weights()[-1], by_hand, atol=1e-5)


def test_balanced_sampling_shows_every_class_equally_often_and_all_of_a_class_before_any_again():
    for seed in range(5):
        order = balance.balanced_order(LABELS, np.random.default_rng(seed))
        assert len(order) == len(LABELS)
        seen = np.bincount(LABELS[order], minlength=4)
        assert sorted(seen) == [0, 6, 7, 7]
        times = np.bincount(order, minlength=20)
        for label in (0, 1, 3):
            assert np.ptp(times[label == LABELS]) <= 1


def test_what_is_left_over_goes_to_other_classes_in_other_epochs():
    orders = [balance.balanced_order(LABELS, np.random.default_rng([0, epoch])) for epoch in range(20)]
    assert {int(np.bincount(LABELS[order], minlength=4)[[0, 1, 3]].argmin()) for order in orders} == {0, 1, 2}


def test_an_image_that_is_shown_again_is_augmented_anew(noise):
    labels = np.array([0] * 19 + [1])
    images = noise(20)
    recipe = Recipe(batch_size=20, sampling="balanced", crop_padding=4)
    batch, targets = next(training_batches(images, labels, 2, recipe))
    shown = batch[targets[:, 1] == 1].reshape(10, -1)
    assert len(np.unique(shown, axis=0)) > 5


@pytest.mark.parametrize("changes", [{"sampling": "balanced"}, {"class_weights": "balanced", "mixup": 0.4}])
def test_balanced_batches_are_a_function_of_seed_and_epoch(noise, changes):
    recipe = Recipe(batch_size=5, seed=3, **changes)

    def taken(count, **where):
        return list(islice(training_batches(noise(20), LABELS, 4, recipe, **where), count))

    for again, first in ((taken(8), taken(8)), (taken(4, first_epoch=1), taken(8)[4:])):
        for one, other in zip(again, first, strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)


def test_making_up_for_rare_classes_twice_is_refused():
    with pytest.raises(ValueError, match="twice; set class_weights: none or sampling: shuffled"):
        Recipe(class_weights="balanced", sampling="balanced")


def test_both_ways_find_more_of_a_rare_class(tiny):
    """Ten images of the eight, fifty or so of every other digit."""
    digits = load_digits()
    images = np.repeat(np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None], 3, axis=-1)
    order = np.random.default_rng(0).permutation(len(images))
    test, train = order[:600], order[600:]
    rare = digits.target[train] == 8
    train = np.concatenate([train[~rare][:500], train[rare][:10]])

    def recalls(**changes):
        keras.utils.set_random_seed(1)
        model = tiny("resnet20", classes=10, filters=(8, 16, 32))
        recipe = Recipe(
            epochs=8,
            batch_size=32,
            learning_rate=0.05,
            warmup_epochs=1,
            crop_padding=1,
            horizontal_flip=False,
            **changes,
        )
        resnet.fit(model, images[train], digits.target[train], recipe)
        answers = model.predict(images[test], verbose=0).argmax(axis=1)
        found = recall_score(digits.target[test], answers, average=None)
        return found[8], found.mean()

    rare, overall = recalls()
    for changes in ({"class_weights": "balanced"}, {"sampling": "balanced"}):
        better_rare, better_overall = recalls(**changes)
        assert better_rare > rare + 0.2
        assert better_overall > overall
