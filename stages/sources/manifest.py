"""A CSV or Parquet table of images: path, label[, split, group]."""

import os
from pathlib import Path

import pandas as pd

from stages.errors import BadInput
from stages.sources.source import Entry
from stages.splits import SPLITS

_SHOWN = 3


def read_manifest(table: Path, root: Path) -> list[Entry]:
    """List the images that a table names, each below `root`.

    Raises:
        BadInput: A column is missing, a split unknown, or a path outside of `root` or without a file.
    """
    rows = _read(table)
    missing = {"path", "label"} - set(rows.columns)
    if missing:
        raise BadInput(
            f"{table} has the columns {', '.join(map(str, rows.columns))}, but lacks {' and '.join(sorted(missing))}; "
            "expected path, label and, if you like, split and group"
        )
    _refuse(table, "have no label", rows[rows["label"].str.strip() == ""])
    if "split" in rows:
        wrong = rows[~rows["split"].isin(["", *SPLITS])]
        _refuse(table, f"have a split other than {', '.join(SPLITS)} or nothing", wrong, "split")
    folder = root.resolve()
    files = [Path(folder, path) for path in rows["path"]]
    outside = [_leads_out(file, folder) for file in files]
    _refuse(table, f"have a path that leads out of data.root, {root}", rows[outside])
    absent = [not os.path.isfile(file) for file in files]
    _refuse(table, f"name a file that does not exist below data.root, {root}", rows[absent])
    splits = rows["split"] if "split" in rows else pd.Series("", rows.index)
    groups = rows["group"] if "group" in rows else pd.Series("", rows.index)
    return [
        Entry(path, label, file, split or None, group or None)
        for path, label, file, split, group in zip(rows["path"], rows["label"], files, splits, groups, strict=True)
    ]


def _read(table: Path) -> pd.DataFrame:
    try:
        if table.suffix.lower() == ".csv":
            rows = pd.read_csv(table, dtype=str, keep_default_na=False)
            if not isinstance(rows.index, pd.RangeIndex):
                # pandas took the first column for an index.
                raise ValueError("its rows have more fields than its header")
            return rows
        rows = pd.read_parquet(table)
        wanted = [name for name in ("path", "label", "split", "group") if name in rows]
        return rows[wanted].astype("string").fillna("").astype(str)
    except (OSError, ValueError, TypeError, pd.errors.ParserError) as error:
        raise BadInput(f"{table} cannot be read as a table: {' '.join(str(error).split())}") from error


def _leads_out(file: Path, folder: Path) -> bool:
    try:
        # The file itself may be a link: DVC's cache may be linked.
        return not Path(file.parent.resolve(), file.name).is_relative_to(folder)
    except (OSError, RuntimeError, ValueError):
        return False  # such a path leads nowhere


def _refuse(table: Path, what: str, rows: pd.DataFrame, column: str = "path") -> None:
    if len(rows):
        shown = ", ".join(repr(value) for value in rows[column][:_SHOWN])
        more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        raise BadInput(f"{len(rows)} rows of {table} {what}: {shown}{more}")
