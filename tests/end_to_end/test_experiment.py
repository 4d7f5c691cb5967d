"""An experiment of DVC's, beside the run that is committed."""

import csv
import json

import pytest
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def experiment(project):
    """An experiment called `longer`, in the workspace beside the first run."""
    project.run("dvc", "exp", "run", "--name", "longer", "-S", "train.epochs=3")
    yield
    project.run("git", "checkout", ".")
    project.run("dvc", "checkout", "--force")
    project.run("dvc", "exp", "remove", "longer")
    assert json.loads(project.run("dvc", "status", "--json")) == {}


@pytest.mark.usefixtures("experiment")
def test_an_experiment_with_another_value_can_be_compared(project):
    with (project.folder / "plots/history.csv").open() as history:
        assert [row["epoch"] for row in csv.DictReader(history)] == ["1", "2", "3"]
    metrics = json.loads(project.run("dvc", "metrics", "diff", "--json"))
    assert metrics["metrics/train.json"]["epochs"] == {"old": 2, "new": 3, "diff": 1}
    params = json.loads(project.run("dvc", "params", "diff", "--json"))
    assert params["params.yaml"] == {"train.epochs": {"old": 2, "new": 3, "diff": 1}}
    assert "longer" in project.run("dvc", "exp", "show", "--csv")


@pytest.mark.usefixtures("experiment")
def test_the_plots_of_two_revisions_are_drawn_without_network(project, open_page, keep_screenshot):
    project.run("dvc", "plots", "diff", "HEAD", "--out", "dvc_plots")
    opened = open_page(project.folder / "dvc_plots/index.html")
    keep_screenshot(opened, "dvc-plots-diff")
    # DVC's own templates are of Vega-Lite 5, which 6 draws with a warning; Vega warns before the data is there.
    expected = ("The input spec uses Vega-Lite v5", "WARN ")
    assert [said for said in opened.said if not said.startswith(expected)] == []
    assert opened.asked == []
    # Those of dvc.yaml, and below them DVC draws each file once more.
    plots = len(YAML(typ="safe").load(project.folder / "dvc.yaml")["plots"])
    sizes = opened.ask("() => [...document.querySelectorAll('svg.marks')].map(svg => svg.clientWidth)")
    assert len(sizes) >= plots
    assert min(sizes) > 100
