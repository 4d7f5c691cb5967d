import hashlib
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from stages import checkpoints
from stages.checkpoints import KEPT, claimed, forget_recorded, remember_model, store
from stages.errors import BadInput
from stages.exclusive import try_lock
from stages.fingerprint import fingerprint, ingredients

MD5 = hashlib.md5(b"weights", usedforsecurity=False).hexdigest()


def git(folder, *arguments):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments], cwd=folder, check=True)


def test_without_git_the_checkpoints_are_in_the_project(here):
    assert store() == here / ".dvc/tmp/checkpoints"


def test_every_worktree_finds_the_checkpoints_of_the_main_repository(here, monkeypatch):
    project = here / "main/project"
    (project / ".dvc").mkdir(parents=True)
    (project / ".dvc/config").touch()
    git(here, "init", "--quiet", "main")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "a project below the root")
    git(project, "worktree", "add", "--quiet", here / "linked")
    for folder in (project, here / "linked/project"):
        monkeypatch.chdir(folder)
        assert store() == project / ".dvc/tmp/checkpoints"


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"train.learning_rate": 0.01}, False),
        ({"train.threads": 1}, False),
        ({"seed": 1}, False),
        ({"model.name": "resnet32"}, False),
        ({"train.checkpoint_seconds": 7}, True),
        ({"train.tensorboard": True}, True),
        ({"report.title": "Cats"}, True),
    ],
    ids=str,
)
def test_a_fingerprint_is_of_what_shapes_the_training(settings, here, changes, same):
    (here / "images.npy").write_bytes(b"pixels")
    found = [fingerprint(ingredients(params, [here / "images.npy"])) for params in (settings(), settings(**changes))]
    assert (found[0] == found[1]) == same


def test_other_data_other_libraries_and_other_switches_have_another_fingerprint(settings, here, monkeypatch):
    def now():
        return fingerprint(ingredients(settings(), [here / "images.npy"]))

    (here / "images.npy").write_bytes(b"pixels")
    found = [now()]
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    found.append(now())
    (here / "images.npy").write_bytes(b"Pixels")
    found.append(now())
    monkeypatch.setattr("stages.fingerprint.version", lambda name: "0.1")
    found.append(now())
    assert len(set(found)) == 4


def test_a_second_process_at_the_same_training_is_refused_with_the_number_of_the_first(here):
    code = """
        import sys
        from stages.checkpoints import claimed
        with claimed("same"):
            print("claimed", flush=True)
            sys.stdin.read()
    """
    root = checkpoints.__file__.rpartition("/stages/")[0]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    ) as other:
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(BadInput, match=f"the process {other.pid} is still at this training.*`kill {other.pid}`"):
            claimed("same", patience=0).__enter__()
        with claimed("another", patience=0):
            pass
        other.kill()
    with claimed("same", patience=0) as folder:  # a lock ends with its process
        assert (folder / "lock").read_text() == str(os.getpid())


def test_the_checkpoints_of_a_model_that_dvc_has_recorded_are_thrown_away(here):
    (here / "model").write_bytes(b"weights")
    for name in ("recorded", "finished", "unfinished"):
        with claimed(name) as folder:
            (folder / "some.npz").touch()
    remember_model(store() / "recorded", here / "model")
    (here / "model").write_bytes(b"other weights")
    remember_model(store() / "finished", here / "model")
    forget_recorded()
    assert len(list(store().iterdir())) == 3
    (here / "dvc.lock").write_text(f"outs:\n- md5: {MD5}\n")
    forget_recorded()
    assert {folder.name for folder in store().iterdir()} == {"finished", "unfinished"}


def test_checkpoints_that_a_process_is_using_are_not_thrown_away(here):
    (here / "model").write_bytes(b"weights")
    (here / "dvc.lock").write_text(MD5)
    with claimed("used") as folder:
        remember_model(folder, here / "model")
        forget_recorded()
        assert folder.exists()
    forget_recorded()
    assert not folder.exists()


def test_the_checkpoints_of_the_latest_trainings_are_kept_and_older_ones_make_room(here):
    for number in range(KEPT + 3):
        with claimed(f"{number:02}") as folder:
            os.utime(folder, (number, number))
    with claimed("new"):
        pass
    assert {folder.name for folder in store().iterdir()} == {"new", *(f"{number:02}" for number in range(4, KEPT + 3))}


def test_a_clock_that_jumps_back_does_not_make_the_newest_training_the_oldest(here):
    for number in range(KEPT):
        with claimed(f"{number:02}") as folder:
            os.utime(folder, (2e9, 2e9))
    with claimed("killed") as folder:
        os.utime(folder, (1, 1))
    with claimed("new"):
        pass
    assert {folder.name for folder in store().iterdir()} == {
        "new",
        "killed",
        *(f"{number:02}" for number in range(2, KEPT)),
    }


def test_the_lock_of_a_folder_that_was_thrown_away_meanwhile_is_no_lock(here):
    with claimed("gone") as folder:
        waiting = (folder / "lock").open("a+")
    shutil.rmtree(folder)
    with waiting:
        assert not try_lock(waiting)
    with claimed("gone", patience=0):
        pass
