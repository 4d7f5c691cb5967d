"""New data is brought into a checkout, from sources of imports and from a person's own folders."""

import shutil
from contextlib import contextmanager

import pytest

from pipeline import data
from pipeline.checkout import checkout
from pipeline.errors import DvcFailed, PipelineError


@contextmanager
def updated(small, revision="HEAD", newest=None):
    """A checkout after the update, and the .dvc files that are new."""
    with checkout(small.found, small.git("rev-parse", revision), "night") as folder:
        yield folder, data.update(small.found, folder, newest, print)


def news(small, revision="HEAD"):
    with updated(small, revision) as (_, changed):
        return changed


@pytest.fixture
def photos(small):
    """A folder that the person has added to DVC."""
    small.write("data/photos/cat/1.txt", "cat one\n")
    small.write("data/photos/dog/1.txt", "dog one\n")
    with small.dvc() as repo:
        repo.add(str(small.folder / "data/photos"))
    small.commit("photos")
    return small.folder / "data/photos"


@pytest.fixture
def source(small):
    """A folder beside the project that somebody else fills."""
    folder = small.folder.parent / "source"
    folder.mkdir()
    (folder / "one.txt").write_text("one\n")
    return folder


def import_from(small, url, to):
    (small.folder / to).parent.mkdir(parents=True, exist_ok=True)
    with small.dvc() as repo:
        repo.imp_url(url, to)
    small.commit("import")


def test_nothing_is_new_where_nothing_has_changed(small, photos):
    assert news(small) == []


def test_a_file_in_an_added_folder_that_is_new_changed_or_removed_is_picked_up(small, photos):
    (photos / "cat/2.txt").write_text("cat two\n")
    (photos / "cat/1.txt").write_text("cat one, better\n")
    (photos / "dog/1.txt").unlink()
    with updated(small) as (folder, changed):
        assert changed == ["data/photos.dvc"]
        taken = folder / "data/photos"
        assert (taken / "cat/2.txt").read_text() == "cat two\n"
        assert (taken / "cat/1.txt").read_text() == "cat one, better\n"
        assert not (taken / "dog/1.txt").exists()
        with small.dvc(folder) as repo:
            assert repo.status(["data/photos.dvc"]) == {}
    # What is the person's is as it was.
    assert small.git("status", "--porcelain") == ""
    assert sorted(path.name for path in photos.rglob("*.txt")) == ["1.txt", "2.txt"]


def test_a_single_file_that_was_added_is_picked_up(small):
    small.write("data/words.txt", "three\n")
    with updated(small) as (folder, changed):
        assert changed == ["data/words.txt.dvc"]
        assert (folder / "data/words.txt").read_text() == "three\n"


def test_data_that_the_person_has_added_again_but_not_committed_is_picked_up(small):
    small.write("data/words.txt", "three\n")
    with small.dvc() as repo:
        repo.add(str(small.folder / "data/words.txt"))
    with updated(small) as (folder, changed):
        assert changed == ["data/words.txt.dvc"]
        assert (folder / "data/words.txt.dvc").read_text() == small.read("data/words.txt.dvc")


@pytest.mark.parametrize("removed", ["data/photos", "data/photos.dvc"])
def test_where_the_person_has_removed_data_that_of_the_commit_is_used(small, photos, removed):
    gone = small.folder / removed
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with updated(small) as (folder, changed):
        assert changed == []
        with small.dvc(folder) as repo:
            repo.checkout()
        assert (folder / "data/photos/cat/1.txt").read_text() == "cat one\n"


def test_the_data_of_another_branch_does_not_get_into_this_one(small):
    small.git("checkout", "--quiet", "-b", "experiment")
    small.write("data/words.txt", "only here\n")
    with small.dvc() as repo:
        repo.add(str(small.folder / "data/words.txt"))
    small.commit("other words")
    small.write("data/words.txt", "only here, and not yet added\n")
    assert news(small, "main") == []
    assert news(small, "experiment") == ["data/words.txt.dvc"]


@pytest.mark.parametrize(
    ("to", "url"),
    [("data/incoming", "{source}"), ("incoming", "../source"), ("data/deep/incoming", "../../../source")],
)
def test_an_import_follows_its_source(small, source, to, url):
    import_from(small, url.format(source=source), to)
    assert news(small) == []
    (source / "two.txt").write_text("two\n")
    with updated(small) as (folder, changed):
        assert changed == [f"{to}.dvc"]
        assert (folder / to / "two.txt").read_text() == "two\n"
    assert not (small.folder / to / "two.txt").exists()
    assert small.git("status", "--porcelain") == ""


def test_a_source_that_cannot_be_reached_is_told_as_such(small, source):
    import_from(small, str(source), "data/incoming")
    source.rename(source.with_name("away"))
    with pytest.raises(DvcFailed, match=r"dependency .*source. does not exist"):
        news(small)


def test_data_that_nobody_has_versioned_is_refused_with_what_to_do(small):
    small.write("pictures/one.txt", "one\n")
    small.write(".gitignore", small.read(".gitignore") + "/pictures/\n")
    small.write(
        "dvc.yaml", small.read("dvc.yaml").replace("deps: [data/words.txt]", "deps: [data/words.txt, pictures]")
    )
    small.commit()
    with pytest.raises(PipelineError, match=r"^pictures is versioned by neither git nor DVC.* `dvc add pictures`"):
        news(small)


def test_weights_to_start_from_are_versioned_too(small):
    small.write("begun.keras", "weights")
    small.write(".gitignore", small.read(".gitignore") + "/begun.keras\n")
    small.write("params.yaml", small.read("params.yaml") + "model: {weights: begun.keras}\n")
    small.commit()
    with pytest.raises(
        PipelineError, match=r"^begun.keras is versioned by neither git nor DVC.* `dvc add begun.keras`"
    ):
        news(small)
    with small.dvc() as repo:
        repo.add(str(small.folder / "begun.keras"))
    small.commit()
    assert news(small) == []


def test_an_absolute_path_that_is_not_there_is_told_as_such(small, source):
    small.write(
        "dvc.yaml", small.read("dvc.yaml").replace("deps: [data/words.txt]", f"deps: [{source}, data/words.txt]")
    )
    small.commit()
    assert news(small) == []
    source.rename(source.with_name("away"))
    with pytest.raises(PipelineError, match=f"^{source}, which the pipeline reads, is not there"):
        news(small)


def test_a_part_of_what_is_added_is_versioned_with_it(small, photos):
    small.write(
        "dvc.yaml", small.read("dvc.yaml").replace("deps: [data/words.txt]", "deps: [data/words.txt, data/photos/cat]")
    )
    small.commit()
    assert news(small) == []


@pytest.fixture
def retrained(small):
    """Leave what a retraining would leave after an update."""

    def leave():
        with updated(small) as (folder, changed):
            small.commit("retrained", folder)
            small.git("branch", "--force", "retrain/2026", "HEAD", folder=folder)
        return changed

    return leave


def test_own_data_that_the_newest_retraining_had_is_not_copied_again(small, photos, retrained):
    (photos / "cat/2.txt").write_text("cat two\n")
    assert retrained() == ["data/photos.dvc"]
    with updated(small, newest="retrain/2026") as (folder, changed):
        assert changed == ["data/photos.dvc"]
        assert not (folder / "data/photos").exists()
        with small.dvc(folder) as repo:
            repo.checkout()
        assert (folder / "data/photos/cat/2.txt").read_text() == "cat two\n"
    (photos / "cat/3.txt").write_text("cat three\n")
    with updated(small, newest="retrain/2026") as (folder, _):
        assert (folder / "data/photos/cat/3.txt").exists()
    # Back to what the commit itself has.
    (photos / "cat/2.txt").unlink()
    (photos / "cat/3.txt").unlink()
    with updated(small, newest="retrain/2026") as (_, changed):
        assert changed == []


def test_imported_data_that_the_newest_retraining_had_is_not_fetched_again(small, source, retrained):
    import_from(small, str(source), "data/incoming")
    (source / "two.txt").write_text("two\n")
    assert retrained() == ["data/incoming.dvc"]
    with updated(small, newest="retrain/2026") as (folder, changed):
        assert changed == []
        assert not (folder / "data/incoming").exists()
        with small.dvc(folder) as repo:
            repo.checkout()
        assert (folder / "data/incoming/two.txt").read_text() == "two\n"
    (source / "two.txt").unlink()
    with updated(small, newest="retrain/2026") as (folder, changed):
        assert changed == ["data/incoming.dvc"]
        assert sorted(path.name for path in (folder / "data/incoming").iterdir()) == ["one.txt"]


def test_what_an_earlier_attempt_left_half_copied_is_no_obstacle(small, photos):
    (photos / "cat/2.txt").write_text("cat two\n")
    with checkout(small.found, small.git("rev-parse", "HEAD"), "night") as folder:
        (folder / "data/photos/cat").mkdir(parents=True)
        (folder / "data/photos/cat/3.txt").write_text("half of a c")
        assert data.update(small.found, folder, None, print) == ["data/photos.dvc"]
        assert sorted(path.name for path in (folder / "data/photos/cat").iterdir()) == ["1.txt", "2.txt"]
