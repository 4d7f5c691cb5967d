"""`.keras` files that somebody forged, each made of a good one."""

import base64
import io
import json
import re
import zipfile
from contextlib import contextmanager
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import resnet
from resnet.errors import BadInput

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

IMAGE = (None, 8, 8, 3)


@pytest.fixture(scope="module")
def parts(tmp_path_factory, tiny):
    """What a good file consists of."""
    file = tmp_path_factory.mktemp("good") / "good.keras"
    resnet.save(tiny("plain20"), file, ["cat", "dog"])
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def forged(tmp_path, parts):
    """Write a file of the good one's parts but for some, or without those that are None."""

    def write(compression=zipfile.ZIP_STORED, **changes):
        changed = {name.replace("__", "/"): content for name, content in changes.items()}
        with zipfile.ZipFile(tmp_path / "forged.keras", "w", compression) as archive:
            for name, content in (parts | changed).items():
                if content is not None:
                    archive.writestr(name, content)
        return tmp_path / "forged.keras"

    return write


def stock(class_name, module="keras.layers", **config):
    return {"module": module, "class_name": class_name, "config": {"name": "it", **config}, "registered_name": None}


@pytest.fixture
def single(forged):
    """Write a file of a model with a single layer, which has the good one's weights."""

    def write(class_name, module="keras.layers", **config):
        layers = [stock("InputLayer", name="image", batch_shape=IMAGE), stock(class_name, module, **config)]
        model = stock("Sequential", "keras", layers=layers) | {"build_config": {"input_shape": IMAGE}}
        return forged(**{"config.json": json.dumps(model)})

    return write


def refusal(file):
    """The sentence with which a file is refused."""
    with pytest.raises(BadInput) as caught:
        resnet.load(file)
    sentence = str(caught.value)
    assert sentence.startswith(f"{file} is no Keras model that can be loaded: ")
    assert "\n" not in sentence
    assert len(sentence) < 900
    return sentence


@contextmanager
def memory_stays():
    """See to it that this process comes to no more than 250 MB above what it has, whatever it had before."""

    def megabytes(name):
        line = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(line[1]) / 1000

    # The peak begins anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = megabytes("VmRSS")
    yield
    assert megabytes("VmHWM") < before + 250


def test_a_good_file_loads_as_stock_keras_loads_it(forged, noise):
    file = forged()
    ours, theirs = resnet.load(file), keras.saving.load_model(file, compile=False)
    np.testing.assert_array_equal(ours(noise(3)), theirs(noise(3)))
    assert ours.get_config() == theirs.get_config()


@pytest.mark.parametrize(
    "make", [keras.applications.ResNet50V2, keras.applications.DenseNet121, keras.applications.VGG16]
)
def test_image_networks_of_keras_load_as_well(make, tmp_path):
    size = {"input_shape": (32, 32, 3), "weights": None, "classes": 2}
    make(**size, include_top=make is not keras.applications.VGG16).save(tmp_path / "theirs.keras")
    resnet.load(tmp_path / "theirs.keras")


@keras.saving.register_keras_serializable("strangers")
class Impostor(keras.layers.Layer):
    """Registered by someone for files of their own."""

    @classmethod
    def from_config(cls, config):
        raise AssertionError("a stranger's class was taken")


def test_what_is_registered_in_the_process_is_not_taken_for_a_stock_layer(forged, parts):
    nobodys, strangers = b'"registered_name": null', b'"registered_name": "strangers>Impostor"'
    assert nobodys in parts["config.json"]
    loaded = resnet.load(forged(**{"config.json": parts["config.json"].replace(nobodys, strangers)}))
    assert loaded.get_config() == resnet.load(forged()).get_config()


def test_a_lambda_layer_is_refused_and_never_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    act = keras.layers.Lambda(lambda x: (__import__("os").makedirs("ran", exist_ok=True), x)[1])
    keras.Sequential([keras.Input((8, 8, 3)), act]).save("lambda.keras")
    (tmp_path / "ran").rmdir()
    assert "it holds 'keras.layers.Lambda'; only stock layers" in refusal("lambda.keras")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "function"),
        ("keras.layers", "TFSMLayer"),
        ("keras.layers", "TorchModuleWrapper"),
        ("keras.layers", "StringLookup"),
        ("keras.utils", "get_file"),
        ("keras.src.utils.file_utils", "get_file"),
        ("resnet.sgd", "SGD"),
        (None, "__lambda__"),
        (None, "Lambda"),
        ("keras", ["Model"]),
    ],
)
def test_what_is_no_stock_layer_is_refused_by_name(single, module, name):
    code = base64.b64encode(b"code").decode()
    assert f"it holds {f'{module}.{name}'!r}; only stock layers" in refusal(single(name, module, value=code))


@pytest.mark.parametrize(
    "path", ["../climbs.txt", "/etc/climbs", "assets/../../climbs", "model.weights.npz", "config.json/", "assets/a"]
)
def test_a_part_that_climbs_out_or_is_not_known_is_refused_and_nothing_is_written(forged, tmp_path, path):
    file = forged(**{path: b"x"})
    before = sorted(tmp_path.rglob("*"))
    assert f"it has a part {path!r}" in refusal(file)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_bomb_is_refused_by_what_it_is_and_not_by_what_it_becomes(forged):
    file = forged(zipfile.ZIP_DEFLATED, **{"metadata.json": bytes(400_000_000)})
    with memory_stays():
        assert "its parts are compressed" in refusal(file)


def test_parts_that_stand_twice_or_are_missing_are_refused(forged, parts):
    file = forged()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("config.json", parts["config.json"])
    assert "several parts of one name" in refusal(file)
    assert "model.weights.h5" in refusal(forged(**{"model.weights.h5": None}))
    assert "config.json" in refusal(forged(**{"config.json": None}))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(forged, share):
    file = forged()
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert "fetch it or train it again" in refusal(file)


def test_bytes_that_were_flipped_are_noticed(forged):
    file = forged()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert "CRC" in refusal(file)


@pytest.mark.parametrize(
    ("name", "config", "told"),
    [
        ("Conv2D", {"filters": 300_000_000, "kernel_size": 3}, "its layers need 8,400,000,000 weights, and it brings "),
        ("Conv2D", {"filters": 3, "kernel_size": 30_000}, "is no Keras model"),
        ("Dense", {"units": 10**30}, "is no Keras model"),
        ("Conv2D", {"filters": -1, "kernel_size": 3}, "filters"),
        ("Conv2D", {"filters": 1, "kernel_size": 3, "padding": "nowhere"}, "padding"),
        ("ReLU", {"surprise": 1}, "surprise"),
        (
            "ZeroPadding2D",
            {"padding": [[10**6, 0], [0, 10**6]]},
            "a layer answers each image with 3,000,048,000,192 values",
        ),
        ("Reshape", {"target_shape": [-1, 7]}, "is no Keras model"),
    ],
)
def test_a_config_that_asks_for_more_than_the_file_brings_takes_no_memory(single, name, config, told):
    file = single(name, **config)
    with memory_stays():
        assert told in refusal(file)
        with keras.StatelessScope():
            pass  # at whose end Keras gives memory to whatever waits for it


def weights_file(**options):
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content.create_dataset("layers/conv/vars/0", (2_000_000_000,), "f4", **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{"chunks": (1000,)}, {"chunks": (1000,), "compression": "gzip"}])
def test_weights_that_claim_to_be_more_than_they_are_take_no_memory(forged, options):
    file = forged(**{"model.weights.h5": weights_file(**options)})
    with memory_stays():
        assert "claims arrays of 8,000,000,000 bytes" in refusal(file)


def test_weights_that_lie_in_another_file_are_not_read(forged, parts, tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(1000))
    file = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(file, "a") as content:
        names = []
        content.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        shape = content[names[0]].shape
        del content[names[0]]
        content.create_dataset(names[0], shape, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
    assert "its model.weights.h5 leads to other files" in refusal(forged(**{"model.weights.h5": file.getvalue()}))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", "[" * 100_000, "recursion"),
        ("config.json", " " * 9_000_000, "config.json has 9,000,000 bytes; expected 8,000,000 at most"),
        ("config.json", "{", "Expecting"),
        ("config.json", "[]", "is no Keras model"),
        ("config.json", "\xff", "is no Keras model"),
        ("model.weights.h5", b"no weights", "signature"),
    ],
)
def test_a_part_that_is_not_what_its_name_says_is_refused(forged, name, content, told):
    assert told in refusal(forged(**{name: content}))


@pytest.mark.parametrize("content", [b"{}", b"[1]", b'["a"', b'"ab"', b'["' + 5_000_000 * b"a" + b'"]'])
def test_class_names_that_are_none_are_refused(forged, content):
    file = forged(**{"classes.json": content})
    with pytest.raises(BadInput, match="is no Keras model that can be loaded"):
        resnet.class_names(file)


def test_how_a_model_was_compiled_does_not_matter(tmp_path, tiny):
    model = tiny("plain20")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save(tmp_path / "compiled.keras")
    loaded = resnet.load(tmp_path / "compiled.keras")
    assert not loaded.compiled
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_lack_of_memory_is_not_blamed_on_the_file(forged, monkeypatch):
    def greedy(*arguments, **keywords):
        raise MemoryError

    monkeypatch.setattr(keras.saving, "deserialize_keras_object", greedy)
    with pytest.raises(MemoryError):
        resnet.load(forged())
