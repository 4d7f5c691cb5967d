import hashlib
import inspect

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

import resnet
from resnet import pretrained
from resnet.errors import BadInput

OURS = "resnet50v2"
# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture
def former(tiny, randomised, tmp_path):
    """A file of a network that was trained before."""
    model = randomised(tiny("resnet20"))
    resnet.save(model, tmp_path / "former.keras", ["cat", "dog"])
    return tmp_path / "former.keras", model.get_weights()


def test_a_network_of_the_same_classes_starts_as_the_former_one_ended(former, tiny, noise):
    path, weights = former
    model = tiny("resnet20")
    assert pretrained.start_from_file(model, path, ["cat", "dog"])
    for own, given in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(own, given)


@pytest.mark.parametrize("classes", [["dog", "cat"], ["cat", "eel"], ["cat", "dog", "eel"]])
def test_the_head_starts_anew_where_the_classes_are_others_or_in_another_order(former, tiny, classes):
    path, weights = former
    model = tiny("resnet20", classes=len(classes))
    head = model.get_weights()[-2:]
    assert not pretrained.start_from_file(model, path, classes)
    for own, given in zip(model.get_weights(), [*weights[:-2], *head], strict=True):
        np.testing.assert_array_equal(own, given)


def test_the_form_that_trains_takes_the_weights_of_the_form_that_is_saved(randomised, noise, tmp_path):
    stock = randomised(resnet.create("resnet20", input_shape=(8, 8, 3), classes=2))
    resnet.save(stock, tmp_path / "former.keras", ["cat", "dog"])
    fast = resnet.create_for_training("resnet20", input_shape=(16, 16, 3), classes=2, precision="mixed_bfloat16")
    pretrained.start_from_file(fast, tmp_path / "former.keras", ["cat", "dog"])
    for own, given in zip(fast.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_array_equal(own, given)


def test_weights_of_another_network_shortcut_or_width_are_refused(former, tiny):
    path, _ = former
    for model, sentence in (
        (tiny("resnet32"), "former.keras holds resnet20; expected resnet32"),
        (tiny("resnet20", shortcut="C"), r"do not fit this resnet20: .* shortcut, stem and width must be those"),
        (tiny("resnet20", filters=(8, 8, 12)), r"do not fit this resnet20: \(3, 3, 3, 4\) where \(3, 3, 3, 8\)"),
    ):
        before = model.get_weights()
        with pytest.raises(BadInput, match=sentence):
            pretrained.start_from_file(model, path, ["cat", "dog"])
        for own, given in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(own, given)


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory):
    """Files of random weights where Keras looks for those of ResNet50V2 that it once downloaded, under their hashes."""
    home = tmp_path_factory.mktemp("keras")
    (home / "models").mkdir()
    whole = keras.applications.ResNet50V2(weights=None)
    draw = np.random.default_rng(0)
    whole.set_weights([draw.uniform(0.01, 0.03, weight.shape).astype(np.float32) for weight in whole.get_weights()])
    body = keras.Model(whole.input, whole.get_layer("post_relu").output)
    hashes = []
    for model, end in ((whole, ""), (body, "_notop")):
        file = home / "models" / f"{OURS}_weights_tf_dim_ordering_tf_kernels{end}.h5"
        with h5py.File(file, "w") as written:
            legacy_h5_format.save_weights_to_hdf5_group(written, model)
        hashes.append(hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(keras.src.applications.resnet.WEIGHTS_HASHES, OURS, tuple(hashes))
        patch.setattr(keras.src.utils.file_utils.config, "keras_home", lambda: str(home))
        yield whole.get_weights()


def test_the_weights_that_keras_has_downloaded_are_taken_and_the_head_is_new(downloaded):
    model = resnet.create(OURS, input_shape=(64, 64, 3), classes=3)
    head = model.get_weights()[-2:]
    pretrained.start_from_imagenet(model)
    for own, given in zip(model.get_weights(), [*downloaded[:-2], *head], strict=True):
        np.testing.assert_array_equal(own, given)
    small = resnet.create(OURS, input_shape=(32, 32, 3), classes=3)
    with pytest.raises(BadInput, match="ImageNet's weights need the large one"):
        pretrained.start_from_imagenet(small)


@pytest.mark.parametrize(
    ("arguments", "new"),
    [
        pytest.param({}, 0, id="of 1,000 classes"),
        pytest.param({"input_shape": (64, 64, 3), "classes": 6}, 2, id="with a head of its own"),
        pytest.param({"include_top": False, "pooling": "avg"}, 0, id="without top"),
    ],
)
def test_a_network_takes_imagenets_weights_as_those_of_keras_do(downloaded, arguments, new):
    weights = resnet.ResNet50V2(weights="imagenet", **arguments).get_weights()
    given = downloaded if not arguments else downloaded[:-2]
    assert len(weights) == len(given) + new
    for own, theirs in zip(weights, given, strict=False):
        np.testing.assert_array_equal(own, theirs)


def test_other_weights_than_imagenets_are_no_argument():
    with pytest.raises(ValueError, match=r"weights is 'cifar'; expected None or 'imagenet'; .*: resnet.load"):
        resnet.ResNet50V2(weights="cifar")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"input_tensor": keras.Input((64, 64, 3))},
            r"input_tensor is not taken; call .*: resnet.ResNet50V2\(...\)\(tens",
        ),
        ({"name": "backbone"}, "name is 'backbone'; expected 'resnet50v2', by which its file is known again"),
    ],
    ids=["tensor", "name"],
)
def test_what_an_application_of_keras_takes_and_ours_does_not_is_told(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        resnet.ResNet50V2(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [(False, None), (False, None, None, (64, 64, 3), "max"), (True, None, None, (64, 64, 3), None, 1, "sigmoid")],
    ids=["without top, of any size", "pooled", "one class"],
)
def test_the_arguments_of_an_application_are_keras_own_in_their_order(arguments):
    ours, theirs = resnet.ResNet50V2, keras.applications.ResNet50V2
    assert list(inspect.signature(ours).parameters)[:8] == list(inspect.signature(theirs).parameters)
    assert ours.__name__ == theirs.__name__
    assert ours(*arguments).output_shape == theirs(*arguments).output_shape


def test_a_network_that_keras_has_no_weights_of_is_refused(tiny):
    with pytest.raises(BadInput, match=r"keras.applications has no resnet20; it has resnet50, .*resnet152v2"):
        pretrained.start_from_imagenet(tiny("resnet20"))


def test_without_network_the_sentence_says_which_file_to_put_where(tiny, tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.src.utils.file_utils.config, "keras_home", lambda: str(tmp_path))
    with pytest.raises(BadInput) as refused:
        pretrained.start_from_imagenet(tiny("resnet50"))
    sentence = str(refused.value)
    assert sentence.startswith("the ImageNet weights of resnet50 cannot be loaded (URL fetch failure on https://")
    assert "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5" in sentence
    assert f"save that file in {tmp_path / 'models'}, or start from a .keras file" in sentence
