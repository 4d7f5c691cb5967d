"""Somebody edits a file while a stage of a real `dvc repro` runs."""

import pytest


@pytest.fixture
def edited_while_training(project):
    """Train anew, and do something when the training has begun; give the exit status and what was said."""

    def run(edit):
        with project.start("dvc", "repro", "--force", "--single-item", "train") as process:
            said = ""
            for line in process.stdout:
                said += line
                if line.startswith("training resnet10 on"):
                    edit()
        return process.returncode, said

    yield run
    project.run("git", "checkout", ".")
    project.run("dvc", "checkout", "--force")


def run_cache(project):
    return sorted((project.folder / ".dvc/cache/runs").rglob("*"))


def test_of_a_training_whose_code_was_edited_meanwhile_dvc_records_nothing(project, edited_while_training):
    before, known = project.lock(), run_cache(project)
    code = project.folder / "resnet/schedules.py"
    status, said = edited_while_training(lambda: code.write_text(code.read_text() + "\n# edited\n"))
    assert status != 0
    assert "error: resnet/schedules.py changed while the stage ran" in said
    assert project.lock() == before
    assert run_cache(project) == known


def test_a_title_may_be_edited_while_the_network_trains(project, edited_while_training):
    before = project.lock()
    status, said = edited_while_training(lambda: project.set_params(report={"title": "A better title"}))
    assert status == 0, said
    assert project.lock() == before
