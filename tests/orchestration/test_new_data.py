"""New data and none, night after night, with real git, real DVC and a real Prefect server."""


def test_nothing_new_is_skipped_and_every_verdict_has_its_exit_status(retrained, result):
    toy = retrained
    toy.get_right(100)
    assert "rejected" in toy.retrain(status=3)
    assert f"skipped: nothing has changed since {toy.branches()[-1]}" in toy.retrain()
    assert len(toy.branches()) == 2
    toy.get_right(149)
    assert "undecided" in toy.retrain(status=4)
    assert result(toy)["numbers"]["difference"]["only_champion"] == 1

    # Back to the data that the tip was committed with, though the newest retraining had others.
    toy.get_right(150)
    assert "restored" in toy.retrain(status=0)


def test_where_there_is_no_champion_it_is_said_how_the_committed_model_becomes_one(toy):
    toy.run("dvc", "repro", "--quiet")
    toy.run("git", "add", "--all")
    toy.run("git", "commit", "--quiet", "--message", "a model")
    said = toy.retrain()
    assert "nothing has changed since" in said
    assert "`python -m pipeline promote HEAD` makes the committed model the first champion" in said
    toy.pipeline("promote", "HEAD")
    assert "no champion" not in toy.retrain()


def test_imported_data_is_brought_up_to_date(toy, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/right").write_text("150")
    toy.run("dvc", "remove", "--quiet", "photos.dvc")
    toy.run("rm", "-r", "photos")
    # One that is named from here, and must be found from another checkout too.
    toy.run("dvc", "import-url", "--quiet", "../elsewhere", "photos")
    toy.run("git", "add", "--all")
    toy.run("git", "commit", "--quiet", "--message", "imported")
    toy.retrain()
    assert "skipped" in toy.retrain()
    (tmp_path / "elsewhere/right").write_text("175")
    toy.retrain()
    assert '"accuracy": 0.875' in toy.run("git", "show", f"{toy.branches()[-1]}:metrics/evaluate.json")
    assert (toy.folder / "photos/right").read_text() == "150"


def test_old_retrainings_are_cleaned_away_and_verify_finds_what_an_unsafe_gc_removed(retrained):
    toy = retrained
    for right in (100, 101):
        toy.get_right(right)
        toy.retrain(status=3)
    assert "removed 1 branches" in toy.pipeline("clean", "--keep", "1")
    assert len(toy.branches()) == 2, "the promoted one and the newest"
    toy.run("git", "merge", "--quiet", toy.branches()[0])
    toy.run("dvc", "checkout", "--force", "--quiet")
    assert "agree" in toy.pipeline("verify")
    toy.run("dvc", "gc", "--workspace", "--force")
    said = toy.pipeline("verify", status=1)
    assert f"{toy.branches()[-1]} has lost" in said
