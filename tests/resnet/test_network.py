import dataclasses
import sys

import keras
import numpy as np
import pytest

import resnet
from resnet import network
from resnet.variants import stem_for


def flattened(model):
    """Every layer that computes."""
    for layer in model.layers:
        yield from flattened(layer) if isinstance(layer, keras.Model) else [layer]


def blocks(model):
    return [block for group in model.layers if isinstance(group, keras.Sequential) for block in group.layers]


KIN = [
    ("ResNet50", keras.applications.resnet, (0.3, 0.6)),
    ("ResNet50V2", keras.applications.resnet_v2, (0.6, 1.0)),
    # Those between and beyond have the same blocks, and tests/resnet/test_complexity.py counts them.
    ("ResNet152", keras.applications.resnet, (0.3, 0.6)),
]


@pytest.fixture(scope="module")
def kin(request, randomised):
    """The name, the network and the preprocessing of keras.applications."""
    name, module, gamma = request.param
    theirs = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=6)
    return name, randomised(theirs, gamma), module.preprocess_input


@pytest.mark.parametrize("kin", KIN, indirect=True, ids=lambda row: row[0])
def test_weights_of_keras_applications_give_its_outputs(kin, noise):
    name, theirs, preprocess_input = kin
    images = noise(4, 64)
    ours = resnet.create(name.lower(), input_shape=(64, 64, 3), classes=6)
    ours.set_weights(theirs.get_weights())
    expected = np.asarray(theirs(preprocess_input(images.astype(np.float32))))
    assert expected.std(0).max() > 0.01, "these weights should tell these images apart"
    np.testing.assert_allclose(ours(images), expected, atol=1e-4)
    assert resnet.describe(name.lower(), 64, 6).stored == theirs.count_params()


# The deeper ones have their own answers above, and their bodies are cut off as these are.
@pytest.mark.parametrize("kin", KIN[:2], indirect=True, ids=lambda row: row[0])
def test_features_of_keras_applications_are_ours_without_top(kin, noise):
    name, theirs, preprocess_input = kin
    images = noise(4, 64)
    ours = getattr(resnet, name)(input_shape=(64, 64, 3), include_top=False, pooling="avg")
    ours.set_weights(theirs.get_weights()[:-2])
    pooled = keras.Model(theirs.input, theirs.get_layer("avg_pool").output)
    expected = np.asarray(pooled(preprocess_input(images.astype(np.float32))))
    assert (ours.name, ours.output_shape) == (name.lower(), (None, 2048))
    np.testing.assert_allclose(ours(images), expected, atol=1e-4 * expected.max())


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "resnet50", "resnet50v2", "plain20"])
def test_uint8_and_float_images_give_the_same(tiny, randomised, noise, name):
    model = randomised(tiny(name))
    images = noise(3)
    np.testing.assert_array_equal(model(images), model(images.astype(np.float32)))


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "resnet50", "resnet50v2", "plain20"])
def test_answers_are_probabilities(tiny, randomised, noise, name):
    answers = np.asarray(randomised(tiny(name, classes=5))(noise(3)))
    assert answers.shape == (3, 5)
    np.testing.assert_allclose(answers.sum(1), 1, rtol=1e-5)
    assert (answers >= 0).all()


@pytest.mark.parametrize(("pooling", "shape"), [(None, (None, 2, 2, 64)), ("avg", (None, 64)), ("max", (None, 64))])
def test_without_top_pooling_decides_what_comes_out(noise, pooling, shape):
    model = resnet.create("resnet20", input_shape=(8, 8, 3), include_top=False, pooling=pooling)
    assert model.output_shape == shape
    features = np.asarray(resnet_features(model, noise(2)))
    reduce = {None: lambda x: x, "avg": lambda x: x.mean((1, 2)), "max": lambda x: x.max((1, 2))}[pooling]
    np.testing.assert_allclose(np.asarray(model(noise(2))), reduce(features), rtol=1e-5)


def resnet_features(model, images):
    """The feature map before any pooling."""
    return keras.Model(model.input, model.get_layer("conv4").output)(images)


def test_the_classifier_activation_is_chosen_as_in_keras_applications(noise):
    logits = resnet.create("resnet20", input_shape=(8, 8, 3), classes=3, classifier_activation=None)
    probabilities = resnet.create("resnet20", input_shape=(8, 8, 3), classes=3)
    probabilities.set_weights(logits.get_weights())
    np.testing.assert_allclose(keras.ops.softmax(logits(noise(2))), probabilities(noise(2)), rtol=1e-5)


def test_classes_may_be_counted_by_numpy():
    labels = np.array([0, 2, 1])
    assert resnet.create("resnet20", input_shape=(8, 8, 3), classes=labels.max() + 1).output_shape == (None, 3)


def test_the_image_size_may_stay_open(noise):
    model = resnet.create("resnet20", input_shape=(None, None, 3), classes=2)
    assert model(noise(1, 8)).shape == model(noise(1, 20)).shape == (1, 2)


def test_a_plain_net_has_no_shortcut_and_a_residual_one_has_one_a_block():
    plain, residual = (resnet.create(f"{kind}20", input_shape=(8, 8, 3), classes=2) for kind in ("plain", "resnet"))
    adds = [sum(isinstance(layer, keras.layers.Add) for layer in flattened(model)) for model in (plain, residual)]
    assert adds == [0, 9]
    assert plain.count_params() == residual.count_params()


@pytest.mark.parametrize(
    ("name", "halving"), [("resnet50", (3, 7, 13)), ("resnet50v2", (2, 6, 12)), ("resnet18", (2, 4, 6))]
)
def test_each_group_but_one_halves_the_image_in_one_block(name, halving):
    model = resnet.create(name, input_shape=(64, 64, 3), classes=2)
    halved = [n for n, block in enumerate(blocks(model)) if block.output_shape[1] == block.input_shape[1] // 2]
    assert tuple(halved) == halving
    assert model.get_layer("conv5").output.shape[1] == 2


def test_shortcut_options_differ_in_parameters_as_in_the_paper(tiny):
    plain = tiny("plain20").count_params()
    a, b, c = (tiny("resnet20", shortcut=option).count_params() for option in "ABC")
    # A projection has C x C' weights and a normalisation of 4 C'.
    assert a == plain
    assert b - a == (4 * 8 + 4 * 8) + (8 * 12 + 4 * 12)
    assert c - b == 4 * 4 + 4 * 4


@pytest.mark.parametrize("option", "ABC")
@pytest.mark.parametrize("name", ["resnet20", "resnet50", "resnet50v2"])
def test_every_shortcut_option_works_in_every_family(tiny, randomised, noise, name, option):
    answers = np.asarray(randomised(tiny(name, shortcut=option))(noise(2)))
    assert np.isfinite(answers).all()
    assert not np.array_equal(answers[0], answers[1])


def test_create_takes_the_shortcut_option_instead_of_the_rows_own():
    a, c = (resnet.create("resnet20", input_shape=(8, 8, 3), classes=2, shortcut=option) for option in "AC")
    assert a.count_params() == resnet.describe("resnet20", 8, 2).stored < c.count_params()


def test_a_block_of_option_A_whose_residual_is_silent_passes_its_input_and_zeros(tiny, noise):
    block = blocks(tiny("resnet20"))[1]
    for weight in block.get_layer("2_bn").trainable_weights:
        weight.assign(np.zeros(weight.shape))
    x = noise(2)[..., [0, 1, 2, 0]].astype(np.float32)
    out = np.asarray(block(x))
    np.testing.assert_array_equal(out[..., :4], x[:, ::2, ::2])
    assert out.shape[-1] == 8
    assert not out[..., 4:].any()


@pytest.mark.parametrize(
    ("name", "side", "stem"),
    [
        ("resnet50", 224, "large"),
        ("resnet50", 64, "large"),
        ("resnet50", 63, "small"),
        ("resnet50", None, "large"),
        ("resnet20", 32, "small"),
        ("resnet20", 224, "small"),
    ],
)
def test_the_stem_is_chosen_by_the_image_size(name, side, stem):
    assert stem_for(resnet.variant(name), (side, side, 3)) == stem


@pytest.mark.parametrize(
    ("arguments", "kernel", "left_of_64"),
    [({}, 7, 16), ({"stem": "small"}, 3, 64), ({"input_shape": (32, 32, 3)}, 3, 32)],
    ids=["large image", "overridden", "small image"],
)
def test_a_stem_can_be_chosen_instead_of_the_one_for_the_size(arguments, kernel, left_of_64):
    model = resnet.create("resnet18", **{"input_shape": (64, 64, 3), "classes": 2} | arguments)
    assert model.get_layer("conv1_conv").kernel_size == (kernel, kernel)
    assert model.get_layer("conv2").output.shape[1] == left_of_64


@pytest.mark.parametrize(
    ("name", "stem", "least", "left"),
    [
        ("resnet20", "small", 8, 2),
        ("resnet20", "large", 8, 1),
        ("resnet18", "small", 16, 2),
        ("resnet18", "large", 32, 1),
    ],
)
def test_of_the_smallest_image_something_is_left_to_see(name, stem, least, left):
    row = dataclasses.replace(resnet.variants.variant(name), stem=stem)
    assert row.minimum_size == least
    model = resnet.create(name, input_shape=(least, least, 3), classes=2, stem=stem)
    assert model.layers[-3].output.shape[1:3] == (left, left)


@pytest.mark.parametrize(("width", "filters"), [(0.5, [8, 16, 32]), (1, [16, 32, 64]), (2, [32, 64, 128])])
def test_width_multiplies_the_filters_of_every_group(width, filters):
    for create in (resnet.create, resnet.create_for_training):
        model = create("resnet20", input_shape=(32, 32, 3), classes=10, width=width)
        assert [model.get_layer(f"conv{group}").output.shape[-1] for group in (2, 3, 4)] == filters
        assert model.get_layer("conv1_conv").filters == filters[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"input_shape": (7, 32, 3)}, "images of 7 pixels are too small for resnet20: it needs 8 or more"),
        ({"name": "resnet50", "input_shape": (15, 15, 3)}, "15 pixels are too small for resnet50: it needs 16"),
        (
            {"name": "resnet50", "input_shape": (31, 31, 3), "stem": "large"},
            "31 pixels are too small for resnet50: it needs 32",
        ),
        ({"input_shape": (32, 32, 1)}, r"input_shape is \(32, 32, 1\); expected \(height, width, 3\)"),
        ({"input_shape": (32, 32)}, r"input_shape is \(32, 32\); expected"),
        ({"input_shape": 32}, r"input_shape is 32; expected \(height, width, 3\)"),
        ({"classes": 1}, "classes is 1; softmax needs at least 2"),
        ({"classes": "10"}, "classes is '10'; expected a whole number"),
        ({"classes": 10.7}, "classes is 10.7; expected a whole number"),
        ({"classes": 0, "classifier_activation": "sigmoid"}, "classes is 0; sigmoid needs at least 1"),
        ({"pooling": "min", "include_top": False}, "pooling is 'min'; expected None, 'avg' or 'max'"),
        ({"stem": "huge"}, "stem is 'huge'; expected one of small, large"),
        ({"width": 1e308}, r"width is 1e\+308; expected above 0 and at most 100"),
        ({"width": 0}, "width is 0; expected above 0"),
        ({"width": 0.01}, r"width 0.01 leaves resnet20 groups of \(0, 0, 1\) filters; each needs one at least"),
        (
            {"name": "resnet50", "width": 0.2, "input_shape": (64, 64, 3)},
            "leaves the large stem of resnet50 13 filters",
        ),
        ({"shortcut": "D"}, "shortcut is 'D'; expected one of A, B, C"),
        ({"name": "resnet21"}, "no architecture 'resnet21'; the nearest are .*resnet20"),
    ],
)
def test_impossible_arguments_are_refused_with_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        resnet.create(**{"name": "resnet20", "input_shape": (32, 32, 3)} | arguments)


def block_number(number):
    x = keras.Input((2, 2, 1))
    return keras.Model(x, keras.layers.Rescaling(1.01, number)(x), name=f"block{number}")


@pytest.mark.parametrize(("count", "parts"), [(36, 36), (200, 15)])
def test_many_blocks_of_a_group_are_in_stretches_and_work_in_order(count, parts):
    x = keras.Input((2, 2, 1))
    model = keras.Model(x, network.chain(x, [block_number(number) for number in range(count)], "conv2"))
    assert len(model.get_layer("conv2").layers) == parts
    expected = 1.0
    for number in range(count):
        expected = 1.01 * expected + number
    np.testing.assert_allclose(model(np.ones((1, 2, 2, 1), np.float32)), np.full((1, 2, 2, 1), expected), rtol=1e-5)


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize("name", ["resnet1202", "resnet1001v2"])
def test_a_thousand_layers_build_and_train_a_step_at_pythons_own_recursion_limit(noise, name):
    assert sys.getrecursionlimit() == 1000
    model = resnet.create_for_training(name, input_shape=(8, 8, 3), classes=2)
    assert model.count_params() == resnet.describe(name, 8, 2).stored
    before = model.get_layer("conv1_conv").kernel.numpy()
    model.compile("sgd", "categorical_crossentropy", jit_compile=False)
    loss = model.train_on_batch(noise(2), np.eye(2, dtype=np.float32))
    assert np.isfinite(loss)
    assert not np.array_equal(model.get_layer("conv1_conv").kernel.numpy(), before)
    assert sys.getrecursionlimit() == 1000


def test_where_keras_is_set_to_channels_first_no_other_network_is_built_in_silence():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(
            ValueError, match=r"channels last here; keras.config.set_image_data_format\('channels_last'\)"
        ):
            resnet.ResNet18(input_shape=(64, 64, 3), classes=2)
    finally:
        keras.config.set_image_data_format("channels_last")
