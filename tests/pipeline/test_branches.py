"""The branches that retrainings leave."""

from pipeline import branches


def test_the_newest_retraining_of_a_commit_is_of_that_very_commit_or_it_itself(small):
    tip = small.git("rev-parse", "HEAD")
    assert branches.newest_of(small.folder, tip) is None
    small.retrain("2026-01-01T000000Z", 2)
    own = small.retrain("2026-01-02T000000Z", 3)
    small.commit("another source of the data")
    small.retrain("2026-01-03T000000Z", 4)
    assert branches.newest_of(small.folder, tip) == "retrain/2026-01-02T000000Z"
    assert branches.newest_of(small.folder, own) == "retrain/2026-01-02T000000Z"
    assert branches.newest_of(small.folder, small.git("rev-parse", "HEAD")) == "retrain/2026-01-03T000000Z"


def test_a_tag_of_the_same_name_does_not_hide_a_retraining(small):
    small.retrain("2026-01-01T000000Z", 2)
    small.retrain("2026-01-02T000000Z", 3)
    small.git("tag", "retrain/2026-01-01T000000Z")
    assert branches.names(small.folder) == ["retrain/2026-01-02T000000Z", "retrain/2026-01-01T000000Z"]
