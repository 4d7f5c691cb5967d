import numpy as np
import pytest

from stages.predictions import COLUMNS, rows_of_test, tabulate
from stages.prepared import Labelled


@pytest.fixture
def tested(manifest, here):
    """Rows of the test images of the manifest, some cells of which are changed first."""

    def read(changes=(), images=8):
        for row, column, value in changes:
            manifest.loc[row, column] = value
        manifest.to_parquet(here / "manifest.parquet")
        test = Labelled(np.zeros((images, 8, 8, 3), np.uint8), np.repeat([0, 1], images // 2))
        return rows_of_test(here / "manifest.parquet", test, distance=2)

    return read


def test_the_test_images_come_in_their_order_and_none_is_repeated(tested):
    rows = tested()
    assert rows["path"].tolist() == [f"{number}.png" for number in (*range(16, 20), *range(36, 40))]
    assert not rows["repeated"].any()


def test_an_image_is_repeated_if_it_is_in_another_split_or_earlier_in_test(tested, manifest):
    code = manifest["perceptual_hash"]
    near = f"{int(code[0], 16) ^ 1:016x}"
    rows = tested([(17, "perceptual_hash", near), (36, "perceptual_hash", code[12]), (39, "perceptual_hash", code[37])])
    assert rows.loc[rows["repeated"], "path"].tolist() == ["17.png", "36.png", "39.png"]


def test_images_that_could_not_be_read_are_no_test_images(tested):
    assert len(tested([(16, "error", "truncated"), (16, "split", None)], images=7)) == 7


def test_a_manifest_of_other_images_is_refused(tested, refusal, here):
    sentence = refusal(tested, (), 6)
    assert "has 8 test images, but the arrays have 6; run `dvc repro prepare`" in sentence
    (here / "manifest.parquet").write_text("no table")
    sentence = refusal(rows_of_test, here / "manifest.parquet", Labelled(np.zeros(8), np.zeros(8)), 2)
    assert "cannot read" in sentence


def test_predictions_have_the_columns_that_others_read(tested):
    probabilities = np.tile([0.8, 0.2], (8, 1))
    table = tabulate(tested(), probabilities, np.repeat([0, 1], 4), ["cat", "dog"])
    assert list(table) == COLUMNS
    assert COLUMNS[:7] == ["path", "label", "sha256", "predicted", "confidence", "correct", "probabilities"]
    assert table["predicted"].unique().tolist() == ["cat"]
    assert table["correct"].tolist() == [True] * 4 + [False] * 4
    assert table["confidence"].tolist() == [0.8] * 8
    assert table["probabilities"][0].dtype == np.float32
