import json
import resource
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import resnet
from resnet.sgd import SGD
from resnet.training_form import portable_weights, set_portable_weights

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

STOCK_KERAS = """
import gc, sys
gc.disable()
import keras, numpy
for path in sys.argv[1:]:
    model = keras.saving.load_model(path)
    images = numpy.load("images.npy")
    numpy.save(path + ".npy", model(images))
assert not [name for name in sys.modules if name.startswith("resnet")]
"""


def test_a_saved_model_loads_where_there_is_only_stock_keras_with_the_same_answers(tiny, randomised, noise, tmp_path):
    models = {name: randomised(tiny(name)) for name in ("resnet20", "resnet18", "resnet50", "resnet50v2", "plain20")}
    fast = resnet.create_for_training("resnet20", input_shape=(8, 8, 3), classes=2, precision="mixed_bfloat16")
    models["trained"] = randomised(fast)
    fast.compile(SGD(), "categorical_crossentropy")
    np.save(tmp_path / "images.npy", noise(3))
    for name, model in models.items():
        resnet.save(model, tmp_path / f"{name}.keras", ["a", "b"])
    paths = [f"{name}.keras" for name in models]
    subprocess.run([sys.executable, "-I", "-c", STOCK_KERAS, *paths], cwd=tmp_path, check=True)
    for name, model in models.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.keras.npy"), resnet.portable(model)(noise(3)))


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "resnet50", "resnet50v2", "plain20"])
def test_the_same_weights_make_the_same_bytes_whenever_they_are_saved_and_in_whatever_model(tiny, tmp_path, name):
    model, other = tiny(name), tiny(name)
    for number, path in enumerate(("once", "twice", "other", "different")):
        if number == 2:
            other.set_weights(model.get_weights())
        if number == 3:
            other.weights[0].assign_add(np.ones(other.weights[0].shape))
        resnet.save(model if number < 2 else other, tmp_path / f"{path}.keras", ["a", "b"])
    once, twice, same, different = (
        (tmp_path / f"{path}.keras").read_bytes() for path in ("once", "twice", "other", "different")
    )
    assert once == twice
    assert once == same
    assert once != different


def test_a_saved_file_holds_no_date_and_no_memory_address(tiny, tmp_path):
    resnet.save(tiny("resnet20"), tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert set(json.loads(archive.read("metadata.json"))) == {"keras_version"}
        config = json.loads(archive.read("config.json"))
    ids = []

    def walk(node):
        if isinstance(node, dict):
            ids.extend([node["shared_object_id"]] if "shared_object_id" in node else [])
            node = list(node.values())
        for part in node if isinstance(node, list) else []:
            walk(part)

    walk(config)
    assert all(number < 1000 for number in ids)


def test_class_names_travel_with_the_model(tiny, tmp_path):
    resnet.save(tiny("resnet20"), tmp_path / "named.keras", ["cat", "Hündin"])
    resnet.save(tiny("resnet20"), tmp_path / "nameless.keras")
    assert resnet.class_names(tmp_path / "named.keras") == ["cat", "Hündin"]
    assert resnet.class_names(str(tmp_path / "nameless.keras")) is None


def test_a_save_replaces_the_former_file(tiny, tmp_path):
    resnet.save(tiny("resnet20"), tmp_path / "model.keras", ["a", "b"])
    resnet.save(tiny("resnet20"), tmp_path / "model.keras", ["c", "d"])
    assert resnet.class_names(tmp_path / "model.keras") == ["c", "d"]
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_failed_save_leaves_the_former_file_and_nothing_else(tiny, tmp_path):
    path = tmp_path / "model.keras"
    resnet.save(tiny("resnet20"), path, ["a", "b"])
    former = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(former) // 2, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            resnet.save(tiny("resnet20"), path, ["c", "d"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == former
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("views", [1, 2])
def test_a_model_that_was_loaded_can_be_trained_further_and_saved(tiny, noise, tmp_path, views):
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"
    made = tiny("resnet20")
    resnet.save(resnet.two_views(made) if views == 2 else made, first, ["a", "b"])
    loaded = resnet.load(first)
    resnet.save(loaded, second, ["a", "b"])
    np.testing.assert_array_equal(resnet.load(second)(noise(2)), resnet.load(first)(noise(2)))
    network = resnet.one_view(loaded)
    resnet.fit(network, noise(8), np.arange(8) % 2, resnet.Recipe(epochs=1, batch_size=4, crop_padding=0))
    resnet.save(resnet.two_views(network) if views == 2 else network, second, ["a", "b"])
    again = keras.saving.load_model(second)
    np.testing.assert_array_equal(again(noise(2)), loaded(noise(2)))
    assert not np.array_equal(again(noise(2)), resnet.load(first)(noise(2)))
    assert not again.compiled
    # The whole of it too, of which a part has been compiled.
    resnet.save(loaded, second)
    assert b"SGD" not in second.read_bytes()


def test_of_a_network_with_loops_it_is_said_how_to_save_it(tmp_path):
    model = resnet.create_for_training("resnet110", input_shape=(8, 8, 3), classes=2)
    with pytest.raises(NotImplementedError, match=r"to save it: resnet.save\(model, path\), or resnet.portable"):
        model.save(tmp_path / "model.keras")


def test_a_foreign_model_is_refused_and_the_former_file_stays(tiny, tmp_path):
    path = tmp_path / "model.keras"
    resnet.save(tiny("resnet20"), path, ["a", "b"])
    foreign = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="foreign")
    with pytest.raises(ValueError, match=r"expected a model made by .* got 'foreign'"):
        resnet.save(foreign, path)
    assert resnet.class_names(path) == ["a", "b"]


@pytest.mark.usefixtures("collector_off")
def test_the_deepest_network_saves_and_loads_at_pythons_own_recursion_limit(noise, tmp_path):
    assert sys.getrecursionlimit() == 1000
    # As loops it is there in seconds; what is saved are a thousand stock layers.
    model = resnet.create_for_training("resnet1202", input_shape=(8, 8, 3), classes=2)
    # Untrained averages let a thousand residuals grow beyond float32; small ones do not.
    set_portable_weights(model, [0.1 * weight if weight.ndim == 4 else weight for weight in portable_weights(model)])
    resnet.save(model, tmp_path / "deep.keras")
    loaded = keras.saving.load_model(tmp_path / "deep.keras")
    answers = np.asarray(loaded(noise(2)))
    assert np.isfinite(answers).all()
    assert not np.array_equal(answers[0], answers[1])
    np.testing.assert_allclose(answers, model(noise(2)), atol=1e-6)
    assert sys.getrecursionlimit() == 1000


def test_as_many_names_as_classes_are_stored_all_of_them_text_and_in_a_keras_file_alone(tiny, tmp_path):
    with pytest.raises(ValueError, match="there are 1 names of classes; expected 2"):
        resnet.save(tiny("plain20"), tmp_path / "model.keras", ["cat"])
    with pytest.raises(ValueError, match=r"a class is called 1, which is no text; call it '1'"):
        resnet.save(tiny("plain20"), tmp_path / "model.keras", ["0", 1])
    with pytest.raises(ValueError, match=r"expected one that ends in \.keras"):
        resnet.save(tiny("plain20"), tmp_path / "model.h5", ["cat", "dog"])
    assert not list(tmp_path.iterdir())
