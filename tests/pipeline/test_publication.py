"""Retrainings are shared: data first, then branch and tags, and what could not be pushed is pushed later."""

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.checkout import checkout
from pipeline.errors import DvcFailed, GitFailed, PipelineError
from pipeline.publication import Publication

BRANCH = "retrain/2026-01-01T000000Z"


@pytest.fixture
def retrained(shared):
    shared.retrain("2026-01-01T000000Z", 7)
    return shared


def publish(small, branch=BRANCH):
    publication = Publication(small.found, print)
    publication.remember(branch)
    with checkout(small.found, branch, "night") as folder:
        publication.publish(branch, folder)


def waiting(small):
    return Publication(small.found, print).waiting()


def pushed(small, remote="origin"):
    return small.git("ls-remote", "--refs", remote).split()[1::2]


def store(small):
    return small.folder.parent / "store"


def test_a_colleague_gets_the_branch_with_its_model_and_the_registry(retrained, tmp_path):
    registry.promote(retrained.folder, BRANCH)
    retrained.git("tag", "a-persons-own")
    # Any name will do where there is no origin.
    retrained.git("remote", "rename", "origin", "upstream")
    publish(retrained)
    assert waiting(retrained) == []
    assert pushed(retrained, "upstream") == [
        f"refs/heads/{BRANCH}",
        "refs/tags/model#champion#1",
        "refs/tags/model@v0.0.1",
    ]
    retrained.git("clone", "--quiet", "--branch", BRANCH, str(tmp_path / "origin.git"), str(tmp_path / "colleague"))
    with retrained.dvc(tmp_path / "colleague") as repo:
        repo.pull()
    assert "rate 7" in (tmp_path / "colleague/models/model.keras").read_text()


def colleague(small, folder):
    """A clone of what has been pushed, with the champion's model."""
    small.git("clone", "--quiet", str(small.folder.parent / "origin.git"), str(folder))
    small.git("checkout", "--quiet", str(registry.champion(folder)), folder=folder)
    with small.dvc(folder) as repo:
        repo.pull()
    return (folder / "models/model.keras").read_text()


def test_a_version_is_handed_out_with_its_data_whichever_branch_is_pushed(retrained, tmp_path):
    retrained.git("push", "--quiet", "origin", "main")
    registry.promote(retrained.folder, "main")
    publish(retrained)
    assert "rate 1" in colleague(retrained, tmp_path / "colleague")


def test_what_a_person_has_rolled_back_is_pushed_where_no_branch_waits(retrained, tmp_path):
    retrained.git("push", "--quiet", "origin", "main")
    registry.promote(retrained.folder, "main")
    registry.promote(retrained.folder, BRANCH)
    publish(retrained)
    assert "rate 7" in colleague(retrained, tmp_path / "colleague")
    registry.rollback(retrained.folder)
    Publication(retrained.found, print).publish_what_is_left()
    assert "rate 1" in colleague(retrained, tmp_path / "another")


def test_a_version_whose_data_cannot_be_pushed_stays_and_holds_nothing_up(retrained, capsys):
    whole = retrained.read("dvc.yaml")
    retrained.write("dvc.yaml", "stages: [\n")
    registry.promote(retrained.folder, retrained.commit("what DVC cannot read"))
    retrained.write("dvc.yaml", whole)
    retrained.commit("mended")
    publish(retrained)
    assert pushed(retrained) == [f"refs/heads/{BRANCH}"]
    said = "refs/tags/model#champion#1 and refs/tags/model@v0.0.1 stay here, and are tried again with the next run: "
    assert said in capsys.readouterr().out


def test_no_branch_is_pushed_whose_data_could_not_be(retrained):
    store(retrained).rmdir()
    store(retrained).write_text("in the way")
    with pytest.raises(
        DvcFailed, match=f"(?s)dvc push failed .*; {BRANCH} stays here, and is pushed with the next run"
    ):
        publish(retrained)
    assert pushed(retrained) == []
    assert waiting(retrained) == [BRANCH]


def test_no_branch_is_pushed_whose_data_is_lost_and_it_holds_nothing_up(retrained, capsys):
    registry.promote(retrained.folder, "main")
    retrained.retrain("2026-01-02T000000Z", 8)
    retrained.stored("models/model.keras", BRANCH).unlink()
    for branch in (BRANCH, "retrain/2026-01-02T000000Z"):
        Publication(retrained.found, print).remember(branch)
    Publication(retrained.found, print).publish_what_is_left()
    said = f"{BRANCH} stays here, and is pushed with the next run; if it cannot be brought back: git branch -D {BRANCH}"
    assert said in capsys.readouterr().out
    assert waiting(retrained) == [BRANCH]
    assert pushed(retrained) == [
        "refs/heads/retrain/2026-01-02T000000Z",
        "refs/tags/model#champion#1",
        "refs/tags/model@v0.0.1",
    ]


def test_a_version_whose_model_is_lost_stays(retrained, capsys):
    registry.promote(retrained.folder, "main")
    retrained.stored("models/model.keras").unlink()
    publish(retrained)
    assert pushed(retrained) == [f"refs/heads/{BRANCH}"]
    assert "stay here, and are tried again with the next run: some of its data is neither" in capsys.readouterr().out


def test_what_could_not_be_pushed_is_pushed_next_time(retrained):
    origin = retrained.folder.parent / "origin.git"
    origin.rename(origin.with_name("away.git"))
    with pytest.raises(GitFailed, match=f"(?s)git ls-remote .*; {BRANCH} stays here, and is pushed with the next run"):
        publish(retrained)
    # The data went first.
    assert any(store(retrained).rglob("*"))
    assert waiting(retrained) == [BRANCH]
    with pytest.raises(GitFailed):
        Publication(retrained.found, print).publish_what_is_left()
    assert waiting(retrained) == [BRANCH]

    origin.with_name("away.git").rename(origin)
    shutil.rmtree(store(retrained))
    Publication(retrained.found, print).publish_what_is_left()
    assert waiting(retrained) == []
    assert pushed(retrained) == [f"refs/heads/{BRANCH}"]
    # And the data again, wherever it may have gone.
    assert any(store(retrained).rglob("*"))
    assert retrained.git("worktree", "list", "--porcelain").count("worktree ") == 1


def test_a_number_that_another_machine_gave_to_its_own_model_is_told_of_and_nothing_is_pushed(retrained, tmp_path):
    registry.promote(retrained.folder, "main")
    retrained.git("push", "--quiet", "origin", "refs/tags/model@v0.0.1")
    retrained.git("tag", "--delete", "model@v0.0.1", "model#champion#1")
    registry.promote(retrained.folder, BRANCH)
    with pytest.raises(
        PipelineError, match=r"the tag model@v0.0.1 on origin is not the one here, .* promote REV; .* stays"
    ) as told:
        publish(retrained)
    # No waiting would help.
    assert not isinstance(told.value, GitFailed)
    assert pushed(retrained) == ["refs/tags/model@v0.0.1"]
    assert waiting(retrained) == [BRANCH]

    retrained.git("tag", "--delete", "model@v0.0.1", "model#champion#1")
    retrained.git("fetch", "--quiet", "origin", "--tags")
    registry.promote(retrained.folder, BRANCH)
    Publication(retrained.found, print).publish_what_is_left()
    assert pushed(retrained) == [
        f"refs/heads/{BRANCH}",
        "refs/tags/model#champion#1",
        "refs/tags/model@v0.0.1",
        "refs/tags/model@v0.0.2",
    ]


def test_nobody_is_asked_for_a_password(shared, tmp_path):
    """A ssh asks at the terminal, whatever its input is, and waits for ever where nobody sits."""
    asks = tmp_path / "ssh"
    asks.write_text("#!/bin/sh\n(: < /dev/tty) 2> /dev/null && echo it could ask >&2\nexit 1\n")
    asks.chmod(0o755)
    script = (
        "from pathlib import Path; from pipeline.git import git; "
        f"git(Path(), '-c', 'core.sshCommand={asks}', 'ls-remote', 'ssh://nobody/nothing')"
    )
    told = []

    def read(terminal):
        told.append(os.read(terminal, 1024))
        return told[-1]

    assert pty.spawn([sys.executable, "-c", script], read) != 0
    assert b"GitFailed" in b"".join(told)
    assert b"it could ask" not in b"".join(told)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_git_has_started_ends_with_whoever_asked_for_it(tmp_path, wait_for, number):
    pid, ssh = tmp_path / "pid", tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\necho $$ > {pid}.new\nmv {pid}.new {pid}\nexec sleep 60\n")
    ssh.chmod(0o755)
    script = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); "
        "from pathlib import Path; from pipeline.git import git; "
        f"git(Path(), '-c', 'core.sshCommand={ssh}', 'ls-remote', 'ssh://nobody/nothing')"
    )
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as process:
        wait_for(pid.exists)
        process.send_signal(number)
    assert process.returncode != 0
    wait_for(lambda: not Path("/proc", pid.read_text().strip()).exists(), 10)


def test_without_a_git_remote_the_result_stays_and_it_is_said_what_to_do(small):
    small.retrain("2026-01-01T000000Z", 7)
    with pytest.raises(PipelineError, match=r"there is no git remote to push to; git remote add .* stays here"):
        publish(small)
    assert waiting(small) == [BRANCH]


def test_where_there_is_nowhere_to_push_to_it_is_said_before_anything_is_trained(small, tmp_path):
    publication = Publication(small.found, print)
    with pytest.raises(PipelineError, match="there is no git remote to push to; git remote add"):
        publication.check()
    small.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    with pytest.raises(PipelineError, match="there is no default DVC remote to push to; dvc remote add"):
        publication.check()
    # One alone is none that is taken by default.
    with small.dvc() as repo, repo.config.edit("repo") as settings:
        settings["remote"]["store"] = {"url": str(tmp_path / "store")}
    with pytest.raises(PipelineError, match="or dvc remote default NAME where there is one"):
        publication.check()


def test_two_remotes_are_enough_to_begin(shared):
    Publication(shared.found, print).check()


def test_a_branch_that_a_person_has_deleted_waits_no_more(small):
    small.git("branch", BRANCH)
    small.git("branch", f"{BRANCH}-more")
    publication = Publication(small.found, print)
    publication.remember(BRANCH)
    publication.remember(f"{BRANCH}-more")
    publication.remember(BRANCH)
    assert waiting(small) == [f"{BRANCH}-more", BRANCH]
    small.git("branch", "--delete", "--force", BRANCH)
    assert waiting(small) == [f"{BRANCH}-more"]
    # A branch below that name is none of that name.
    small.git("branch", f"{BRANCH}/deep")
    assert waiting(small) == [f"{BRANCH}-more"]
