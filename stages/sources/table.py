"""CSV and Parquet files as tables of texts, whoever wrote them: within bounds of time and memory, or not at all."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.errors import BadInput, legible

# Four are ours, and each other is a property of the images that the report looks into.
MOST_COLUMNS = 100
# ImageNet-21k has 14 million. A Parquet file of a kilobyte can claim, and have, billions.
MOST_ROWS = 20_000_000
# A line of a CSV file: more than any path and label need, and too few for a million columns.
MOST_LINE = 1_000_000
# What all rows of a Parquet file may take, where texts that repeat count once.
MOST_BYTES = 4_000_000_000
_SHOWN = 3
_LONGEST_REASON = 500


def read_table(table: Path) -> pd.DataFrame:
    """Read every column that has a name as texts; what is missing is empty.

    Raises:
        BadInput: It is no table, one without path or label, or a larger one than is safe to read.
    """
    read = _read_csv if table.suffix.lower() == ".csv" else _read_parquet
    try:
        return read(table)
    except (OSError, ValueError, TypeError, MemoryError, csv.Error, pa.ArrowException) as error:
        raise BadInput(f"{table} cannot be read as a table: {legible(str(error), _LONGEST_REASON)}") from error


def _read_csv(table: Path) -> pd.DataFrame:
    with table.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(_lines(file), strict=True)
        header = next(lines, [])
        places = _places(header)
        rows = []
        for fields in lines:
            if (found := len(fields)) > len(header):
                raise ValueError(f"line {lines.line_num} has {found:,} fields, and the header has {len(header):,}")
            if fields:
                rows.append([fields[place] if place < len(fields) else "" for place in places.values()])
            if len(rows) > MOST_ROWS:
                raise ValueError(f"it has more than {MOST_ROWS:,} rows")
    return pd.DataFrame(rows, columns=list(places), dtype=str)


def _lines(file: IO[str]) -> Iterator[str]:
    number = 0
    try:
        while line := file.readline(MOST_LINE + 1):
            number += 1
            if len(line) > MOST_LINE:
                raise ValueError(f"line {number} has more than {MOST_LINE:,} characters")
            yield line
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8; save it as such (spreadsheets call it CSV UTF-8)") from error


def _read_parquet(table: Path) -> pd.DataFrame:
    # Texts stay numbered at first, so that one that is there a million times takes its place once.
    schema = pq.read_schema(table)
    for name in (names := list(_places(schema.names))):
        if pa.types.is_nested(kind := schema.field(name).type):
            raise ValueError(f"its column {name} holds {kind}; expected texts")
    with pq.ParquetFile(table, read_dictionary=names) as file:
        if file.metadata.num_rows > MOST_ROWS:
            raise ValueError(f"it has {file.metadata.num_rows:,} rows; expected {MOST_ROWS:,} at most")
        batches, taken = [], 0
        for batch in file.iter_batches(columns=names):
            taken += sum(map(_bytes_of_texts, batch.columns))
            if taken > MOST_BYTES:
                raise ValueError(f"its texts take more than {MOST_BYTES:,} bytes")
            batches.append(batch)
    rows = pa.Table.from_batches(batches).to_pandas(ignore_metadata=True) if batches else pd.DataFrame(columns=names)
    return rows[names].astype("string").fillna("").astype(str)


def _bytes_of_texts(column: pa.Array) -> int:
    if pa.types.is_dictionary(column.type):
        lengths = pc.binary_length(column.dictionary.cast(pa.large_string()))
        return pc.sum(lengths.take(column.indices)).as_py() or 0
    return int(column.nbytes)


def _places(columns: list[str]) -> dict[str, int]:
    """Where each column stands."""
    if missing := sorted({"path", "label"} - set(columns)):
        more = f" and {len(columns) - _SHOWN:,} more" if len(columns) > _SHOWN else ""
        raise ValueError(
            f"it has the columns {', '.join(columns[:_SHOWN])[:200]}{more}, but lacks {' and '.join(missing)}; "
            "expected path, label and, if you like, split and group"
        )
    if len(columns) > MOST_COLUMNS:
        raise ValueError(f"it has {len(columns):,} columns; expected {MOST_COLUMNS} at most")
    if len(places := {name: place for place, name in enumerate(columns) if name}) < len(list(filter(None, columns))):
        raise ValueError("it has several columns of one name")
    return places
