"""The same pipeline as a Prefect flow, with a real Prefect server and real DVC."""

import shutil

import pytest


@pytest.fixture(scope="module", autouse=True)
def prefect(project, prefect_server):
    project.environment["PREFECT_API_URL"] = prefect_server
    yield
    del project.environment["PREFECT_API_URL"]


def outcomes(said):
    rows = [line.split() for line in said.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[1] in ("ran", "restored", "unchanged")}


def test_a_flow_run_restores_what_dvc_has_and_leaves_the_lock_as_repro_does(project):
    before = project.lock()
    shutil.rmtree(project.folder / "data/prepared")
    (project.folder / "dvc.lock").unlink()
    said = project.run("python", "-m", "pipeline", "run")
    # The card is kept in git, which keeps the report, and it alone, out of DVC's run cache.
    assert outcomes(said) == dict.fromkeys(("prepare", "validate", "train", "evaluate"), "restored") | {"report": "ran"}
    assert project.lock() == before


def test_a_flow_run_of_an_unchanged_pipeline_starts_no_stage(project):
    said = project.run("python", "-m", "pipeline", "run")
    assert outcomes(said) == dict.fromkeys(("prepare", "validate", "train", "evaluate", "report"), "unchanged")


def test_a_flow_run_streams_what_a_stage_says_and_fails_with_it(project):
    project.set_params(validate={"smallest_class": {"at_least": 1000, "severity": "fail"}})
    try:
        said = project.run("python", "-m", "pipeline", "run", fails=True)
    finally:
        project.run("git", "checkout", ".")
        project.run("dvc", "checkout", "--force")
    assert "Task run 'validate' - error: 1 of 16 rules failed" in said
    assert "Task run 'train'" not in said
    assert "error: stage validate failed" in said
