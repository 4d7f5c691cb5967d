import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import resnet
from resnet.callbacks import TrainingDiverged
from resnet.targets import smoothed_targets

QUICK = resnet.Recipe(epochs=3, batch_size=8, learning_rate=0.05, crop_padding=1)


@pytest.fixture
def linear():
    """The smallest classifier of 8x8 images, the same each time."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers])


class Watch(keras.callbacks.Callback):
    """Notes the weights after every step."""

    def on_train_begin(self, logs=None):
        self.weights = [self.model.get_weights()]

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights())


def test_a_residual_network_learns_to_tell_dark_from_bright(tiny, dark_and_bright):
    keras.utils.set_random_seed(0)
    model = tiny("resnet20")
    recipe = resnet.Recipe(epochs=6, batch_size=8, learning_rate=0.05, warmup_epochs=1)
    history = resnet.fit(model, *dark_and_bright, recipe, validation=dark_and_bright).history
    assert history["val_accuracy"][-1] == 1
    assert history["loss"][-1] < history["loss"][0] / 2
    images, labels = dark_and_bright
    assert (model.predict(images, verbose=0).argmax(1) == labels).all()


def test_a_seed_determines_the_trained_weights(tiny, dark_and_bright):
    def trained(seed):
        keras.utils.set_random_seed(0)
        model = tiny("resnet20")
        recipe = dataclasses.replace(QUICK, epochs=1, seed=seed, mixup=0.2, ema_decay=0.9)
        resnet.fit(model, *dark_and_bright, recipe)
        return model.get_weights()

    first, again, other = trained(0), trained(0), trained(1)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(first, other, strict=True))


def test_the_weights_of_the_best_epoch_are_kept(linear, dark_and_bright):
    images, labels = dark_and_bright
    upside_down = (images, 1 - labels)  # so that training makes validation worse
    recipe = dataclasses.replace(QUICK, keep="best")
    history = resnet.fit(linear, images, labels, recipe, validation=upside_down).history
    loss, accuracy = linear.evaluate(images, smoothed_targets(1 - labels, 2), verbose=0)
    scores = list(zip(history["val_accuracy"], [-loss for loss in history["val_loss"]], strict=True))
    assert (accuracy, -loss) == pytest.approx(max(scores), rel=1e-4)
    assert max(scores) > scores[-1]


def test_the_weights_of_the_last_epoch_are_kept_unless_the_best_are_asked_for(linear, dark_and_bright):
    images, labels = dark_and_bright
    history = resnet.fit(linear, images, labels, QUICK, validation=(images, 1 - labels)).history
    loss, _ = linear.evaluate(images, smoothed_targets(1 - labels, 2), verbose=0)
    assert loss == pytest.approx(history["val_loss"][-1], rel=1e-4)


def test_training_stops_after_so_many_epochs_without_a_better_validation_loss(linear, dark_and_bright):
    images, labels = dark_and_bright
    recipe = dataclasses.replace(QUICK, epochs=20, patience=2)
    history = resnet.fit(linear, images, labels, recipe, validation=(images, 1 - labels)).history
    assert len(history["loss"]) == np.argmin(history["val_loss"]) + 1 + 2 < 20


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_moving_average_is_what_is_validated_and_kept(linear, dark_and_bright, keep):
    watch = Watch()
    recipe = dataclasses.replace(QUICK, ema_decay=0.8, keep=keep)
    history = resnet.fit(linear, *dark_and_bright, recipe, validation=dark_and_bright, callbacks=[watch]).history
    average, *steps = watch.weights
    for number, weights in enumerate(steps, start=1):
        decay = min(0.8, (1 + number) / (10 + number))
        average = [decay * old + (1 - decay) * new for old, new in zip(average, weights, strict=True)]
    for kept, expected, last in zip(linear.get_weights(), average, steps[-1], strict=True):
        np.testing.assert_allclose(kept, expected, rtol=1e-4, atol=1e-6)
        assert not np.allclose(kept, last, rtol=1e-4, atol=1e-6)
    images, labels = dark_and_bright
    loss, _ = linear.evaluate(images, smoothed_targets(labels, 2), verbose=0)
    assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-4)


def test_weight_decay_shrinks_the_kernels_alone_by_what_the_recipe_says(linear):
    kernel, _ = linear.get_weights()
    # Black images and balanced labels leave the kernel no other gradient.
    recipe = resnet.Recipe(epochs=1, batch_size=4, learning_rate=0.5, momentum=0.0, weight_decay=0.1)
    resnet.fit(linear, np.zeros((8, 8, 8, 3), np.uint8), np.arange(8) % 2, recipe)
    shrunk = (1 - 0.5 * 0.1) * (1 - 0.25 * 0.1)  # the cosine's two steps
    np.testing.assert_allclose(linear.get_weights()[0], shrunk * kernel, rtol=1e-5)


@pytest.mark.parametrize(("share", "change"), [("label_smoothing", 0.2), ("mixup", 1.0)])
def test_softened_targets_keep_a_network_less_sure(linear, dark_and_bright, share, change):
    recipe = dataclasses.replace(QUICK, epochs=30)
    start = linear.get_weights()
    sure = resnet.fit(linear, *dark_and_bright, recipe).history["loss"][-1]
    linear.set_weights(start)
    unsure = resnet.fit(linear, *dark_and_bright, dataclasses.replace(recipe, **{share: change})).history["loss"][-1]
    assert unsure > 2 * sure


def test_the_history_holds_the_learning_rate_of_each_epochs_last_step(linear, dark_and_bright):
    recipe = dataclasses.replace(QUICK, epochs=4, schedule="step", milestones=(0.5,))
    history = resnet.fit(linear, *dark_and_bright, recipe).history
    assert history["learning_rate"] == pytest.approx([0.05, 0.05, 0.005, 0.005])


def test_tensorboard_logs_are_written_when_asked_for(linear, dark_and_bright, tmp_path):
    resnet.fit(linear, *dark_and_bright, QUICK, validation=dark_and_bright, tensorboard=tmp_path / "logs")
    folders = {path.parent.name for path in (tmp_path / "logs").rglob("*tfevents*")}
    assert folders == {"train", "validation"}


def test_a_training_writes_nothing_unless_asked(linear, dark_and_bright, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resnet.fit(linear, *dark_and_bright, QUICK, validation=dark_and_bright)
    assert list(tmp_path.iterdir()) == []


def test_a_learning_rate_beyond_reason_is_reported_with_epoch_step_and_rate(tiny, dark_and_bright):
    recipe = dataclasses.replace(QUICK, learning_rate=1e30, schedule="step")
    with pytest.raises(TrainingDiverged, match=r"in epoch 1, step [2-5], at learning rate 1e\+30; lower the"):
        resnet.fit(tiny("resnet20"), *dark_and_bright, recipe)


def test_images_that_are_no_numbers_are_reported_at_the_step_that_meets_them(linear, dark_and_bright):
    images, labels = (np.resize(part, (200, *part.shape[1:])) for part in dark_and_bright)
    images = images.astype(np.float32)
    # The sample that is looked at before is of the others.
    images[1::2] = np.nan
    with pytest.raises(TrainingDiverged, match=r"the loss became nan in epoch 1, step 1, at learning rate 0\.05"):
        resnet.fit(linear, images, labels, dataclasses.replace(QUICK, schedule="step"))


@pytest.mark.parametrize(
    ("count", "changes", "sentence"),
    [
        (0, {}, "no images to train on"),
        (8, {"keep": "best"}, "keeping the best epoch .* need validation images"),
        (8, {"patience": 3}, "stopping early .* need validation images"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_sentence(linear, noise, count, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        resnet.fit(linear, noise(count), np.arange(count) % 2, dataclasses.replace(QUICK, **changes))


def test_without_a_terminal_there_is_one_line_of_numbers_an_epoch(linear, dark_and_bright, capsys):
    resnet.fit(linear, *dark_and_bright, QUICK, validation=dark_and_bright)
    printed = capsys.readouterr().out
    assert printed.count("val_loss") == QUICK.epochs
    assert not set(printed) & set("\r\b\x1b")


def test_a_training_is_silent_when_asked(linear, dark_and_bright, capsys):
    resnet.fit(linear, *dark_and_bright, QUICK, validation=dark_and_bright, verbose=0)
    assert capsys.readouterr().out == ""


def test_memory_maps_train_as_arrays_do(linear, dark_and_bright, tmp_path):
    images, labels = dark_and_bright
    np.save(tmp_path / "images.npy", images)
    start = linear.get_weights()
    resnet.fit(linear, images, labels, QUICK, validation=dark_and_bright)
    of_array = linear.get_weights()
    linear.set_weights(start)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    resnet.fit(linear, mapped, labels, QUICK, validation=(mapped, labels))
    assert all(np.array_equal(one, two) for one, two in zip(of_array, linear.get_weights(), strict=True))


def test_a_step_that_xla_compiles_trains_as_any_other(linear, dark_and_bright):
    start = linear.get_weights()

    def trained(jit):
        linear.set_weights(start)
        resnet.fit(linear, *dark_and_bright, dataclasses.replace(QUICK, jit=jit))
        assert linear.jit_compile == jit
        return linear.get_weights()

    for mine, plain in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(mine, plain, atol=1e-5)


def test_mixed_precision_trains_and_keeps_float32_weights(tiny, dark_and_bright):
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = tiny("resnet20")
    finally:
        keras.config.set_dtype_policy("float32")
    history = resnet.fit(model, *dark_and_bright, QUICK).history
    assert history["loss"][-1] < history["loss"][0]
    assert {weight.dtype for weight in model.weights} == {"float32"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda images, labels: (images / np.float32(255), labels),
            r"images lie within [\d.]+ and [\d.]+; expected 0 to 255",
        ),
        (
            lambda images, labels: (images / np.float32(60) - 2, labels),
            r"images lie within -[\d.]+ and [\d.]+; expected 0",
        ),
        (
            lambda images, labels: (images, np.eye(2)[labels]),
            r"float64 of shape \(\d+, 2\); .*of one-hot rows, their argmax",
        ),
        (lambda images, labels: (images > 100, labels), "images lie within 0 and 1; expected 0 to 255"),
        (lambda images, labels: (images.astype(np.uint16) * 257, labels), r"lie within \d+ and \d+; expected 0"),
        (lambda images, labels: (images - np.float32(120), labels), r"lie within -[\d.]+ and [\d.]+; expected 0"),
        (lambda images, labels: (images * np.float32("nan"), labels), "lie within nan and nan; expected 0"),
        (lambda images, labels: (images, labels[1:]), r"expected an integer for each of \d+ images"),
        (lambda images, labels: (images, labels / 1), "labels are float64"),
        (lambda images, labels: (images, labels - 1), "a label is -1; expected 0 to 1 for 2 classes"),
        (lambda images, labels: (images, labels + 1), "a label is 2; expected 0 to 1 for 2 classes"),
        (
            lambda images, labels: (images[..., 0], labels),
            r"images are of shape \(40, 8, 8\); expected \(40, 8, 8, 3\)",
        ),
        (
            lambda images, labels: (images[:, 1:], labels),
            r"images are of shape \(40, 7, 8, 3\); expected \(40, 8, 8, 3\)",
        ),
    ],
    ids=[
        "scaled",
        "standardised",
        "one-hot",
        "truths",
        "of 16 bits",
        "without ImageNet's mean",
        "no numbers",
        "too few",
        "floats",
        "negative",
        "too large",
        "grey",
        "of another size",
    ],
)
def test_images_and_labels_of_another_kind_are_refused(linear, dark_and_bright, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        resnet.fit(linear, *change(*dark_and_bright), QUICK)
    with pytest.raises(ValueError, match=r"the validation |a validation label"):
        resnet.fit(linear, *dark_and_bright, QUICK, validation=change(*dark_and_bright))


def test_lists_are_taken_as_arrays_are(linear, dark_and_bright):
    images, labels = dark_and_bright
    start = linear.get_weights()
    trained = []
    for given in ((images, labels), (images.tolist(), labels.tolist())):
        linear.set_weights(start)
        resnet.fit(linear, *given, QUICK)
        trained.append(linear.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("end", "changes", "sentence"),
    [
        (
            [keras.layers.Dense(2, name="logits")],
            {},
            "the last layer, 'logits', has no softmax; expected a probability for each of the classes",
        ),
        (
            [keras.layers.Dense(2, "sigmoid", name="each")],
            {},
            "the last layer, 'each', has no softmax; expected a probability for each of the classes",
        ),
        ([keras.layers.Reshape((192,), name="features")], {}, "the last layer, 'features', has no softmax; expected"),
        (
            [keras.layers.Reshape((1, 192)), keras.layers.Softmax(name="rows")],
            {},
            r"the last layer, 'rows', has outputs of shape \(None, 1, 192\); expected",
        ),
        (
            [keras.layers.Dense(2, name="logits"), keras.layers.Softmax(name="predictions")],
            {"body_learning_rate": 0.0},
            "the last layer is called 'predictions' and has 0 arrays to train; expected 'predictions', by which it",
        ),
        (
            [keras.layers.Dense(2, "softmax", name="head")],
            {"body_learning_rate": 0.1},
            "the last layer is called 'head' and has 2 arrays to train; expected 'predictions', by which it is told",
        ),
    ],
    ids=["logits", "sigmoid", "features", "no classes", "a head without weights", "a head of another name"],
)
def test_a_model_that_would_learn_something_else_is_refused(dark_and_bright, end, changes, sentence):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), *end])
    with pytest.raises(ValueError, match=sentence):
        resnet.fit(model, *dark_and_bright, dataclasses.replace(QUICK, **changes))


def test_of_a_generator_or_a_dataset_it_is_said_how_to_train_on_it(linear, dark_and_bright):
    images, labels = dark_and_bright
    for given in ((batch for batch in [dark_and_bright]), tf.data.Dataset.from_tensor_slices((images, labels))):
        with pytest.raises(
            ValueError, match=r"expected images and labels as two arrays; .*: model.compile and model.fit"
        ):
            resnet.fit(linear, given, None, QUICK)


def test_what_is_no_built_network_of_one_input_and_one_output_is_refused(dark_and_bright):
    image = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(image)
    twice = [keras.layers.Dense(2, "softmax")(flat), keras.layers.Dense(3, "softmax")(flat)]
    unbuilt = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    for model in (keras.Model(image, twice), unbuilt, keras.Sequential()):
        with pytest.raises(ValueError, match="is no built network of one input and one output; expected one, as of"):
            resnet.fit(model, *dark_and_bright, QUICK)


@pytest.mark.parametrize(
    ("validation", "sentence"),
    [
        (lambda images, labels: (images[:0], labels[:0]), "there are no validation images; leave validation out"),
        (lambda images, labels: (), "validation is a tuple; expected a pair, images and labels"),
        (lambda images, labels: 0.2, "validation is a float; expected a pair, images and labels"),
    ],
    ids=["empty", "nothing", "a share"],
)
def test_validation_that_is_none_is_refused(linear, dark_and_bright, validation, sentence):
    validation = validation(*dark_and_bright)
    with pytest.raises(ValueError, match=sentence):
        resnet.fit(linear, *dark_and_bright, QUICK, validation=validation)


def test_a_callback_may_stand_alone_and_checkpoints_be_named_by_their_folder(linear, dark_and_bright, tmp_path):
    seen = []
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    resnet.fit(linear, *dark_and_bright, QUICK, callbacks=told, checkpoints=str(tmp_path))
    assert seen == list(range(QUICK.epochs))
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "callback", [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), keras.callbacks.ReduceLROnPlateau()]
)
def test_a_callback_that_would_set_the_learning_rate_is_refused_at_once(linear, dark_and_bright, callback):
    with pytest.raises(ValueError, match="cannot set the learning rate, whose schedule is the recipe's; leave it out"):
        resnet.fit(linear, *dark_and_bright, QUICK, callbacks=[callback])


def test_a_model_that_cannot_be_saved_by_keras_is_not_trained_for_an_epoch_first(dark_and_bright, tmp_path):
    model = resnet.create_for_training("resnet110", input_shape=(8, 8, 3), classes=2)
    with pytest.raises(NotImplementedError, match="to save it: resnet"):
        resnet.fit(model, *dark_and_bright, QUICK, callbacks=keras.callbacks.ModelCheckpoint(tmp_path / "model.keras"))
    assert not model.compiled


def test_what_is_no_recipe_is_refused(linear, dark_and_bright):
    with pytest.raises(ValueError, match=r"recipe is a dict; expected a resnet.Recipe"):
        resnet.fit(linear, *dark_and_bright, {"epochs": 1})


def test_of_two_views_the_one_that_can_be_trained_is_named(tiny, dark_and_bright):
    with pytest.raises(ValueError, match=r"of a model of two views train resnet.one_view\(model\)"):
        resnet.fit(resnet.two_views(tiny("resnet10")), *dark_and_bright, QUICK)


@pytest.mark.parametrize("end", ["within another", "of keras.ops", "a layer"])
def test_a_softmax_is_found_wherever_it_is(dark_and_bright, end):
    flat = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    inner = keras.Sequential([keras.Input((192,)), keras.layers.Dense(2, "softmax")])
    ends = {
        "within another": [inner],
        "of keras.ops": [keras.layers.Dense(2, keras.ops.softmax)],
        "a layer": [keras.layers.Dense(2), keras.layers.Softmax()],
    }
    resnet.fit(keras.Sequential([*flat, *ends[end]]), *dark_and_bright, QUICK)


def test_images_that_begin_with_many_black_ones_are_taken(linear, dark_and_bright):
    images, labels = dark_and_bright
    black = np.zeros((200, 8, 8, 3), np.float32)
    resnet.fit(linear, np.concatenate([black, images]), np.concatenate([np.zeros(200, int), labels]), QUICK)


@pytest.mark.parametrize("milestones", [(np.float32(0.5),), np.array([0.5]), [0.5]])
def test_a_recipe_of_numpys_numbers_can_be_told_in_json(milestones):
    recipe = resnet.Recipe(milestones=milestones, epochs=np.int64(3), learning_rate=np.float32(0.5))
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["milestones"] == [0.5]
    assert recipe == resnet.Recipe(milestones=(0.5,), epochs=3, learning_rate=0.5)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"schedule": "linear"}, "schedule is 'linear'; expected one of cosine, step"),
        ({"optimizer": "adam"}, "optimizer is 'adam'; expected one of sgd, muon"),
        ({"class_weights": "balance"}, "class_weights is 'balance'; expected one of none, balanced"),
        ({"keep": "bset"}, "keep is 'bset'; expected one of last, best"),
        ({"crop_padding": -1}, "crop_padding is -1; expected 0 or more"),
        ({"body_learning_rate": -1}, "body_learning_rate is -1; expected 0 or more"),
        ({"momentum": 1.0}, "momentum is 1.0; expected less than 1"),
        ({"patience": 0}, "patience is 0; expected 1 or more"),
        ({"epochs": 2.0}, "epochs is 2.0; expected a whole number"),
        ({"epochs": True}, "epochs is True; expected a whole number"),
        ({"learning_rate": "0.1"}, "learning_rate is '0.1'; expected a number"),
        ({"weight_decay": float("inf")}, "weight_decay is inf; expected a number"),
        ({"mixup": None}, "mixup is None; expected a number"),
        ({"horizontal_flip": "no"}, "horizontal_flip is 'no'; expected True or False"),
        ({"milestones": 0.5}, r"milestones are 0.5; expected numbers, such as \(0.5, 0.75\)"),
        ({"patience": 2.5}, "patience is 2.5; expected a whole number"),
        ({"milestones": (0.75, 0.5)}, r"milestones are \(0.75, 0.5\); expected shares of the training that rise"),
        ({"batch_size": 0}, "batch_size is 0; expected 1 or more"),
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"learning_rate": -1}, "learning_rate is -1; expected more than 0"),
    ],
    ids=str,
)
def test_a_recipe_that_means_nothing_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        resnet.Recipe(**wrong)
