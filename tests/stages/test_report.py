import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import vl_convert

from stages import report
from stages.outputs import write_json, write_text
from stages.provenance import code_files, sha256_of_code


@pytest.fixture(scope="module", autouse=True)
def drawn_once():
    """Draw each chart but once: that is most of a report's time, and from test to test few of them differ."""
    draw, known = vl_convert.vegalite_to_svg, {}

    def remembered(spec):
        kind = json.dumps(spec, sort_keys=True, default=str)
        if kind not in known:
            known[kind] = draw(spec)
        return known[kind]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl_convert, "vegalite_to_svg", remembered)
        yield


@pytest.fixture(scope="module")
def written():
    return {}


@pytest.fixture
def reported(results, settings, written):
    """The report and the model card, each of its kind written but once."""

    def run(**changes):
        results(**changes)
        if str(changes) not in written:
            report.run(settings())
            files = (Path("reports/report.html"), Path("reports/MODEL_CARD.md"), Path("reports/dvc_plots.html"))
            written[str(changes)] = {file: file.read_text() for file in files}
        for file, text in written[str(changes)].items():
            write_text(file, text)
        return tuple(written[str(changes)].values())[:2]

    return run


def test_the_report_and_the_card_state_what_was_measured(reported):
    page, card = reported()
    measured = json.loads(Path("metrics/evaluate.json").read_text())
    within = measured["intervals"]["accuracy"]
    assert measured["accuracy"] == pytest.approx(28 / 30, abs=1e-6)
    for text in (
        "<strong>93.33\u00a0%</strong>",
        f"{100 * within['low']:.1f}\u00a0% to {100 * within['high']:.1f}\u00a0%",
        f"{measured['loss']:.4f}",
        f"{measured['macro_f1']:.4f}",
        f"{measured['calibrated']['ece']:.4f} after scaling",
        "trained on 1,234 images of 3 classes",
        "<title>Cats &amp; &lt;dogs&gt;: resnet20</title>",
        "2 of 30 test images are misclassified",
        "to take cat for dog, in 2 images",
        "No test image shows a picture that is in training",
    ):
        assert text in page, text
    for text in (
        "# Model card: Cats & <dogs>",
        f"| accuracy | {measured['accuracy']} | {within['low']} to {within['high']} |",
        "270,000 parameters",
        "train: 1,234",
        "| cat | 1.000 | 0.800 | 0.889 | 10 |",
    ):
        assert text in card, text


def test_the_questions_are_asked_in_their_order(reported):
    page, _ = reported()
    assert re.findall(r"<h2[^>]*>([^<]*)", page) == [
        "Is it good?",
        "Where is it wrong?",
        "Can it be trusted?",
        "Was the data sound?",
        "How did training go?",
        "Do skip connections do their work?",
    ]


def test_the_card_has_the_sections_of_the_field_and_the_hashes_of_what_made_the_model(reported):
    _, card = reported()
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == [
        "Model details",
        "Intended use",
        "Training data",
        "Evaluation data",
        "Metrics",
        "Evaluation by slice",
        "Limitations",
        "How to reproduce it",
    ]
    for name in ("data/manifest.parquet", "models/model.keras"):
        assert hashlib.sha256(Path(name).read_bytes()).hexdigest() in card
    assert sha256_of_code(code_files()) in card


def test_the_card_is_markdown_whose_tables_are_whole(reported):
    _, card = reported(classes=["a|b", "dog", "eel"])
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in card.splitlines() if line.startswith("|")]
    assert set(widths) <= {3, 4, 6}
    assert "\n\n\n" not in card


def test_the_pages_need_no_network(reported):
    page, _ = reported(classes=["<script>alert(1)</script>", "dog", "eel"])
    assert not re.search(r"<link|@import|<iframe|(?:src|href)=[\"'](?!data:|#)|url\((?!#)", page)
    assert "&lt;script&gt;alert(1)" in page
    plots = Path("reports/dvc_plots.html").read_text()
    assert "{plot_divs}" in plots
    assert not re.search(r"<link|@import|<script[^>]+src|{scripts}", plots)


def test_a_broken_rule_stands_in_both(reported):
    rule = {"rule": "brightness", "means": "an image is bright", "severity": "warn", "outcome": "warn"}
    page, card = reported(rules=[rule | {"checked": 40, "broken": 2, "examples": ["<03>.png"]}])
    assert "an image is bright" in page
    assert "&lt;03&gt;.png" in page
    assert "- warn: an image is bright; 2 of 40 break it" in card
    assert "Validation found nothing to report." in reported()[1]


@pytest.mark.parametrize(
    ("images", "wrong", "warned"),
    [
        ([10, 10, 10], 20, True),
        ([10, 10, 10], 24, True),
        ([10, 10, 10], 15, False),
        ([95, 3, 2], 5, True),
        ([95, 3, 2], 0, False),
        ([90, 5, 5], 2, False),
    ],
)
def test_a_model_that_is_no_better_than_chance_is_called_so(reported, images, wrong, warned):
    page, card = reported(images=images, wrong=wrong)
    assert ("learned next to nothing" in page) == warned
    assert ("learned next to nothing" in card) == warned
    if warned:
        assert json.loads(Path("metrics/evaluate.json").read_text())["mislabelled"] == 0


@pytest.mark.parametrize(("count", "whole"), [(30, True), (31, False), (1000, False)])
def test_a_confusion_matrix_of_many_classes_is_summarised(reported, count, whole):
    page, _ = reported(classes=[f"class {number}" for number in range(count)], images=[2] * count, wrong=40)
    assert "Confusion matrix of" in page
    assert (f"{count:,} classes are too many to draw" in page) != whole
    assert ("Recall by class, with intervals" in page) == whole
    assert len(page) < 5_000_000


def test_five_test_images_are_said_to_be_few(reported):
    page, card = reported(images=[2, 2, 1], wrong=1, validation=2)
    assert "There are only 5 test images: every interval is wide" in page
    assert "so few that every interval is wide" in card
    assert "only" not in reported()[0]


def test_a_class_without_test_images_is_named(reported):
    page, card = reported(images=[10, 0, 10])
    assert "1 of 3 classes has no test image, and nothing is known of it" in page
    assert "Not tested at all, for want of test images: dog" in card
    assert "has no test image" not in reported()[0]


def test_two_classes_make_a_report_that_explains_its_top_5_accuracy(reported):
    page, _ = reported(classes=["cat", "dog"])
    assert "With 2 classes, the right one is always among the first five." in page
    assert "always among the first five" not in reported(classes=[f"class {number}" for number in range(6)])[0]


def test_a_weak_part_stands_in_both(reported):
    page, card = reported(images=[40, 40, 40], wrong=30)
    assert "It is clearly weaker where class is cat: 25.0\u00a0% of 40 images." in page
    assert "- Weaker where class is cat: right for 25.0\u00a0% of 40 test images." in card


def test_repeated_pictures_are_left_out_of_a_second_accuracy(results, settings):
    results()
    metrics = Path("metrics/evaluate.json")
    found = json.loads(metrics.read_text())
    own = {"images": 20, "accuracy": 0.9, "low": 0.7, "high": 0.97}
    for without, told in ((own, "10 of 30 test images look like one"), ({"images": 0}, "Every test image shows")):
        write_json(metrics, found | {"without_repeated": without})
        report.run(settings())
        assert told in Path("reports/report.html").read_text()


def test_a_network_without_shortcuts_has_no_twin(results, settings):
    results(twin=False)
    # A deep twin's gradients may grow beyond all numbers.
    for name, said in {
        "plain20": "plain20 has no shortcuts, and so no twin",
        "resnet20": "With every shortcut cut, the gradients of the fresh network are not finite",
    }.items():
        report.run(settings(**{"model.name": name}))
        page = Path("reports/report.html").read_text()
        assert said in page
        assert ("has no shortcuts" in page) == (name == "plain20")
        assert ">without shortcuts</text>" not in page
        assert "with and without shortcuts" not in page


def test_a_loss_beyond_all_numbers_is_left_out_of_the_chart_as_one_that_is_missing(results, settings):
    pages = []
    for loss in (np.inf, np.nan):
        results(epochs=5)
        history = pd.read_csv("plots/history.csv")
        history.loc[0, "val_loss"] = loss
        history.to_csv("plots/history.csv", index=False)
        report.run(settings())
        pages.append(Path("reports/report.html").read_text())
    assert pages[0] == pages[1]


def test_a_model_of_averaged_weights_is_called_so(results, settings):
    results()
    for decay in (0.9, 0.0):
        report.run(settings(**{"train.ema_decay": decay}))
        page, card = Path("reports/report.html").read_text(), Path("reports/MODEL_CARD.md").read_text()
        assert ("averaged over the steps until its end, are kept" in page) == bool(decay)
        assert ("the weights are the moving average at the end of epoch 3" in card) == bool(decay)


def test_a_network_of_another_width_is_called_so_and_one_of_its_own_width_is_not(results, settings):
    results()
    for width, said in ((0.25, True), (1.0, False)):
        report.run(settings(**{"model.width": width}))
        for file in (Path("reports/report.html"), Path("reports/MODEL_CARD.md")):
            assert ("resnet20, 0.25 times as wide" in file.read_text()) == said


def test_the_card_says_of_what_the_answers_are_the_mean_and_what_the_optimizer_was(results, settings):
    results()
    for changes, said in (
        ({}, "for each of 3 classes\n- Training: 3 epochs of stochastic gradient descent;"),
        (
            {"model.two_views": True, "train.horizontal_flip": True, "train.optimizer": "muon"},
            "classes, the mean of those for the image and for its mirror image\n- Training: 3 epochs of Muon;",
        ),
    ):
        report.run(settings(**changes))
        assert said in Path("reports/MODEL_CARD.md").read_text()
        page = Path("reports/report.html").read_text()
        assert ("asked for an image and its mirror image" in page) == ("asked for one view" in page) == bool(changes)


def test_with_few_mistakes_wilsons_interval_of_the_accuracy_is_told(reported):
    page, card = reported(wrong=2)
    assert "With so few mistakes the bootstrap's intervals are too narrow.\nWilson's for the accuracy is 78.7" in page
    assert "With so few mistakes they are too narrow: Wilson's interval of the accuracy is 0.787 to 0.982." in card
    page, card = reported(wrong=0)
    assert "By the rule of three" in page
    assert "Wilson's interval of the accuracy is 0.886 to 1.0" in card
    page, card = reported(wrong=12)
    assert "Wilson's for" not in page
    assert "Wilson's interval of the acc" not in card


def test_intervals_of_images_in_groups_and_doubted_labels_are_told(results, settings):
    results()
    metrics = Path("metrics/evaluate.json")
    found = json.loads(metrics.read_text())
    for clusters, doubted, accuracy in ((30, 0, 0.9), (7, 3, 0.9), (7, 3, 0.3)):
        write_json(metrics, found | {"clusters": clusters, "mislabelled": doubted, "accuracy": accuracy})
        report.run(settings())
        page, card = Path("reports/report.html").read_text(), Path("reports/MODEL_CARD.md").read_text()
        assert (
            ("Images of one group are drawn together" in page)
            == ("of one group drawn together" in card)
            == (clusters < 30)
        )
        assert ("There are only 7 groups of test images: every interval is wide" in page) == (clusters < 30)
        assert ("Wilson's for" in page) == ("Wilson's interval of the acc" in card) == (clusters == 30)
        assert "With so few mistakes the bootstrap's" in page
        assert "With so few mistakes they are too narrow" in card
        assert ("These are so few that every interval is wide." in card) == (clusters < 30)
        assert ("- Of 3 test images the model doubts the label" in card) == (doubted and accuracy > 0.5)
        assert ("A model that learned next to nothing has no say in it." in page) == (accuracy < 0.5)


def test_by_the_rule_of_three_it_is_groups_that_count(results, settings):
    results(wrong=0)
    metrics = Path("metrics/evaluate.json")
    write_json(metrics, json.loads(metrics.read_text()) | {"clusters": 5})
    report.run(settings())
    assert "By the rule of three, up to\n60.0\u00a0% of other" in Path("reports/report.html").read_text()


def test_without_validation_images_no_temperature_is_fitted(reported):
    page, card = reported(validation=0)
    assert "No temperature could be fitted, for want of validation images or of mistakes among them" in page
    assert "temperature" not in card


def test_as_many_pictures_are_shown_as_asked_for(results, settings):
    results(wrong=9)
    for most in (0, 4):
        report.run(settings(**{"report.pictures": most}))
        shown = Path("reports/report.html").read_text().count("data:image/png;base64")
        assert most <= shown <= 2 * most
        assert ("9 made, none shown: report.pictures is 0" in Path("reports/report.html").read_text()) == (not most)


def test_the_number_in_a_cell_of_the_confusion_matrix_has_room_there_and_stands_exactly_beside_it(reported):
    page, _ = reported(images=[1135, 999, 12_345], wrong=0)
    matrix = page[page.index("Confusion matrix of 3") :].partition("</svg>")[0]
    assert [text for text in re.findall(r">([^<>]+)</text>", matrix) if text[0].isdigit()] == ["1.1k", "999", "12k"]
    for exact in ("1,135", "999", "12,345"):
        assert f">{exact}</td>" in page


def test_whose_weights_a_training_began_with_is_told_and_no_more_promised_of_the_test_images(results, settings):
    results()
    pinned = {"model.weights_sha256": "a" * 64}
    for changes, said in (
        ({}, "- It began with random weights\n- File"),
        ({"model.weights": "old.keras", **pinned}, f"began with those of `old.keras` (sha256 `{'a' * 64}`), of whose"),
        (
            {"model.weights": "imagenet", "model.name": "resnet50", "data.image_size": 64},
            "began with the weights of keras.applications for ImageNet",
        ),
    ):
        report.run(settings(**changes))
        page, card = Path("reports/report.html").read_text(), Path("reports/MODEL_CARD.md").read_text()
        assert said in card
        assert (" that began with the weights of " in page) == bool(changes)
        for text in (page, card):
            assert ("took no part in training" in text) == (not changes)
            assert ("took no part in this training, whatever" in text) == bool(changes)


def test_a_class_may_have_any_name(results, settings):
    names = ["actual", "predicted", "images", "share", "NA", "a.b[0]", "q'\"", "a|b", "猫", "x\ny", "<none>", "*wild*"]
    results(classes=names, wrong=15)
    report.run(settings(**{"report.worst_classes": 20}))
    page, card = Path("reports/report.html").read_text(), Path("reports/MODEL_CARD.md").read_text()
    assert page.count("<svg ") == 19
    plain = [*names[:5], r"a.b\[0\]", names[6], r"a\|b", "猫", "x y", r"\<none>", r"\*wild\*"]
    for name in plain:
        assert re.search(rf"^\| {re.escape(name)} \| [01]\.", card, re.MULTILINE), name


def test_a_training_of_many_epochs_is_drawn(reported):
    page, _ = reported(epochs=1500)
    assert page.count("<svg ") == 19


def test_a_model_without_mistakes_and_without_validation_is_reported(results, settings):
    results(wrong=0, validation=0)
    pd.read_csv("plots/history.csv").drop(columns=["val_loss", "val_accuracy"]).to_csv("plots/history.csv", index=False)
    trained = json.loads(Path("metrics/train.json").read_text())
    write_json(Path("metrics/train.json"), {key: trained[key] for key in trained if not key.startswith("val_")})
    report.run(settings())
    page = Path("reports/report.html").read_text()
    assert "No test image is misclassified" in page
    assert ">validation</text>" not in page
    assert "Validation loss" not in page
    assert "By the rule of three, up to\n10.0\u00a0% of other images might still be misclassified." in page


def test_results_of_different_runs_are_not_mixed(results, settings, refusal):
    results()
    write_json(Path("data/prepared/classes.json"), ["cat", "dog", "fox"])
    assert "name other classes); run `dvc repro`" in refusal(report.run, settings())
    results(classes=["cat", "dog", "fox"])
    former = Path("reports/validation.json").read_text()
    results()
    Path("reports/validation.json").write_text(former)
    assert "reports/validation.json and" in refusal(report.run, settings())
    results()
    np.save("data/prepared/test_images.npy", np.zeros((7, 8, 8, 3), np.uint8))
    np.save("data/prepared/test_labels.npy", np.zeros(7, np.int64))
    assert "has 30 rows, but there are 7 test images" in refusal(report.run, settings())


@pytest.mark.parametrize(
    "name",
    [
        *("data/manifest.parquet", "data/predictions.parquet", "data/prepared/classes.json", "metrics/evaluate.json"),
        *("data/prepared/test_images.npy", "metrics/train.json", "models/model.keras"),
        *("plots/calibration.csv", "plots/calibration_scaled.csv", "plots/classes.csv", "plots/confusion.csv"),
        *("plots/gradients.csv", "plots/robustness.csv", "plots/slices.csv", "plots/history.csv"),
        "reports/validation.json",
    ],
)
def test_a_missing_result_is_named(results, settings, refusal, name):
    results()
    Path(name).unlink()
    sentence = refusal(report.run, settings())
    assert name in sentence
    assert "run `dvc repro" in sentence


@pytest.mark.parametrize(
    ("names", "contents"),
    [
        (["metrics/evaluate.json", "metrics/train.json", "reports/validation.json"], ["", "null", "{}"]),
        (["plots/classes.csv", "plots/confusion.csv", "plots/history.csv", "plots/slices.csv"], ["", "x,y\n"]),
        (["plots/calibration.csv", "plots/calibration_scaled.csv"], ["", "confidence,accuracy,images\n"]),
        (["plots/gradients.csv", "plots/robustness.csv"], ["", "depth,layer,initial,trained\n"]),
        (["data/predictions.parquet"], ["", "no table"]),
        (["data/manifest.parquet"], ["", "another"]),
    ],
)
def test_a_result_that_was_edited_to_nonsense_is_refused(results, settings, refusal, names, contents):
    for name in names:
        for content in contents:
            results()
            Path(name).write_text(content)
            assert "run `dvc repro" in refusal(report.run, settings())


def test_a_report_that_fails_leaves_the_former_one(reported, settings, refusal, outputs):
    reported()
    former = outputs("reports")
    write_json(Path("metrics/train.json"), {"epochs": 3})
    refusal(report.run, settings())
    assert outputs("reports") == former


def test_two_runs_give_the_same_bytes(results, params_file, run_stage, outputs):
    results()
    params_file()
    written = []
    for seed in ("1", "2"):
        done = run_stage("report", PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
        written.append(outputs("reports"))
    assert written[0] == written[1]
    assert json.loads(written[0]["reports/validation.json"])
