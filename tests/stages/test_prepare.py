import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from resnet.images import read_picture
from stages import prepare
from stages.errors import BadInput
from stages.prepared import load_classes, load_split
from stages.splits import SPLITS, TEST, TRAIN, VALIDATION

CONTRACT = [
    *("path", "label", "split", "group", "width", "height", "channels", "format"),
    *("bytes", "sha256", "perceptual_hash", "mean_color", "mean", "std", "error"),
]
FORMATS = {
    "grayscale.png": ("L", {}, 1),
    "one bit.png": ("1", {}, 1),
    "palette.gif": ("P", {}, 1),
    "palette with transparency.png": ("P", {"transparency": 0}, 1),
    "gray with alpha.png": ("LA", {}, 2),
    "alpha.webp": ("RGBA", {}, 4),
    "cmyk.jpg": ("CMYK", {}, 4),
    "16 bits.png": ("I;16", {}, 1),
    "PHOTO.JPEG": ("RGB", {}, 3),
    "scan.tif": ("RGB", {"compression": "tiff_lzw"}, 3),
    "web.avif": ("RGB", {}, 3),
    "bitmap.bmp": ("RGB", {}, 3),
}


@pytest.fixture
def table(here, photos):
    """Write photos and a manifest of them with more columns, such as `group=[...]`; 15 cats, then 15 dogs."""

    def write(**columns):
        folder = photos("images")
        files = sorted(folder.rglob("*.png"))
        rows = {
            "path": [str(file.relative_to(folder)) for file in files],
            "label": [file.parent.name for file in files],
            **columns,
        }
        pd.DataFrame(rows).to_csv("table.csv", index=False)
        return "table.csv"

    return write


def test_the_manifest_has_the_columns_of_the_contract_and_a_row_for_each_image(photos, prepared):
    photos()
    manifest = prepared()
    assert list(manifest) == CONTRACT
    assert list(manifest["path"]) == [f"{name}/{number:02}.png" for name in ("cat", "dog") for number in range(15)]
    assert set(manifest["split"]) == set(SPLITS)
    assert load_classes() == ["cat", "dog"]
    assert manifest.drop(columns=["group", "error"]).notna().all(axis=None)


def test_arrays_hold_the_images_of_the_manifest_in_its_order(photos, prepared):
    photos(classes=("cat", "dog", "eel"))
    manifest = prepared(**{"data.image_size": 9})
    for split in SPLITS:
        rows = manifest[manifest["split"] == split]
        images, labels = load_split(split)
        assert isinstance(images, np.memmap)
        assert (images.shape, images.dtype, labels.dtype) == ((len(rows), 9, 9, 3), np.uint8, np.int64)
        assert [load_classes()[label] for label in labels] == list(rows["label"])
        for image, row in zip(images, rows.itertuples(), strict=True):
            np.testing.assert_array_equal(image, read_picture(Path("photos", row.path), 9).pixels)
            assert (row.mean, row.std) == (pytest.approx(image.mean()), pytest.approx(image.std()))


def test_every_mode_and_format_becomes_rgb_of_one_size(here, scene, photos, prepared):
    photos()
    for number, (name, (mode, options, _)) in enumerate(FORMATS.items()):
        image = scene(100 + number, (20 + number, 40))
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        image = image.convert(mode)
        if "A" in mode:
            image.putalpha(100)
        image.save(here / "photos/cat" / name, **options)
    Image.new("RGB", (1, 1000), "red").save(here / "photos/cat/thin.png")
    manifest = prepared().set_index("path")
    assert manifest["error"].isna().all()
    assert {name: manifest.loc[f"cat/{name}", "channels"] for name in FORMATS} == {
        name: channels for name, (_, _, channels) in FORMATS.items()
    }
    assert tuple(manifest.loc["cat/thin.png", ["width", "height"]]) == (1, 1000)
    assert sum(len(load_split(split).images) for split in SPLITS) == len(manifest)
    assert {load_split(split).images.shape[1:] for split in SPLITS} == {(8, 8, 3)}


@pytest.fixture
def damaged(here, photos, scene):
    """Photos, four of which cannot be read."""
    folder = photos()
    scene(1, (64, 64)).save("whole.avif")
    whole = Path("whole.avif").read_bytes()
    start = whole.index(b"mdat") + 4
    for name, content in {
        "empty.png": b"",
        "text.jpg": b"no image",
        "half.png": (folder / "cat/00.png").read_bytes()[:150],
        # Where the coded picture begins: Pillow's decoder raises what its others do not.
        "damaged.avif": whole.replace(whole[start : start + 8], b"\xff" * 8),
    }.items():
        (folder / "dog" / name).write_bytes(content)
    return ["dog/damaged.avif", "dog/empty.png", "dog/half.png", "dog/text.jpg"]


def test_what_cannot_be_decoded_is_told_and_left_out_but_keeps_its_row(damaged, prepared, caplog):
    caplog.set_level(logging.INFO)
    manifest = prepared()
    bad = manifest[manifest["error"].notna()]
    assert list(bad["path"]) == damaged
    assert bad["split"].isna().all()
    assert sum(len(load_split(split).images) for split in SPLITS) == len(manifest) - 4 == 30
    assert "34 images of 2 classes" in caplog.text
    assert "4 could not be decoded and are left out: dog/damaged.avif: cannot be decoded" in caplog.text


def test_nothing_is_told_of_damage_where_there_is_none(photos, prepared, caplog):
    caplog.set_level(logging.INFO)
    photos()
    prepared()
    assert len(caplog.records) == 1


def test_two_runs_give_the_same_bytes(damaged, prepared, outputs):
    prepared()
    first = outputs("data")
    prepared()
    assert outputs("data") == first
    assert len(first) == 9


def test_chunks_and_parallel_workers_give_the_same_bytes(damaged, prepared, outputs, monkeypatch):
    prepared()
    whole = outputs("data")
    monkeypatch.setattr(prepare, "CHUNK_BYTES", 3 * 8 * 8 * 4)
    prepared()
    assert outputs("data") == whole


def test_an_image_keeps_its_split_when_others_are_added(photos, prepared):
    photos(count=30)
    before = prepared().set_index("sha256")["split"]
    photos(count=45)
    photos(classes=("ant", "eel"))
    after = prepared().set_index("sha256")["split"]
    assert len(after) == 120
    assert dict(after[before.index]) == dict(before)


def test_equal_images_of_a_class_share_a_split(photos, prepared):
    for file in sorted(photos().rglob("*.png")):
        shutil.copy(file, file.with_suffix(".copy.png"))
    splits = prepared().groupby("sha256")["split"]
    assert splits.size().eq(2).all()
    assert splits.nunique().eq(1).all()


def test_another_seed_draws_other_splits(photos, prepared):
    photos()
    assert list(prepared(seed=0)["split"]) != list(prepared(seed=1)["split"])


def test_what_a_table_says_beside_reaches_the_manifest_but_replaces_nothing_that_is_measured(table, prepared):
    said = {"camera": ["old", None, "new"] * 10, "age": np.arange(30) / 2, "width": 7}
    manifest = prepared(**{"data.path": table(**said)})
    assert list(manifest) == [*CONTRACT, "age", "camera"]
    assert manifest["age"].tolist() == said["age"].tolist()
    assert manifest["camera"].dropna().tolist() == ["old", "new"] * 10
    assert (manifest["width"] != 7).all()


def test_a_group_is_never_torn(table, prepared):
    groups = prepared(**{"data.path": table(group=[f"g{number % 15}" for number in range(30)])}).groupby("group")
    assert groups["label"].nunique().eq(2).all()
    assert groups["split"].nunique().eq(1).all()
    assert groups["split"].first().nunique() == 3


def test_a_group_that_is_given_two_splits_is_refused(table, prepared):
    groups, splits = [f"g{number % 15}" for number in range(30)], ["train"] * 29 + [""]
    with pytest.raises(BadInput, match=r"the group 'g14' of .* is given several splits"):
        prepared(**{"data.path": table(group=groups, split=splits), "data.test_fraction": 0.2})


def test_a_given_test_split_is_kept_and_validation_is_drawn_from_training(photos, prepared):
    photos("photos/train", count=30)
    photos("photos/test", count=5, seed=1)
    manifest = prepared(**{"data.validation_fraction": 0.3})
    given = manifest["path"].str.split("/").str[0]
    assert set(manifest.loc[given == "test", "split"]) == {TEST}
    drawn = manifest.loc[given == "train", "split"]
    assert set(drawn) == {TRAIN, VALIDATION}
    assert 5 <= (drawn == VALIDATION).sum() <= 30


@pytest.mark.parametrize("fraction", [0.0, 0.3])
def test_three_given_splits_are_kept_as_they_are(photos, prepared, fraction):
    for seed, split in enumerate(SPLITS):
        photos(f"photos/{split}", count=5, seed=seed)
    manifest = prepared(**{"data.validation_fraction": fraction})
    assert list(manifest["split"]) == list(manifest["path"].str.split("/").str[0])


def test_a_table_in_which_no_image_can_become_a_test_image_is_refused_before_one_is_decoded(table, prepared):
    with pytest.raises(BadInput, match="gives each image a split, and none is test; make some test, or leave it empty"):
        prepared(**{"data.path": table(split=["train", "validation"] * 15), "data.test_fraction": 0.2})


def test_rows_without_a_split_are_drawn_beside_those_that_have_one(table, prepared):
    given = ["test", "test", "train", "train", *[""] * 11] * 2
    manifest = prepared(**{"data.path": table(split=given), "data.validation_fraction": 0.0})
    assert list(manifest["split"][:2]) == [TEST] * 2
    assert list(manifest["split"][2:4]) == [TRAIN] * 2
    assert set(manifest["split"][4:15]) == {TEST, TRAIN}


def test_a_file_becomes_what_it_was_in_an_array_through_any_source(photos, table, prepared):
    photos()
    from_folder = prepared()
    from_table = prepared(**{"data.path": table()})
    pd.testing.assert_frame_equal(from_folder, from_table)


@pytest.mark.parametrize(
    ("make", "changes", "parts"),
    [
        pytest.param(lambda photos: None, {}, ["data.path is photos, which does not exist", "expected"], id="no path"),
        pytest.param(
            lambda photos: photos("photos/deep/er"), {"data.path": "photos/deep/er/cat"}, ["no class"], id="no class"
        ),
        pytest.param(lambda photos: photos(classes=["cat"]), {}, ["only the class 'cat'", "two"], id="one class"),
        pytest.param(
            lambda photos: photos(classes=["cat", "bell\a"]), {}, ["class 'bell\\x07' of photos", "rename"], id="bell"
        ),
        pytest.param(
            lambda photos: photos(classes=["cat", "car\r"]), {}, ["class 'car\\r' of photos", "rename"], id="return"
        ),
        pytest.param(
            lambda photos: photos(count=2), {}, ["'cat' of photos has 2 images", "among 3 splits"], id="scarce class"
        ),
        pytest.param(
            lambda photos: [photos("photos/train"), photos("photos/test", ["cat", "eel"])],
            {},
            ["label 'eel' in test but not in train"],
            id="label that training never saw",
        ),
        pytest.param(
            lambda photos: [file.write_bytes(b"x") for file in photos().rglob("*.png")],
            {},
            ["none of the 30 images can be decoded", "cat/00.png: not an image"],
            id="all damaged",
        ),
        pytest.param(
            lambda photos: [file.write_bytes(b"x") for file in photos().rglob("dog/*.png")],
            {},
            ["class 'dog' has no readable image in the training split"],
            id="class damaged",
        ),
        pytest.param(lambda photos: photos(), {"data.test_fraction": 0.0}, ["data.test_fraction"], id="no test images"),
        pytest.param(lambda photos: photos(), {"data.path": "photos/cat/00.png"}, ["expected a folder"], id="a file"),
        pytest.param(lambda photos: None, {"data.path": "x" * 300}, ["does not exist"], id="endless name"),
    ],
)
def test_bad_input_is_refused_and_former_outputs_stay(photos, prepared, refusal, outputs, here, make, changes, parts):
    photos("former")
    prepared(**{"data.path": "former"})
    former = outputs("data")
    make(photos)
    sentence = refusal(prepared, **changes)
    assert all(part in sentence for part in parts)
    assert outputs("data") == former
    assert sorted(path.name for path in (here / "data").iterdir()) == ["manifest.parquet", "prepared"]


def test_names_of_any_kind_reach_the_manifest_and_the_classes_as_they_are(photos, prepared):
    names = ["<b>", "NA", "a b", "com,ma", "new\nline", 'q"uote', "Ünï", "猫"]
    photos(classes=names)
    manifest = prepared()
    assert set(manifest["label"]) == set(names)
    assert json.loads(Path("data/prepared/classes.json").read_text()) == sorted(names)


def test_a_picture_near_the_limit_of_what_is_safe_is_decoded_without_a_warning(here, photos, prepared):
    photos()
    Image.new("1", (9400, 9400)).save(here / "photos/cat/large.png")
    manifest = prepared().set_index("path")
    assert pd.isna(manifest.loc["cat/large.png", "error"])


def test_a_picture_of_two_gigapixels_is_refused_by_its_size(here, photos, prepared):
    photos()
    # A PGM of that size that ends after its header: decoding would tell of missing data.
    (here / "photos/cat/huge.pgm").write_bytes(b"P5 50000 40000 255\n")
    manifest = prepared().set_index("path")
    assert "too many pixels" in manifest.loc["cat/huge.pgm", "error"]
