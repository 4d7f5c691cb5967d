"""Old retrainings are removed with what they alone hold; nothing that anything else leads to ever is."""

import shutil
import subprocess
import sys

import pytest
from prefect import flow, get_client
from prefect.artifacts import create_markdown_artifact

from pipeline import flow_runs, registry
from pipeline.cleaning import clean
from pipeline.errors import DvcFailed
from pipeline.lock import AnotherRun, only_run
from pipeline.project import find
from pipeline.publication import Publication
from pipeline.verification import verify

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(scope="module")
def four_nights(template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("four-nights") / "project"
    shutil.copytree(template.folder, folder)
    small = type(template)(folder)
    for night in (1, 2, 3, 4):
        small.retrain(f"2026-01-0{night}T030000Z", 10 + night)
        small.write(f"logs/retrain/2026-01-0{night}T030000Z/result.json", "{}")
    return small


@pytest.fixture
def year(four_nights, tmp_path):
    """A project of one's own with four retrainings."""
    shutil.copytree(four_nights.folder, tmp_path / "project")
    return type(four_nights)(tmp_path / "project")


def branch(night):
    return f"retrain/2026-01-0{night}T030000Z"


def models(small):
    """The retrainings whose model is in the cache; asked for before any branch is gone."""
    places = {night: small.stored("models/model.keras", branch(night)) for night in (1, 2, 3, 4)}
    return lambda: [night for night, place in places.items() if place.exists()]


def branches(small):
    return [int(name[17]) for name in small.git("branch", "--format=%(refname:short)", "--list", "retrain/*").split()]


def test_a_persons_commit_may_say_anything(year):
    year.git("checkout", "--quiet", branch(1))
    year.commit("a line\u2028and\fothers")
    year.back_to("main")
    assert clean(year.found, keep=2).branches == 1
    assert branches(year) == [1, 3, 4]


def test_all_but_the_newest_are_removed_with_what_only_they_hold(year):
    left = models(year)
    before = {path for path in (year.folder / ".dvc/cache/files").rglob("*") if path.is_file()}
    removed = clean(year.found, keep=2)
    assert (removed.branches, removed.objects, removed.logs) == (2, 2, 2)
    assert branches(year) == left() == [3, 4]
    after = {path for path in (year.folder / ".dvc/cache/files").rglob("*") if path.is_file()}
    # What they share with all others, their data, is still there.
    assert len(before - after) == 2
    assert sorted(path.name for path in (year.folder / "logs/retrain").iterdir()) == [branch(n)[8:] for n in (3, 4)]
    assert verify(year.found) == []


def test_to_keep_none_leaves_the_project_itself_whole(year):
    left = models(year)
    assert clean(year.found, keep=0).branches == 4
    assert left() == []
    assert verify(year.found) == []
    assert clean(year.found, keep=0).branches == 0


def test_with_few_retrainings_nothing_is_removed(year):
    left = models(year)
    assert clean(year.found, keep=30).objects == 0
    assert branches(year) == left() == [1, 2, 3, 4]


def test_versions_and_what_waits_to_be_pushed_are_kept(year):
    left = models(year)
    registry.promote(year.folder, branch(1))
    registry.promote(year.folder, branch(3))
    Publication(year.found, print).remember(branch(2))
    clean(year.found, keep=0)
    assert branches(year) == left() == [1, 2, 3]


def test_a_branch_on_which_a_person_has_gone_on_is_kept(year):
    year.git("checkout", "--quiet", branch(1))
    year.commit("a mend")
    year.back_to("main")
    clean(year.found, keep=0)
    assert branches(year) == [1]


def test_the_pages_of_a_retraining_that_is_kept_are_kept_however_many_have_failed_since(year):
    for minute in range(10, 20):
        year.write(f"logs/retrain/2026-01-05T03{minute}00Z/train.json", "{}")
    assert clean(year.found, keep=4).logs == 6
    assert all((year.folder / "logs" / branch(night) / "result.json").exists() for night in (1, 2, 3, 4))


def test_a_branch_that_somebody_has_checked_out_is_kept(year, tmp_path):
    left = models(year)
    year.git("worktree", "add", "--quiet", str(tmp_path / "linked"), branch(1))
    year.back_to(branch(2))
    clean(year.found, keep=0)
    assert branches(year) == left() == [1, 2]


def merge(small, night):
    """Retraining's way into main: main goes on from its commit."""
    small.git("merge", "--quiet", "--ff-only", branch(night))
    small.train(5)


def tag(small, night):
    small.git("tag", "best-of-winter", branch(night))


def branch_off(small, night):
    small.git("branch", "improved", branch(night))
    small.git("checkout", "--quiet", "improved")
    small.train(5)
    small.back_to("main")


def take_its_results(small, night):
    small.git("checkout", "--quiet", branch(night), "--", "dvc.lock", "params.yaml")


def take_its_results_in_a_linked_worktree(small, night):
    linked = small.folder.parent / "linked"
    small.git("worktree", "add", "--quiet", "--detach", str(linked), "main")
    small.git("checkout", "--quiet", branch(night), "--", "dvc.lock", "params.yaml", folder=linked)


def stash_its_results(small, night):
    take_its_results(small, night)
    small.git("stash", "--quiet")


def stash_its_results_below_others(small, night):
    stash_its_results(small, night)
    small.write("params.yaml", "rate: 99\n")
    small.git("stash", "--quiet")


def look_at_it(small, night):
    small.back_to(branch(night))
    small.back_to("main")


def merge_and_reset(small, night):
    small.git("merge", "--quiet", "--ff-only", branch(night))
    small.train(5)
    small.git("reset", "--quiet", "--hard", "HEAD~2")


@pytest.mark.parametrize(
    "hold",
    [
        merge,
        tag,
        branch_off,
        take_its_results,
        take_its_results_in_a_linked_worktree,
        stash_its_results,
        stash_its_results_below_others,
        look_at_it,
        merge_and_reset,
    ],
)
def test_what_something_else_leads_to_stays(year, hold):
    left = models(year)
    hold(year, 2)
    clean(year.found, keep=0)
    assert branches(year) == []
    assert left() == [2]


def test_what_a_kept_retraining_has_in_common_with_a_removed_one_stays(year):
    year.git("branch", branch(5), branch(1))
    left = models(year)
    clean(year.found, keep=1)
    assert branches(year) == [5]
    assert left() == [1]


def test_a_retraining_that_has_been_pushed_is_removed_here(year):
    left = models(year)
    year.git("init", "--quiet", "--bare", str(year.folder.parent / "origin.git"))
    year.git("remote", "add", "origin", str(year.folder.parent / "origin.git"))
    year.git("push", "--quiet", "origin", "main", branch(1), branch(2))
    year.git("fetch", "--quiet")
    clean(year.found, keep=2)
    assert branches(year) == left() == [3, 4]


def test_the_run_cache_forgets_what_it_could_not_restore_and_nothing_else(year):
    clean(year.found, keep=3)
    for rate, expected in ((11, "Running stage 'train'"), (12, "Stage 'train' is cached - skipping run")):
        year.write("params.yaml", f"rate: {rate}\n")
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"], cwd=year.folder, capture_output=True, text=True, check=True
        )
        assert expected in done.stdout
        assert f"rate {rate}" in year.read("models/model.keras")


def test_a_commit_that_dvc_cannot_read_is_no_obstacle(year):
    year.write("dvc.yaml", "stages: [\n")
    year.commit("a slip")
    year.git("revert", "--no-edit", "HEAD")
    assert clean(year.found, keep=3).branches == 1


def test_a_workspace_that_dvc_cannot_read_is_an_obstacle_and_nothing_is_removed(year):
    left = models(year)
    year.write("dvc.yaml", "stages: [\n")
    with pytest.raises(DvcFailed):
        clean(year.found, keep=0)
    assert branches(year) == left() == [1, 2, 3, 4]


def test_while_a_run_is_going_nothing_is_removed(year):
    left = models(year)
    with only_run(year.found), pytest.raises(AnotherRun):
        clean(year.found, keep=0)
    assert branches(year) == left() == [1, 2, 3, 4]


def test_of_the_flow_runs_of_many_projects_only_the_old_ones_of_this_one_are_removed(small, tmp_path):
    @flow(name="retrain")
    def retrain(folder):
        flow_runs.claim(find(folder))
        create_markdown_artifact("# Promoted", key="verdict")

    def ran(folder):
        return str(retrain(folder, return_state=True).state_details.flow_run_id)

    shutil.copytree(small.folder, tmp_path / "other", symlinks=True)
    own, others = [ran(small.folder) for _ in range(3)], [ran(tmp_path / "other") for _ in range(2)]
    assert clean(small.found, keep=1).flow_runs == 2
    with get_client(sync_client=True) as client:
        left = {str(run.id) for run in client.read_flow_runs()}
        artifacts = {str(artifact.flow_run_id) for artifact in client.read_artifacts()}
    assert left & {*own, *others} == artifacts & {*own, *others} == {own[-1], *others}


def test_a_cache_that_other_projects_may_share_is_left_alone(year):
    cache = year.folder.parent / "cache-of-many"
    (year.folder / ".dvc/cache").rename(cache)
    with year.dvc() as repo, repo.config.edit("local") as settings:
        settings["cache"]["dir"] = str(cache)
    before = sorted(path for path in cache.rglob("*") if path.is_file())
    removed = clean(year.found, keep=0)
    assert (removed.branches, removed.objects, removed.left_alone) == (4, 0, cache)
    assert sorted(path for path in cache.rglob("*") if path.is_file()) == before
