"""What is committed, what DVC has stored and what lies in the workspace: every difference is found."""

import hashlib
import shutil

import pytest

from pipeline import registry
from pipeline.verification import verify


def findings(small):
    return [str(finding) for finding in verify(small.found)]


def only(small):
    (finding,) = findings(small)
    return finding


def stored(small, content):
    """Where DVC has a file of some content."""
    digest = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    return small.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def test_a_project_as_it_was_committed_is_in_order(small):
    assert findings(small) == []


def test_it_is_in_order_from_any_folder_and_in_a_linked_worktree(small, tmp_path, monkeypatch):
    monkeypatch.chdir(small.folder / "data")
    assert findings(small) == []
    small.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "other")
    linked = type(small)(tmp_path / "linked")
    with linked.dvc() as repo, repo.config.edit("local") as settings:
        settings["cache"]["dir"] = str(small.folder / ".dvc/cache")
    with linked.dvc() as repo:
        repo.checkout()
    assert findings(linked) == []


@pytest.mark.parametrize("name", ["dvc.lock", "params.yaml", "dvc.yaml", "data/words.txt.dvc"])
def test_a_file_that_is_not_as_committed_is_named(small, name):
    small.write(name, small.read(name) + "# a remark\n")
    assert only(small) == f"{name} is not as committed; git diff {name}, then commit it or git checkout it"


def test_a_file_of_any_name_that_is_not_as_committed_is_named_as_a_shell_takes_it(small):
    small.write("Fotos für mich.dvc", "outs: []\n")
    small.git("add", ".")
    assert only(small) == (
        "Fotos für mich.dvc is not as committed; git diff 'Fotos für mich.dvc', then commit it or git checkout it"
    )


def test_each_file_that_is_not_as_committed_is_named(small):
    for name in ("dvc.lock", "params.yaml"):
        small.write(name, small.read(name) + "# a remark\n")
    small.git("add", "params.yaml")
    assert [finding.split()[0] for finding in findings(small)] == ["dvc.lock", "params.yaml"]


def test_an_edited_output_is_named_with_its_stage(small):
    small.write("models/model.keras", "something else")
    assert only(small).startswith("train: changed outs: models/model.keras; dvc repro, or dvc checkout")


def test_outputs_and_metrics_that_are_gone_are_named(small):
    shutil.rmtree(small.folder / "data/prepared")
    (small.folder / "metrics/evaluate.json").unlink()
    said = "\n".join(findings(small))
    assert "prepare: changed outs: data/prepared" in said
    assert "metrics/evaluate.json" in said


def test_changed_data_is_named(small):
    small.write("data/words.txt", "three\n")
    said = "\n".join(findings(small))
    assert "data/words.txt.dvc: changed outs: data/words.txt" in said


@pytest.mark.parametrize("path", ["models/model.keras", "data/words.txt", "data/prepared"])
def test_a_flipped_bit_in_a_stored_object_is_found(small, path):
    damaged = small.stored(path)
    small.damage(damaged)
    said = f"{path} is damaged in DVC's cache, at {damaged}; delete that file, then dvc fetch or dvc repro"
    assert said in findings(small)


def test_a_flipped_bit_in_a_model_of_a_version_or_a_retraining_is_found(small):
    version = registry.promote(small.folder, "main")
    small.retrain("2026-01-01T000000Z", 3)
    small.train(2)
    for name in (str(version), "retrain/2026-01-01T000000Z"):
        damaged = small.stored("models/model.keras", name)
        small.damage(damaged)
        assert f"models/model.keras of {name} is damaged in DVC's cache, at {damaged};" in "\n".join(findings(small))


def test_a_flipped_bit_in_a_file_within_a_stored_folder_is_found(small):
    lines = stored(small, small.read("data/prepared/lines"))
    small.damage(lines)
    assert f"data/prepared/lines is damaged in DVC's cache, at {lines};" in "\n".join(findings(small))


def test_the_list_of_a_stored_folder_that_is_still_a_list_but_another_one_is_found(small):
    listing = small.stored("data/prepared")
    listing.chmod(0o644)
    listing.write_text(listing.read_text().replace("lines", "limes"))
    assert f"data/prepared is damaged in DVC's cache, at {listing}" in "\n".join(findings(small))


@pytest.mark.parametrize("path", ["models/model.keras", "data/prepared", "data/words.txt"])
def test_a_missing_object_is_found(small, path):
    missing = small.stored(path)
    missing.unlink()
    digest = missing.parent.name + missing.name
    assert f"{path} ({digest}) is not in DVC's cache; dvc fetch, or dvc repro" in findings(small)


def test_a_missing_object_within_a_stored_folder_is_found(small):
    lines = stored(small, small.read("data/prepared/lines"))
    lines.unlink()
    said = f"data/prepared/lines ({lines.parent.name}{lines.name}) is not in DVC's cache;"
    assert said in "\n".join(findings(small))


def test_a_version_and_a_retraining_that_a_careless_gc_has_emptied_are_found(small):
    version = registry.promote(small.folder, "main")
    small.retrain("2026-01-01T000000Z", 3)
    small.train(2)
    assert findings(small) == []
    with small.dvc() as repo:
        repo.gc(workspace=True)
    said = findings(small)
    assert [finding.split(",")[0] for finding in said] == [
        f"{version} has lost 1 of its files from DVC's cache",
        "retrain/2026-01-01T000000Z has lost 1 of its files from DVC's cache",
    ]
    assert "such as models/model.keras; dvc fetch" in said[0]


def test_the_remedy_for_a_lost_version_brings_it_back(shared):
    version = registry.promote(shared.folder, "main")
    shared.train(2)
    with shared.dvc() as repo:
        repo.push(all_commits=True)
        repo.gc(workspace=True)
    assert only(shared).startswith(f"{version} has lost")
    shared.git("checkout", "--quiet", str(version))
    with shared.dvc() as repo:
        repo.fetch()
    shared.back_to("main")
    assert findings(shared) == []
