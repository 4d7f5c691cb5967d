"""Versions of the model and their champion, in a real repository's tags."""

import gto.api
import pytest

from pipeline import registry
from pipeline.checkout import checkout
from pipeline.errors import PipelineError

NO_MODEL = r"main has no models/model\.keras in its dvc\.lock; name a trained commit"


def test_a_repository_without_tags_has_no_versions_and_no_champion(small):
    assert registry.versions(small.folder) == []
    assert registry.champion(small.folder) is None


def test_tags_of_a_persons_own_are_no_versions(small):
    small.git("tag", "v1.0.0")
    small.git("tag", "--annotate", "--message", "a release", "release")
    assert registry.versions(small.folder) == []
    assert registry.champion(small.folder) is None


def test_the_first_promotion_makes_a_version_and_its_champion(small):
    promoted = registry.promote(small.folder, "main")
    assert str(promoted) == "model@v0.0.1"
    assert promoted.commit == small.git("rev-parse", "main")
    assert registry.champion(small.folder) == promoted
    assert registry.versions(small.folder) == [promoted]
    assert small.git("tag").splitlines() == ["model#champion#1", "model@v0.0.1"]


def test_each_promotion_of_a_new_commit_makes_the_next_version(small):
    gto.api.register(str(small.folder), "model", ref=small.commit(), version="v0.0.9")
    promoted = [registry.promote(small.folder, small.commit()) for _ in range(2)]
    # Not as text: v0.0.10 is newer than v0.0.9.
    assert [version.name for version in registry.versions(small.folder)] == ["v0.0.11", "v0.0.10", "v0.0.9"]
    assert registry.versions(small.folder)[:2] == promoted[::-1]
    assert registry.champion(small.folder) == promoted[-1]


def test_the_champion_is_not_promoted_again(small):
    registry.promote(small.folder, "main")
    with pytest.raises(PipelineError, match=r"main is the champion already, as model@v0\.0\.1"):
        registry.promote(small.folder, "main")
    assert len(small.git("tag").splitlines()) == 2


def test_a_former_champion_can_be_promoted_again_and_stays_the_same_version(small):
    first = registry.promote(small.folder, "main")
    second = registry.promote(small.folder, small.commit())
    assert registry.promote(small.folder, first.commit[:10]) == first
    assert registry.champion(small.folder) == first
    assert registry.versions(small.folder) == [second, first]


@pytest.mark.parametrize("revision", ["nobody", "--help", "main:dvc.lock"])
def test_a_revision_that_does_not_exist_is_told_as_such(small, revision):
    with pytest.raises(PipelineError, match=f"there is no revision '{revision}' here; expected a branch, a tag or"):
        registry.promote(small.folder, revision)


def test_a_commit_without_a_model_is_not_promoted(small):
    small.write("dvc.lock", "schema: '2.0'\nstages: {}\n")
    small.commit("untrained")
    with pytest.raises(PipelineError, match=NO_MODEL):
        registry.promote(small.folder, "main")
    small.git("rm", "--quiet", "dvc.lock")
    small.commit("never trained")
    with pytest.raises(PipelineError, match=NO_MODEL):
        registry.promote(small.folder, "main")
    assert small.git("tag") == ""


def test_rolling_back_goes_one_champion_back_each_time_and_then_says_so(small):
    first = registry.promote(small.folder, small.commit())
    gto.api.register(str(small.folder), "model", ref=small.commit())
    third, fourth = (registry.promote(small.folder, small.commit()) for _ in range(2))
    for expected in (third, first):
        assert registry.rollback(small.folder) == expected
        assert registry.champion(small.folder) == expected
    with pytest.raises(PipelineError, match=r"there is no champion before model@v0\.0\.1 to roll back to"):
        registry.rollback(small.folder)
    assert registry.champion(small.folder) == first
    # A version that never was the champion is passed over, and stays.
    assert [version.name for version in registry.versions(small.folder)] == [
        fourth.name,
        third.name,
        "v0.0.2",
        "v0.0.1",
    ]


def test_a_version_that_was_rolled_back_from_is_not_come_back_to_and_gto_and_dvc_hand_out_the_same(small):
    def handed_out():
        (staged,) = gto.api.find_versions_in_stage(str(small.folder), "model", "champion")
        with small.dvc() as repo:
            return staged.version, repo.artifacts.get_rev("model", stage="champion")

    first = registry.promote(small.folder, small.commit())
    registry.promote(small.folder, small.commit())
    registry.rollback(small.folder)
    assert handed_out() == (first.name, first.commit)
    third = registry.promote(small.folder, small.commit())
    assert handed_out() == (third.name, third.commit)
    assert registry.rollback(small.folder) == first
    assert handed_out() == (first.name, first.commit)


def test_without_a_champion_there_is_nothing_to_roll_back(small):
    with pytest.raises(PipelineError, match="there is no champion to roll back from"):
        registry.rollback(small.folder)


def test_a_machine_where_git_knows_no_name_promotes_too(small, monkeypatch):
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    small.git("config", "user.useConfigOnly", "true")
    registry.promote(small.folder, "main")
    assert small.git("for-each-ref", "--format=%(taggername) %(taggeremail)", "refs/tags/model@v0.0.1") == (
        "pipeline <pipeline@localhost>"
    )


def test_the_name_that_git_knows_is_the_taggers(small, monkeypatch):
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    small.git("config", "user.name", "Ada")
    small.git("config", "user.email", "ada@example.com")
    registry.promote(small.folder, "main")
    assert small.git("for-each-ref", "--format=%(taggername)", "refs/tags/model@v0.0.1") == "Ada"


def test_every_checkout_has_the_same_champion(small):
    promoted = registry.promote(small.folder, "main")
    with checkout(small.found, promoted.commit, "elsewhere") as folder:
        assert registry.champion(folder) == promoted
        small.commit()
        second = registry.promote(folder, "main")
    assert registry.champion(small.folder) == second
