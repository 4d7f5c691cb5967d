"""The versions as a person sees them."""

from pipeline import registry
from pipeline.listing import print_models


def test_every_version_is_listed_with_its_metrics_and_the_champion_is_marked(small, capsys):
    first = registry.promote(small.folder, "main")
    second = registry.promote(small.folder, small.train(2))
    registry.rollback(small.folder)
    print_models(small.folder)
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert said[0][:4] == ["version", "champion", "commit", "registered"]
    assert [line[:2] for line in said[1:]] == [[str(second), second.commit[:12]], [str(first), "champion"]]
    assert [line[-4:] for line in said[1:]] == [["0.2000", "?", "?", "?"], ["0.1000", "?", "?", "?"]]


def test_before_the_first_promotion_it_is_said_how_to_get_one(small, capsys):
    print_models(small.folder)
    assert (
        "no version yet; `python -m pipeline promote HEAD` makes the committed model the first champion"
        in capsys.readouterr().out
    )
