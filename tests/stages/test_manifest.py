import os

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.sources import table
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
    entries = listed({key: ROWS[key] for key in ["path", "label", *optional]}, name)
    empty = [None] * 3
    splits = ["test", None, "train"] if "split" in optional else empty
    groups = [None, "g1", "g1"] if "group" in optional else empty
    rows = zip(ROWS["path"], ROWS["label"], splits, groups, strict=True)
    assert entries == [
        Entry(path, label, str(here / "images" / path), split, group) for path, label, split, group in rows
    ]


@pytest.mark.parametrize("name", ["val", "valid"])
def test_validation_may_be_called_as_others_call_it(listed, name):
    entries = listed(ROWS | {"split": ["test", name, "train"]})
    assert [entry.split for entry in entries] == ["test", "validation", "train"]


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


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_any_further_column_is_a_property_of_the_image(listed, name):
    entries = listed(ROWS | {"camera": ["old", "", "new"], "age": [3, None, 1.5]}, name)
    assert [entry.properties["camera"] for entry in entries] == ["old", None, "new"]
    assert [entry.properties["age"] for entry in entries] == [3.0, pytest.approx(float("nan"), nan_ok=True), 1.5]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_lines_of_a_property_end_alike_whoever_wrote_them(listed, end):
    first, *_ = listed(ROWS | {"note": [f"dark{end}wet", "dry", "dry"]}, "table.parquet")
    assert first.properties["note"] == "dark\nwet"


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
        (
            "path,label\na.png,Käfer\n".encode("latin-1"),
            ["table.csv cannot be read as a table: it is not text in UTF-8; save"],
        ),
        ("path,label\na.png,cat\n".encode("utf-16"), ["is not text in UTF-8"]),
        (b'path,label\n"a.png,cat\n', ["cannot be read as a table", "unexpected end of data"]),
        (b"path,label\na.png,cat\na.png,cat,x,y\n", ["cannot be read as a table", "line 3"]),
        (
            b"path,label\na.png,cat,\nb.png,dog,\n",
            ["cannot be read as a table", "line 2 has 3 fields, and the"],
        ),
        (b"path,label\na.png,cat\nb.png,\nb.png\nb.png,  \n", ["3 rows of table.csv have no label: 'b.png'"]),
        (
            b"path,label,split\na.png,cat,dev\nb.png,cat,Test\n",
            ["2 rows", "other than train, validation, test", "'dev', 'Test'"],
        ),
        (
            b"path,label\n" + b"no.png,cat\n" * 7,
            ["7 rows", "does not exist below data.root, images", "'no.png'", "and 4 more"],
        ),
        (
            b"path,label,age\na.png,cat,3\nb.png,cat,inf\na.png,cat,-inf\n",
            ["2 rows", "infinite age", "known: inf, -inf", "leave empty"],
        ),
        (
            b"path,label,camera\na.png,cat,old\nb.png,dog,\x1b[1m\n",
            ["1 rows", "control character in 'camera'", r"'\x1b[1m'", "remove it"],
        ),
        (b"path,label,group\na.png,cat,\x01\n", ["1 rows", "control character in 'group'", r"'\x01'"]),
        (b"path,label,a\x1fb\na.png,cat,1\n", [r"a column 'a\x1fb', whose name", "rename it"]),
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


def test_a_number_of_more_digits_than_any_can_have_is_a_text(listed):
    serial = "9" * 400
    assert [entry.properties["serial"] for entry in listed(ROWS | {"serial": [serial, "1", "2"]})] == [serial, "1", "2"]


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
    assert os.path.samefile(entry.image, "images/a.png")


def test_a_folder_linked_to_elsewhere_leads_out_of_the_root(here, listed, refusal):
    (here / "elsewhere").mkdir()
    (here / "elsewhere/a.png").touch()
    (here / "images").mkdir()
    (here / "images/link").symlink_to("../elsewhere")
    (here / "images/loop").symlink_to("loop")
    assert "leads out of data.root" in refusal(listed, b"path,label\nlink/a.png,cat\n")
    assert "does not exist" in refusal(listed, b"path,label\nloop/a.png,cat\n")


def test_a_file_that_is_a_link_leads_out_of_the_root_as_well(here, listed, refusal):
    (here / "images").mkdir()
    (here / "images/e.png").symlink_to("/etc/hostname")
    assert "leads out of data.root, images: 'e.png'" in refusal(listed, b"path,label\ne.png,cat\n")


def test_the_root_itself_may_be_a_link_and_a_file_be_one_into_dvcs_cache(here, listed):
    (here / "elsewhere/files/md5/0a").mkdir(parents=True)
    (here / "elsewhere/files/md5/0a" / (30 * "1")).touch()
    (here / "elsewhere/d.png").touch()
    (here / "elsewhere/e.png").symlink_to(here / "elsewhere/files/md5/0a" / (30 * "1"))
    (here / "images").symlink_to("elsewhere")
    assert len(listed(b"path,label\nd.png,cat\ne.png,cat\n")) == 2


def test_a_csv_of_millions_of_columns_or_with_a_gigantic_field_is_refused_before_it_is_all_read(listed, refusal):
    wide = b"path,label" + 10_000_000 * b",a" + b"\n"
    assert "line 1 has more than 1,000,000 characters" in refusal(listed, wide)
    assert "line 2 has more than 1,000,000 characters" in refusal(listed, b"path,label\n" + 2_000_000 * b"x")
    assert "line 2 has 900,000 fields, and the header has 2" in refusal(listed, b"path,label\n" + 899_999 * b",")
    assert "field larger than field limit" in refusal(listed, b'path,label\n"' + 100_000 * b"xx\n" + b'",cat\n')
    many = refusal(listed, b",".join([b"a"] * 400_000) + b"\n")
    assert "it has the columns a, a, a and 399,997 more, but lacks label and path" in many


def test_a_column_that_stands_twice_is_refused(listed, refusal):
    assert "it has several columns of one name" in refusal(listed, b"path,label,label\na.png,cat,dog\n")


@pytest.fixture
def parquet(here, refusal):
    """Write a Parquet file of columns, perhaps change its bytes, and return how it is refused."""

    def refuse(change=lambda content: content, **columns):
        pq.write_table(pa.table(columns), "table.parquet", compression="zstd")
        file = here / "table.parquet"
        file.write_bytes(change(file.read_bytes()))
        return refusal(read_manifest, file, here)

    return refuse


def test_a_small_parquet_file_of_many_rows_or_long_texts_is_refused(parquet, monkeypatch):
    monkeypatch.setattr(table, "MOST_ROWS", 1000)
    assert "it has 1,001 rows; expected 1,000 at most" in parquet(path=["a"] * 1001, label=["b"] * 1001)
    monkeypatch.setattr(table, "MOST_BYTES", 1_000_000)
    repeated = parquet(path=["a" * 10_000] * 1000, label=["b"] * 1000)
    assert "its texts take more than 1,000,000 bytes" in repeated
    assert "its column label holds list" in parquet(path=["a"], label=[[1]])


@pytest.mark.parametrize("change", [lambda b: b[:-20] + b[-8:], lambda b: b[:200] + b[-200:], lambda b: b[:4] + b[-8:]])
def test_a_parquet_file_whose_footer_lies_is_refused(parquet, change):
    names = [f"{number}.png" for number in range(1000)]
    assert "cannot be read as a table" in parquet(change, path=names, label=names)
