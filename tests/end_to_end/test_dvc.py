"""The pipeline the DVC way, from the first run to a model on another machine."""

import json
import subprocess
import sys

import pytest
from ruamel.yaml import YAML


def outputs(stage):
    listed = [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
    return [out if isinstance(out, str) else next(iter(out)) for out in listed]


def test_every_output_of_the_contract_is_there(project):
    for stage in YAML(typ="safe").load(project.folder / "dvc.yaml")["stages"].values():
        for path in outputs(stage):
            assert (project.folder / path).exists(), path
        # Unversioned: how long it took, and where.
        log = json.loads((project.folder / "logs" / f"{stage['cmd'].rpartition('.')[2]}.json").read_text())
        assert log.keys() >= {"started", "seconds", "host", "python", "versions"}
    assert json.loads((project.folder / "metrics/evaluate.json").read_text()).keys() >= {
        "accuracy",
        "loss",
        "top5_accuracy",
        "macro_f1",
        "ece",
    }


def test_a_second_repro_does_nothing(project):
    before = project.lock()
    said = project.run("dvc", "repro")
    assert "Running stage" not in said
    assert project.lock() == before


@pytest.fixture(scope="module")
def forced(project, tmp_path_factory):
    """What a forced `dvc repro` said, and the files that each stage opened, in every process of it.

    Python tells an audit hook of every file that it opens.
    """
    folder = tmp_path_factory.mktemp("opened")
    (folder / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def hook(event, arguments):\n"
        "    stage, path = os.environ.get('DVC_STAGE'), arguments[0] if event == 'open' else None\n"
        # Those of libraries, thousands of them, are opened by their whole path.
        f"    if stage and isinstance(path, str) and (path[:1] != '/' or path.startswith({str(project.folder)!r})):\n"
        f"        with open({str(folder)!r} + '/' + stage, 'a') as log:\n"
        "            log.write(os.path.abspath(path) + '\\n')\n"
        "sys.addaudithook(hook)\n"
    )
    hooked = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    own = type(project)(project.folder, hooked)
    said = own.run("dvc", "repro", "--force")
    return said, {file.name: file.read_text().splitlines() for file in folder.iterdir() if file.suffix != ".py"}


def test_a_forced_repro_makes_every_byte_again(project, forced):
    said, _ = forced
    assert said.count("Running stage") == 5
    assert project.run("git", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("section", "change", "stale"),
    [
        ("train", {"learning_rate": 0.2}, {"train", "report"}),
        ("evaluate", {"calibration_bins": 10}, {"evaluate", "report"}),
        ("validate", {"near_duplicates": {"distance": 2}}, {"validate", "evaluate", "report"}),
        ("data", {"test_fraction": 0.3}, {"prepare", "report"}),
    ],
)
def test_a_changed_param_makes_stale_what_uses_it_and_nothing_before(project, section, change, stale):
    project.set_params(**{section: change})
    try:
        status = json.loads(project.run("dvc", "status", "--json"))
    finally:
        project.run("git", "checkout", "params.yaml")
    assert {name for name, reasons in status.items() if "params.yaml" in json.dumps(reasons)} == stale


def test_no_checkpoint_is_left_of_a_model_that_dvc_has(project):
    assert list((project.folder / ".dvc/tmp/checkpoints").iterdir()) == []


def test_code_that_no_stage_uses_makes_nothing_stale(project):
    command_line = project.folder / "resnet/__main__.py"
    command_line.write_text(command_line.read_text() + "\n# edited\n")
    try:
        assert json.loads(project.run("dvc", "status", "--json")) == {}
    finally:
        project.run("git", "checkout", "resnet")


def test_metrics_and_plots_are_shown(project):
    assert "metrics/evaluate.json" in project.run("dvc", "metrics", "show", "--json")
    project.run("dvc", "plots", "show", "--out", "dvc_plots")
    page = (project.folder / "dvc_plots/index.html").read_text()
    for title in YAML(typ="safe").load(project.folder / "dvc.yaml")["plots"]:
        assert next(iter(title)) in page


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_opens_in_a_browser_without_network(project, open_page, keep_screenshot, width):
    opened = open_page(project.folder / "reports/report.html", width)
    keep_screenshot(opened, f"report-of-a-run-{width}")
    assert (opened.said, opened.asked) == ([], [])
    marks = opened.ask(
        "() => [...document.querySelectorAll('svg')].map(svg => svg.querySelectorAll('.role-mark *').length)"
    )
    assert len(marks) >= 17
    assert min(marks) > 0
    assert opened.ask("() => [...document.images].every(image => image.complete && image.naturalWidth)")


def test_a_clone_pulls_the_model_from_a_remote_and_predicts(project, tmp_path):
    project.run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    try:
        project.run("dvc", "push")
    finally:
        # Others have this project after us.
        project.run("dvc", "remote", "remove", "--local", "store")
    project.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = type(project)(tmp_path / "clone")
    clone.run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    clone.run("dvc", "pull")
    assert json.loads(clone.run("dvc", "status", "--json")) == {}
    picture = next((project.folder / "photos/red").iterdir())
    said = clone.run("python", "-m", "resnet", "predict", "--json", "--model", "models/model.keras", str(picture))
    answer = json.loads(said.splitlines()[0])
    assert set(answer["classes"]) < {"red", "green", "blue"}


def test_the_report_and_the_card_state_what_was_measured(project):
    accuracy = json.loads((project.folder / "metrics/evaluate.json").read_text())["accuracy"]
    assert f"{100 * accuracy:.2f}\u00a0%" in (project.folder / "reports/report.html").read_text()
    assert f"| {accuracy} |" in (project.folder / "reports/MODEL_CARD.md").read_text()


def test_images_that_fail_their_validation_are_not_trained_on(project):
    project.set_params(validate={"smallest_class": {"at_least": 1000, "severity": "fail"}})
    try:
        said = project.run("dvc", "repro", fails=True)
        assert "smallest_class: 3 of 3 break it, such as blue, green, red" in said
        assert "Running stage 'train'" not in said
        assert json.loads((project.folder / "reports/validation.json").read_text())["success"] is False
        assert "may not be trained on" in (project.folder / "reports/validation.html").read_text()
    finally:
        project.run("git", "checkout", ".")
        project.run("dvc", "checkout", "--force")
    assert json.loads(project.run("dvc", "status", "--json")) == {}


def test_a_misspelt_model_name_ends_the_first_stage_and_what_it_says_brings_all_back(project):
    advice = "git checkout -- dvc.lock metrics plots reports && dvc checkout --force"
    project.set_params(data={"test_fraction": 0.3}, model={"name": "resnet21"})
    try:
        said = project.run("dvc", "repro", fails=True)
        assert "error: params.yaml: model.name: there is no architecture 'resnet21'; the nearest are resnet" in said
        assert "Traceback" not in said
        assert advice in said
    finally:
        project.run("sh", "-c", advice)
        project.run("git", "checkout", "params.yaml")
    assert json.loads(project.run("dvc", "status", "--json")) == {}


def test_stock_keras_loads_the_model_where_the_project_is_not(project, tmp_path):
    code = (
        "import gc; gc.disable(); import sys, keras; model = keras.saving.load_model(sys.argv[1]); "
        "assert model.input_shape == (None, 16, 16, 3); assert 'resnet' not in sys.modules"
    )
    model = project.folder / "models/model.keras"
    subprocess.run([sys.executable, "-I", "-c", code, str(model)], cwd=tmp_path, check=True)


def test_another_model_can_be_measured_into_a_folder_of_its_own(project, tmp_path):
    before = (project.folder / "metrics/evaluate.json").read_bytes()
    project.run("python", "-m", "stages.evaluate", "--model", "models/model.keras", "--out", str(tmp_path))
    assert (tmp_path / "metrics/evaluate.json").read_bytes() == before
    said = project.run("python", "-m", "stages.evaluate", "--model", "nothing.keras", fails=True)
    assert "error: there is no model at nothing.keras" in said
    assert (project.folder / "metrics/evaluate.json").read_bytes() == before


def test_no_stage_reads_a_file_of_the_project_that_it_does_not_declare(project, forced):
    stages = YAML(typ="safe").load(project.folder / "dvc.yaml")["stages"]
    _, opened = forced
    assert opened.keys() == stages.keys()
    for name, stage in stages.items():
        own = [path for path in opened[name] if path.startswith(f"{project.folder}/")]
        read = {path.removeprefix(f"{project.folder}/").replace("__pycache__/", "") for path in own}
        read = {path.split(".cpython-")[0] + ".py" if ".cpython-" in path else path for path in read}
        # Checkpoints and locks change when a result is there, and never what it is.
        unversioned = ("logs/", ".dvc/tmp/checkpoints/", ".dvc/tmp/stages/", "dvc.lock")
        declared = ("params.yaml", "photos", "dvc.yaml", *unversioned, *stage["deps"], *outputs(stage))
        strangers = {path for path in read if not path.startswith(declared) and (project.folder / path).exists()}
        assert not strangers, name
