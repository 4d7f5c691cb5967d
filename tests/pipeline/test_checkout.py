"""Checkouts that share a project's DVC cache and remotes, and leave a person's work alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.checkout import checkout, remove_left_behind
from pipeline.errors import GitFailed
from pipeline.project import find

ROOT = Path(__file__).parents[2]


def worktrees(small):
    return small.git("worktree", "list", "--porcelain").count("worktree ")


def remotes(small, folder):
    with small.dvc(folder) as repo:
        return repo.config["core"].get("remote"), {name: dict(remote) for name, remote in repo.config["remote"].items()}


def test_a_checkout_holds_its_commit_and_has_its_data_from_the_projects_cache(small):
    old = small.git("rev-parse", "HEAD")
    model = small.read("models/model.keras")
    small.train(2)
    with checkout(small.found, old, "night") as folder:
        assert folder.name == small.folder.name
        assert small.git("rev-parse", "HEAD", folder=folder) == old
        assert not (folder / "models").exists()
        with small.dvc(folder) as repo:
            repo.checkout()
        assert (folder / "models/model.keras").read_text() == model


def test_what_a_checkout_makes_is_in_the_projects_cache_when_it_is_gone(small):
    with checkout(small.found, "HEAD", "night") as folder:
        (folder / "params.yaml").write_text("rate: 7\n")
        with small.dvc(folder) as repo:
            repo.checkout()
            repo.reproduce()
        small.commit("trained elsewhere", folder=folder)
        small.git("branch", "trained", folder=folder)
    small.back_to("trained")
    assert "rate 7" in small.read("models/model.keras")


def fail_in(project):
    with checkout(project, "HEAD", "night") as folder:
        assert folder.is_dir()
        raise RuntimeError(str(folder))


def test_a_checkout_is_gone_afterwards_from_disk_and_from_git_also_when_its_run_fails(small):
    with pytest.raises(RuntimeError) as failure:
        fail_in(small.found)
    assert not Path(str(failure.value)).parent.exists()
    assert worktrees(small) == 1
    assert remove_left_behind(small.found) == []


def test_what_a_person_is_at_work_on_is_no_obstacle_and_stays(small):
    small.write("params.yaml", "rate: 5\n")
    small.write("data/words.txt", "unsaved\n")
    small.write("notes.txt", "untracked\n")
    small.write("staged.txt", "staged\n")
    small.git("add", "staged.txt")
    before = small.git("status", "--porcelain")
    with checkout(small.found, "HEAD", "night") as folder:
        assert (folder / "params.yaml").read_text() == "rate: 1\n"
        assert not (folder / "notes.txt").exists()
        with small.dvc(folder) as repo:
            repo.checkout(force=True)
        assert small.git("status", "--porcelain") == before
    assert small.git("status", "--porcelain") == before
    assert small.read("data/words.txt") == "unsaved\n"
    assert small.git("rev-parse", "--abbrev-ref", "HEAD") == "main"


@pytest.fixture
def killed_in_checkout(small):
    """Make a checkout in a process that is killed before it can remove it."""

    def leave(name):
        code = (
            "import os, sys; from pathlib import Path; from pipeline.checkout import checkout\n"
            "from pipeline.project import find\n"
            "with checkout(find(Path(sys.argv[1])), 'HEAD', sys.argv[2]): os.kill(os.getpid(), 9)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, str(small.folder), name], cwd=ROOT, check=False)
        assert done.returncode == -9

    return leave


def test_checkouts_that_a_killed_run_left_behind_are_removed(small, killed_in_checkout):
    killed_in_checkout("night")
    left = small.found.state / "checkouts"
    (left / "half-made").mkdir()
    assert (left / "night/project/dvc.yaml").exists()
    assert worktrees(small) == 2
    assert remove_left_behind(small.found) == ["half-made", "night"]
    assert worktrees(small) == 1
    assert list(left.iterdir()) == []


def test_a_checkout_that_the_disk_lost_is_made_anew_under_the_same_name(small, killed_in_checkout):
    killed_in_checkout("night")
    shutil.rmtree(small.found.state / "checkouts")
    remove_left_behind(small.found)
    with checkout(small.found, "HEAD", "night") as folder:
        assert (folder / "dvc.yaml").exists()


def test_a_commit_that_does_not_exist_is_refused_and_nothing_is_left(small):
    with pytest.raises(GitFailed), checkout(small.found, "nothing", "night"):
        pass
    assert remove_left_behind(small.found) == []


@pytest.mark.parametrize("level", ["repo", "local"])
@pytest.mark.parametrize("relative", [True, False])
def test_remotes_are_the_projects_wherever_they_are_written(small, relative, level):
    (small.folder.parent / "store").mkdir()
    with small.dvc() as repo, repo.config.edit(level) as settings:
        # As `dvc remote add` writes it.
        url = str(small.folder.parent / "store")
        settings["remote"]["store"] = {"url": url}
        settings["core"]["remote"] = "store"
    if relative:
        name = {"repo": ".dvc/config", "local": ".dvc/config.local"}[level]
        small.write(name, small.read(name).replace(str(small.folder.parent), "../.."))
    small.commit()
    with checkout(small.found, "HEAD", "night") as folder:
        default, found = remotes(small, folder)
        assert (default, found["store"]["url"]) == ("store", str(small.folder.parent / "store"))
        with small.dvc(folder) as repo:
            assert repo.push() > 0
    assert (small.folder.parent / "store/files").is_dir()


@pytest.mark.parametrize("directory", ["../../elsewhere/cache", "inside"])
def test_a_cache_in_another_place_is_shared_too(small, directory):
    with small.dvc() as repo, repo.config.edit("local") as settings:
        settings["cache"]["dir"] = str((small.folder / ".dvc" / directory).resolve())
    with small.dvc() as repo:
        own = repo.cache.local_cache_dir
    with checkout(small.found, "HEAD", "night") as folder, small.dvc(folder) as repo:
        assert repo.cache.local_cache_dir == own


def test_a_checkout_of_a_linked_worktree_shares_that_ones_settings(small, tmp_path):
    small.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "other")
    with small.dvc(tmp_path / "linked") as repo, repo.config.edit("local") as settings:
        settings["cache"]["dir"] = str(small.folder / ".dvc/cache")
    with checkout(find(tmp_path / "linked"), "other", "night") as folder:
        assert folder.is_relative_to(small.folder / ".dvc/tmp")
        with small.dvc(folder) as repo:
            repo.checkout()
        assert (folder / "models/model.keras").is_file()


def test_neighbours_of_the_project_are_found_from_the_checkout(small, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/one.txt").write_text("one\n")
    (tmp_path / "other.txt").write_text("other\n")
    small.write(
        "dvc.yaml", small.read("dvc.yaml").replace("deps: [data/words.txt]", "deps: [../photos, data/words.txt]")
    )
    with small.dvc() as repo:
        repo.imp_url(str(tmp_path / "other.txt"), "data/other.txt")
        repo.reproduce()
    small.commit()
    with checkout(small.found, "HEAD", "night") as folder:
        assert (folder / "../photos/one.txt").read_text() == "one\n"
        with small.dvc(folder) as repo:
            repo.checkout()
            assert repo.status() == {}
    assert (tmp_path / "photos/one.txt").read_text() == "one\n"


def test_a_path_in_any_language_is_no_obstacle(small):
    small.folder = small.folder.rename(small.folder.parent / "Bilder für Zoë, #1")
    with checkout(small.found, "HEAD", "night") as folder, small.dvc(folder) as repo:
        repo.checkout()
        assert (folder / "models/model.keras").is_file()


def test_nothing_of_a_checkout_is_left_in_the_place_for_the_whole_machine(small, tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    with small.dvc() as repo, repo.config.edit("local") as settings:
        settings["core"]["site_cache_dir"] = str(tmp_path / "own")
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/config").write_text(f"[core]\nsite_cache_dir = {tmp_path / 'machine'}\n")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "settings"))
    with checkout(small.found, "HEAD", "night") as folder, small.dvc(folder) as repo:
        repo.checkout()
    assert not (tmp_path / "machine").exists()


def test_settings_that_may_hold_passwords_are_for_their_owner_alone(small):
    with small.dvc() as repo, repo.config.edit("local") as settings:
        settings["remote"]["store"] = {"url": "ssh://example.com/store", "user": 'a "b" #c, d'}
    with checkout(small.found, "HEAD", "night") as folder:
        assert remotes(small, folder)[1]["store"]["user"] == 'a "b" #c, d'
        assert (folder / ".dvc/config.local").stat().st_mode & 0o077 == 0


def test_a_persons_worktree_whose_disk_is_not_mounted_stays_known(small, tmp_path):
    small.git("worktree", "add", "--quiet", str(tmp_path / "disk/work"), "-b", "work")
    (tmp_path / "disk").rename(tmp_path / "unmounted")
    with checkout(small.found, "HEAD", "night"):
        pass
    (tmp_path / "unmounted").rename(tmp_path / "disk")
    assert small.git("status", "--short", "--branch", folder=tmp_path / "disk/work") == "## work"


def test_a_checkout_leaves_no_databases_where_the_environment_sends_them(small, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    with small.dvc() as repo:
        own = {Path(repo.site_cache_dir)}
    with checkout(small.found, "HEAD", "night") as folder, small.dvc(folder):
        assert set((tmp_path / "site-cache/repo").iterdir()) > own
    assert set((tmp_path / "site-cache/repo").iterdir()) == own
