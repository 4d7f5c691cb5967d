"""Whatever a table of images holds, each row is read as it was written, or the table is refused in a sentence."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.errors import BadInput
from stages.sources.manifest import read_manifest
from stages.splits import SPLITS

LONGEST_SENTENCE = 2000
reproducibly = settings(derandomize=True, database=None, deadline=None, max_examples=60)

# Of the names that files of Linux can have, those that a table of UTF-8 can hold.
names = [
    "a.png",
    " b.png",
    "c,d.png",
    '"e".png',
    "f\ng.png",
    "ä/ß.png",
    "-h.png",
    "#i.png",
    "j;k.png",
    "NA",
    "\U0001f408",
]
# All but what the report's charts and tables could not hold.
drawable = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cs"], include_characters="\t\n", exclude_characters="\ufffe\uffff"
)
texts = st.text(drawable, max_size=30)
labels = texts.filter(str.strip)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(names),
            "label": labels,
            "split": st.sampled_from(["", *SPLITS]),
            "group": texts,
            # With a word in front, for what looks like a number is read as one.
            "place": texts.map("in {}".format),
        }
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    return root


def read_as(table, suffix, folder):
    file = folder.parent / f"table.{suffix}"
    if suffix == "csv":
        table.to_csv(file, index=False)
    else:
        table.to_parquet(file, index=False)
    return read_manifest(file, folder)


@reproducibly
@given(written=rows)
def test_every_row_is_read_as_it_was_written_from_either_kind_of_table(folder, written):
    table = pd.DataFrame(written)
    read = read_as(table, "csv", folder)
    assert read == read_as(table, "parquet", folder)
    assert [
        {
            "path": entry.path,
            "label": entry.label,
            "split": entry.split or "",
            "group": entry.group or "",
            "place": entry.properties["place"],
        }
        for entry in read
    ] == written
    assert all(Path(entry.image).is_file() for entry in read)


@reproducibly
@given(
    suffix=st.sampled_from(["csv", "parquet"]),
    content=st.binary(max_size=300) | texts.map(lambda text: f"path,label\na.png,cat\n{text}".encode()),
)
@example(suffix="csv", content=b"path,label\na.png,cat\n")
@example(suffix="csv", content=b"path,label\n" + 2000 * b"\n" + b"../" * 1000 + b",cat\n")
@example(suffix="csv", content=b"\xff\xfe" + "path,label\n".encode("utf-16-le"))
def test_any_bytes_are_read_or_refused_in_a_sentence(folder, suffix, content):
    file = folder.parent / f"bytes.{suffix}"
    file.write_bytes(content)
    try:
        entries = read_manifest(file, folder)
    except BadInput as refused:
        refusal = str(refused)
    else:
        refusal = ""
        assert all(Path(entry.image).resolve().is_relative_to(folder.resolve()) for entry in entries)
    assert len(refusal) < LONGEST_SENTENCE
    assert refusal.isprintable()
