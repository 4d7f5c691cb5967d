"""A CSV or Parquet table of images: path, label[, split, group], and any further property of an image."""

import contextlib
import os
from pathlib import Path

import pandas as pd

from stages.errors import BadInput
from stages.sources.links import leads_out
from stages.sources.source import UNDRAWABLE, Entry
from stages.sources.table import read_table
from stages.splits import ALSO_CALLED, SPLITS

INFINITE = (float("inf"), float("-inf"))
OWN = ("path", "label", "split", "group")
_SHOWN = 3
_LONGEST_SHOWN = 200


def read_manifest(table: Path, root: Path) -> list[Entry]:
    """List the images that a table names, each below `root`.

    Raises:
        BadInput: No such table, or one too large; a column is missing, a split unknown, a number infinite, a text not
            to be drawn, or a path outside of `root` or without a file.
    """
    rows = _drawable(table, read_table(table))
    _refuse(table, "have no label", rows[rows["label"].str.strip() == ""])
    if "split" in rows:
        rows["split"] = rows["split"].replace(ALSO_CALLED)
        wrong = rows[~rows["split"].isin(["", *SPLITS])]
        _refuse(table, f"have a split other than {', '.join(SPLITS)} or nothing", wrong, "split")
    folder = root.resolve()
    files = [os.path.join(folder, path) for path in rows["path"]]
    outside = [leads_out(Path(file), folder) for file in files]
    _refuse(table, f"have a path that leads out of data.root, {root}", rows[outside])
    absent = [not os.path.isfile(file) for file in files]
    _refuse(table, f"name a file that does not exist below data.root, {root}", rows[absent])
    splits = rows["split"] if "split" in rows else pd.Series("", rows.index)
    groups = rows["group"] if "group" in rows else pd.Series("", rows.index)
    properties = _properties(table, rows.drop(columns=[name for name in OWN if name in rows]))
    listed = zip(rows["path"], rows["label"], files, splits, groups, properties, strict=True)
    return [
        Entry(path, label, file, split or None, group or None, known)
        for path, label, file, split, group, known in listed
    ]


def _drawable(table: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Give every line's end its usual form, and refuse what cannot be drawn, wherever a slice may be named after it."""
    for name in rows.columns.difference(["path", "label", "split"], sort=False):
        shown = repr(name)[:_LONGEST_SHOWN]
        if UNDRAWABLE.search(name):
            raise BadInput(f"{table} has a column {shown}, whose name holds a control character; rename it")
        rows[name] = rows[name].str.replace("\r\n?", "\n", regex=True)
        undrawable = rows[rows[name].str.contains(UNDRAWABLE)]
        _refuse(table, f"have a control character in {shown}; remove it", undrawable, name)
    return rows


def _properties(table: Path, rows: pd.DataFrame) -> list[dict[str, str | float | None]]:
    """Read each column as numbers if all of it are, else as texts; what is empty is not known."""
    known = rows.astype(object).where(rows != "", None).rename(columns=str)
    for name in known.columns:
        # A number of a thousand digits is an OverflowError, and none that could be drawn.
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            known[name] = pd.to_numeric(known[name]).astype(float)
        infinite = known[known[name].isin(INFINITE)]
        _refuse(table, f"have an infinite {name}; leave empty what is not known", infinite, name)
    return [{str(name): value for name, value in row.items()} for row in known.to_dict("records")]


def _refuse(table: Path, what: str, rows: pd.DataFrame, column: str = "path") -> None:
    if len(rows):
        shown = ", ".join(repr(value)[:_LONGEST_SHOWN] for value in rows[column][:_SHOWN])
        more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        raise BadInput(f"{len(rows)} rows of {table} {what}: {shown}{more}")
