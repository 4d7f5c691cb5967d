import pandas as pd
import pytest

from stages.sources.manifest import read_manifest
from stages.sources.source import Entry

ROWS = {
    "path": ["b.png", "below/c.png", "a.png"],
    "label": ["dog", "cat", "cat"],
    "split": ["test", "", "train"],
    "group": ["", "g1", "g1"],
}


@pytest.fixture
def listed(here):
    """Write a table in one of the formats, and files for it; return what is read of it."""

    def write(rows, name="table.csv"):
        (here / "images/below").mkdir(parents=True, exist_ok=True)
        for path in ROWS["path"]:
            (here / "images" / path).touch()
        if isinstance(rows, bytes):
            (here / name).write_bytes(rows)
        elif name.lower().endswith("csv"):
            pd.DataFrame(rows).to_csv(here / name, index=False)
        else:
            pd.DataFrame(rows).to_parquet(here / name, index=False)
        return read_manifest(here.relative_to(here) / name, here.relative_to(here) / "images")

    return write


@pytest.mark.parametrize("name", ["table.csv", "TABLE.CSV", "table.parquet"])
@pytest.mark.parametrize("optional", [[], ["split"], ["group"], ["split", "group"]])
def test_a_table_names_images_labels_splits_and_groups(here, listed, name, optional):
    entries = listed({key: ROWS[key] for key in ["path", "label", *optional]} | {"note": "ignored"}, name)
    empty = [None] * 3
    splits = ["test", None, "train"] if "split" in optional else empty
    groups = [None, "g1", "g1"] if "group" in optional else empty
    rows = zip(ROWS["path"], ROWS["label"], splits, groups, strict=True)
    assert entries == [Entry(path, label, here / "images" / path, split, group) for path, label, split, group in rows]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param([1, 2, 1], ["1", "2", "1"], id="integers"),
        pytest.param(pd.Categorical(["x", "y", "x"]), ["x", "y", "x"], id="categories"),
        pytest.param([True, False, True], ["True", "False", "True"], id="booleans"),
        pytest.param(["NA", "null", "nan"], ["NA", "null", "nan"], id="words for nothing"),
        pytest.param(['a, "b"', "ü\n", "<b>"], ['a, "b"', "ü\n", "<b>"], id="odd text"),
    ],
)
@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_labels_may_be_anything_that_has_a_text(listed, name, labels, expected):
    assert [entry.label for entry in listed(ROWS | {"label": labels}, name)] == expected


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param([None, 7, 7], id="floats"),
        pytest.param(pd.array([None, 7, 7], "Int64"), id="integers"),
        pytest.param(pd.Categorical([None, "7", "7"]), id="categories"),
        pytest.param([None, "7", "7"], id="texts"),
    ],
)
@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_what_is_missing_from_a_column_of_any_type_is_not_given(listed, name, groups):
    alone, first, second = [entry.group for entry in listed(ROWS | {"group": groups}, name)]
    assert alone is None
    assert first == second != None  # noqa: E711


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbfpath,label\na.png,cat\nb.png,dog\n", id="byte order mark"),
        pytest.param(b"path,label\r\na.png,cat\r\nb.png,dog\r\n", id="Windows line ends"),
        pytest.param(b'label,"path"\ncat,a.png\ndog,b.png', id="other order, no last line end"),
    ],
)
def test_a_csv_may_be_written_in_these_ways(listed, content):
    assert [(entry.path, entry.label) for entry in listed(content)] == [("a.png", "cat"), ("b.png", "dog")]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"path;label\na.png;cat\n", ["has the columns path;label,", "lacks label and path"]),
        (b"Path,label\na.png,cat\n", ["has the columns Path, label,", "lacks path", "expected path, label and"]),
        (b"path\na.png\n", ["lacks label"]),
        (b"", ["cannot be read as a table"]),
        ("path,label\na.png,Käfer\n".encode("latin-1"), ["cannot be read as a table", "utf-8"]),
        (b'path,label\n"a.png,cat\n', ["cannot be read as a table", "EOF inside string"]),
        (b"path,label\na.png,cat\na.png,cat,x,y\n", ["cannot be read as a table", "line 3"]),
        (b"path,label\na.png,cat,\nb.png,dog,\n", ["cannot be read as a table", "more fields than"]),
        (b"path,label\na.png,cat\nb.png,\nb.png\nb.png,  \n", ["3 rows of table.csv have no label: 'b.png'"]),
        (
            b"path,label,split\na.png,cat,dev\nb.png,cat,Test\n",
            ["2 rows", "other than train, validation, test", "'dev', 'Test'"],
        ),
        (
            b"path,label\n" + b"no.png,cat\n" * 7,
            ["7 rows", "does not exist below data.root, images", "'no.png'", "and 4 more"],
        ),
        (b"path,label\nbelow,cat\n.,cat\n,cat\n", ["3 rows", "does not exist", "'below', '.', ''"]),
        (b"path,label\na.png/b.png,cat\n", ["1 rows", "does not exist", "'a.png/b.png'"]),
        (b"path,label\n" + b"x" * 300 + b".png,cat\n", ["1 rows", "does not exist"]),
        (
            b"path,label\n../table.csv,cat\n/etc/passwd,cat\nbelow/../../table.csv,cat\n",
            ["3 rows", "leads out of data.root", "'../table.csv', '/etc/passwd'"],
        ),
    ],
)
def test_a_bad_table_is_refused_with_counts_and_examples(listed, refusal, content, parts):
    sentence = refusal(listed, content)
    assert all(part in sentence for part in parts)


@pytest.mark.parametrize("path", ["a\0b.png", "a\0b/c.png"])
def test_a_path_that_no_file_can_have_does_not_exist(listed, refusal, path):
    assert "1 rows of table.parquet name a file that does not exist" in refusal(
        listed, {"path": [path], "label": ["cat"]}, "table.parquet"
    )


def test_a_label_that_is_missing_is_counted_in_parquet_too(listed, refusal):
    sentence = refusal(listed, ROWS | {"label": pd.Categorical(["x", None, None])}, "table.parquet")
    assert "2 rows of table.parquet have no label: 'below/c.png', 'a.png'" in sentence


def test_what_is_no_parquet_is_refused(listed, refusal):
    assert "table.parquet cannot be read as a table" in refusal(listed, b"path,label\n", "table.parquet")


def test_a_path_within_the_root_may_take_a_detour(listed):
    (entry,) = listed(b"path,label\nbelow/../a.png,cat\n")
    assert entry.image.samefile("images/a.png")


def test_a_folder_linked_to_elsewhere_leads_out_of_the_root(here, listed, refusal):
    (here / "elsewhere").mkdir()
    (here / "elsewhere/a.png").touch()
    (here / "images").mkdir()
    (here / "images/link").symlink_to("../elsewhere")
    (here / "images/loop").symlink_to("loop")
    assert "leads out of data.root" in refusal(listed, b"path,label\nlink/a.png,cat\n")
    assert "does not exist" in refusal(listed, b"path,label\nloop/a.png,cat\n")


def test_the_root_itself_may_be_a_link_and_a_file_too(here, listed):
    # DVC's cache may be linked into a folder that it manages.
    (here / "cache").mkdir()
    (here / "cache/d.png").touch()
    (here / "images").symlink_to("cache")
    (here / "cache/e.png").symlink_to("/etc/hostname")
    assert len(listed(b"path,label\nd.png,cat\ne.png,cat\n")) == 2
