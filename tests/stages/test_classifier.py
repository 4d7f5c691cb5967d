"""A model that was really saved, opened for images that it fits and for images that it does not."""

import numpy as np
import pandas as pd
import pytest

from stages.classifier import open_model, predict
from stages.corruptions import CORRUPTIONS
from stages.gradients import compare_gradients
from stages.params import GradientParams
from stages.prepared import Labelled
from stages.robustness import robustness

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

CLASSES = ["cat", "dog", "eel"]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    import resnet

    file = tmp_path_factory.mktemp("model") / "model.keras"
    resnet.save(resnet.create("resnet20", input_shape=(8, 8, 3), classes=3), file, CLASSES)
    return file


@pytest.fixture
def split(scene):
    def make(count=10, side=8):
        images = [np.asarray(scene(seed, (side, side))) for seed in range(count)]
        return Labelled(np.stack(images), np.arange(count) % 3)

    return make


@pytest.mark.parametrize(
    ("side", "classes", "told"),
    [
        (16, CLASSES, "takes images of (8, 8, 3) and knows 3 classes, but the prepared ones have (16, 16, 3) and 3"),
        (8, ["cat", "dog"], "knows 3 classes, but the prepared ones have (8, 8, 3) and 2"),
        (8, ["cat", "eel", "fox"], "knows the class 'dog' where the prepared images have 'eel'"),
    ],
)
def test_a_model_of_other_images_or_classes_is_refused(model_file, split, refusal, side, classes, told):
    sentence = refusal(open_model, model_file, split(side=side).images, classes)
    assert told in sentence
    assert "run `dvc repro` so that both come from the same data" in sentence


def test_what_is_no_model_is_refused(here, split, refusal):
    assert "there is no model at none.keras" in refusal(
        open_model, here.relative_to(here) / "none.keras", split().images, CLASSES
    )
    (here / "text.keras").write_text("no model")
    assert "is no Keras model that can be loaded" in refusal(open_model, here / "text.keras", split().images, CLASSES)


def test_predictions_are_probabilities_in_the_order_of_the_images_whatever_the_batch(model_file, split):
    images = split().images
    model = open_model(model_file, images, CLASSES)
    by_three, at_once = (predict(model, images, size) for size in (3, 100))
    np.testing.assert_allclose(by_three, at_once, atol=1e-6)
    np.testing.assert_allclose(at_once.sum(axis=1), 1)
    assert predict(model, images[:0], 3).shape == (0, 3)


def test_robustness_measures_one_sample_whole_and_under_each_corruption(model_file, split):
    test = split()
    model = open_model(model_file, test.images, CLASSES)
    table = robustness(model, test, 6, 100, seed=0)
    assert list(table) == ["strength", *CORRUPTIONS]
    assert table["strength"].tolist() == list(range(6))
    assert table.loc[0, list(CORRUPTIONS)].nunique() == 1
    # Shares of six images.
    hits = 6 * table[[*CORRUPTIONS]].to_numpy()
    np.testing.assert_allclose(hits, hits.round())
    pd.testing.assert_frame_equal(table, robustness(model, test, 6, 100, seed=0))


def test_a_model_whose_answers_are_no_numbers_is_refused(split, refusal):
    import keras

    image = keras.Input((8, 8, 3))
    # Infinite minus infinite.
    large = keras.layers.Rescaling(1e38)(keras.layers.Rescaling(1e38)(image))
    answers = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(large))
    told = refusal(predict, keras.Model(image, answers), split().images, 4)
    assert "predicts NaN or infinity for 10 of 10 images" in told


def test_gradients_are_compared_layer_by_layer_and_follow_the_seed(model_file, split):
    train = split(8)
    model = open_model(model_file, train.images, CLASSES)
    settings = GradientParams(images=4, steps=1, learning_rate=0.05)
    one, again = (compare_gradients(model, train, settings, seed=0) for _ in range(2))
    pd.testing.assert_frame_equal(one, again)
    assert one["depth"].tolist() == list(range(1, 20))
    assert list(one) == ["depth", "layer", "initial", "trained", "plain_initial", "plain_trained"]
    assert (one[["initial", "trained", "plain_initial", "plain_trained"]] > 0).all(axis=None)
    assert not np.allclose(one["initial"], one["plain_initial"])


def test_a_network_without_shortcuts_has_empty_columns_in_place_of_a_twin(split):
    import resnet

    plain = resnet.create("plain20", input_shape=(8, 8, 3), classes=3)
    found = compare_gradients(plain, split(4), GradientParams(images=4, steps=1, learning_rate=0.05), seed=0)
    assert found[["plain_initial", "plain_trained"]].isna().all(axis=None)
    assert (found["initial"] > 0).all()
