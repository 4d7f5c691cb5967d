import os

import pytest

from stages import arguments, code_at_start
from stages.lineage import unchanged

PIPELINE = """
stages:
  look:
    cmd: python -m stages.look
    params: [seed, looking.hard]
    deps: ["${looking.at}", code.py]
"""


@pytest.fixture
def project(here):
    (here / "dvc.yaml").write_text(PIPELINE)
    (here / "params.yaml").write_text("seed: 0\nlooking: {at: photos, hard: true}\ntitle: Old\n")
    (here / "code.py").write_text("1")
    (here / "photos/cat/__pycache__").mkdir(parents=True)
    (here / "photos/cat/1.png").write_bytes(b"cat")
    return here


def rewrite(path, content):
    """With the same time and size, which an editor that replaces the file would give away by nothing else."""
    status = path.stat()
    new = path.with_name("new")
    new.write_text(content)
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda here: (here / "code.py").write_text("22"), "code.py"),
        (lambda here: rewrite(here / "code.py", "2"), "code.py"),
        (lambda here: (here / "photos/cat/2.png").touch(), "photos/cat/2.png"),
        (lambda here: (here / "photos/cat/1.png").unlink(), "photos/cat/1.png"),
        (
            lambda here: (here / "params.yaml").write_text("seed: 1\nlooking: {at: photos, hard: true}"),
            "seed of params",
        ),
        (lambda here: (here / "params.yaml").write_text("seed: 0\nlooking: {at: photos}"), "looking.hard of params"),
        (lambda here: (here / "params.yaml").write_text(""), "looking.hard of params.yaml, photos/cat/1.png, seed of"),
    ],
    ids=["grown", "replaced", "added", "removed", "a param", "a param gone", "params emptied"],
)
def test_a_stage_whose_dependency_changed_meanwhile_fails_and_names_it(project, refusal, change, named):
    def work():
        with unchanged("look"):
            change(project)

    said = refusal(work)
    assert named in said
    assert "changed while the stage ran" in said


@pytest.mark.parametrize(
    "change",
    [
        lambda here: (here / "params.yaml").write_text("title: New\nlooking: {hard: true, at: photos}\nseed: 0"),
        lambda here: (here / "photos/cat/__pycache__/1.pyc").touch(),
        lambda here: (here / "notes.txt").touch(),
    ],
    ids=["another section", "bytecode", "another file"],
)
def test_what_a_stage_does_not_depend_on_may_change(project, change):
    with unchanged("look"):
        change(project)


def test_many_changes_are_counted_and_a_few_are_named(project, refusal):
    def work():
        with unchanged("look"):
            for number in range(1000):
                (project / f"photos/{number:04}.png").touch()

    assert refusal(work).startswith("photos/0000.png, photos/0001.png, photos/0002.png and 997 more changed")


def test_without_a_dvc_yaml_a_stage_is_not_held_to_anything(project):
    (project / "dvc.yaml").unlink()
    with unchanged("look"):
        (project / "code.py").unlink()


def test_the_stage_of_a_pipeline_below_the_root_is_known_by_its_name(project, refusal):
    def work():
        with unchanged("below/dvc.yaml:look"):
            (project / "code.py").touch()

    assert "code.py" in refusal(work)


def test_code_that_is_edited_while_a_stage_imports_its_libraries_counts_as_well(project, refusal, monkeypatch):
    code = project / "stages/code.py"
    code.parent.mkdir()
    code.write_text("1")
    (project / "dvc.yaml").write_text(PIPELINE.replace("code.py", "stages/code.py"))
    monkeypatch.setattr(code_at_start, "seen", {})
    monkeypatch.setattr("sys.argv", ["look.py"])
    arguments.read("Stage 1: looks")
    code.write_text("22")

    def work():
        with unchanged("look"):
            pass

    assert "stages/code.py changed while the stage ran" in refusal(work)
