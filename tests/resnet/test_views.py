"""A model of two views is a network that is asked twice."""

import keras
import numpy as np
import pytest

import resnet
from resnet.pretrained import start_from_file

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
CLASSES = ["cat", "dog", "eel"]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return resnet.create("resnet20", input_shape=(16, 16, 3), classes=len(CLASSES), width=0.25)


def test_it_answers_with_the_mean_over_an_image_and_its_mirror_image(network, images):
    mirrored = images[:, :, ::-1]
    one, other = (network.predict(view, verbose=0) for view in (images, mirrored))
    assert np.abs(one - other).max() > 1e-3
    model = resnet.two_views(network)
    for view in (images, mirrored):
        np.testing.assert_allclose(model.predict(view, verbose=0), (one + other) / 2, atol=1e-6)


def test_its_file_is_loaded_by_us_and_by_stock_keras_and_is_always_the_same(network, images, tmp_path):
    expected = resnet.two_views(network).predict(images, verbose=0)
    files = [tmp_path / name for name in ("one.keras", "other.keras")]
    for file in files:
        resnet.save(resnet.two_views(network), file, CLASSES)
    assert files[0].read_bytes() == files[1].read_bytes()
    for load in (resnet.load, keras.saving.load_model):
        np.testing.assert_allclose(load(files[0]).predict(images, verbose=0), expected, atol=1e-6)
    assert resnet.class_names(files[0]) == CLASSES


def test_two_views_of_two_views_are_no_more_than_two(network):
    assert resnet.one_view(resnet.two_views(resnet.two_views(network))) is network


def test_a_feature_map_has_no_mean_with_its_mirror_image():
    body = resnet.create("resnet20", input_shape=(16, 16, 3), include_top=False, width=0.25)
    with pytest.raises(ValueError, match="expected a network that answers with a vector, got one of shape"):
        resnet.two_views(body)


def test_its_network_can_be_had_from_it_and_a_training_can_start_from_its_file(network, images, tmp_path):
    resnet.save(resnet.two_views(network), tmp_path / "model.keras", CLASSES)
    loaded = resnet.load(tmp_path / "model.keras")
    next_one = resnet.create("resnet20", input_shape=(16, 16, 3), classes=len(CLASSES), width=0.25)
    assert start_from_file(next_one, tmp_path / "model.keras", CLASSES)
    expected = network.predict(images, verbose=0)
    for model in (resnet.one_view(loaded), next_one, resnet.one_view(next_one)):
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)
