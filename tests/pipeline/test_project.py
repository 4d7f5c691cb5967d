"""Where a project is found, and what is said where there is none."""

import pytest

from pipeline.__main__ import main
from pipeline.errors import PipelineError
from pipeline.git import commit_of, git, read
from pipeline.project import Project, find


def test_a_project_is_found_from_its_root_and_from_any_folder_in_it(small):
    (small.folder / "notes/deep").mkdir(parents=True)
    for start in (small.folder, small.folder / "data", small.folder / "notes/deep"):
        found = find(start)
        assert (found.folder, found.main) == (small.folder, small.folder)


def test_a_linked_worktree_is_a_folder_of_its_own_and_shares_what_belongs_to_the_machine(small, tmp_path):
    small.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "other")
    found = find(tmp_path / "linked" / "data")
    assert (found.folder, found.main) == (tmp_path / "linked", small.folder)
    assert found.state == small.found.state == small.folder / ".dvc/tmp"
    assert found.logs == small.found.logs == small.folder / "logs"


def test_a_folder_that_is_not_there_is_told_as_such(tmp_path):
    with pytest.raises(PipelineError, match=r"there is no folder .*/nowhere; name the project's folder"):
        find(tmp_path / "nowhere")


def test_a_folder_outside_any_repository_is_told_as_such(tmp_path):
    with pytest.raises(PipelineError, match="is in no git repository; run from the project's root, or make it one"):
        find(tmp_path)


def test_a_repository_of_somebody_elses_is_not_said_to_be_none(small, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(PipelineError, match="dubious ownership") as refusal:
        find(small.folder)
    assert "no git repository" not in str(refusal.value)


@pytest.mark.parametrize("missing", ["dvc.yaml", ".dvc"])
def test_a_repository_without_a_pipeline_is_told_what_it_lacks(small, missing):
    (small.folder / missing).rename(small.folder.parent / "away")
    with pytest.raises(PipelineError, match=f"project has no {missing}; expected the root of a DVC pipeline"):
        find(small.folder)


def test_commits_are_found_by_branch_tag_and_beginning(small):
    commit = small.git("rev-parse", "HEAD")
    small.git("tag", "--annotate", "--message", "a tag", "named")
    assert {commit_of(small.folder, name) for name in ("HEAD", "main", "named", commit[:8])} == {commit}


def test_a_file_is_read_as_it_is_in_a_commit(small):
    small.write("params.yaml", "rate: 9\n")
    assert read(small.folder, "HEAD", "params.yaml") == "rate: 1"
    assert read(small.folder, "HEAD", "nothing.yaml") is None


def test_neither_hooks_nor_signing_keys_hold_up_what_runs_unattended(small):
    hook = small.folder / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    small.git("config", "commit.gpgSign", "true")
    small.git("config", "tag.gpgSign", "true")
    small.git("config", "gpg.program", "/bin/false")
    git(small.folder, "commit", "--quiet", "--allow-empty", "--message", "nightly")
    git(small.folder, "tag", "--annotate", "--message", "nightly", "nightly")
    assert commit_of(small.folder, "nightly") == commit_of(small.folder, "HEAD")


def test_a_submodule_is_a_project_of_its_own(small, tmp_path):
    above = tmp_path / "above"
    small.git("init", "--quiet", str(above))
    adding = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    small.git(*adding, str(small.folder), "inner", folder=above)
    assert find(above / "inner") == Project(above / "inner", above / "inner")


def test_a_worktree_of_a_bare_repository_is_a_project_of_its_own(small, tmp_path):
    small.git("clone", "--quiet", "--bare", str(small.folder), str(tmp_path / "bare.git"))
    small.git("worktree", "add", "--quiet", str(tmp_path / "tree"), "main", folder=tmp_path / "bare.git")
    assert find(tmp_path / "tree") == Project(tmp_path / "tree", tmp_path / "tree")


def test_a_hook_of_another_repository_may_call_the_command_line(small, tmp_path, monkeypatch):
    monkeypatch.chdir(small.folder)
    small.git("init", "--quiet", str(tmp_path / "other"))
    for name, value in {"GIT_DIR": ".git", "GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index"}.items():
        monkeypatch.setenv(name, str(tmp_path / "other" / value))
    main(["promote", "HEAD"])
    assert small.git("tag", "--list", "model@*") == "model@v0.0.1"
