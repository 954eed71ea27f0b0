"""Rows of TSV, CSV, JSONL and parquet files as mappings from column to value, each with its place.

TSV has no quotes: real files hold lone quotation marks in their sentences. CSV has them, and a quoted field may run
over several lines; a row's place is then its last line.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xltransfer.data.lines import lines, read_text
from xltransfer.errors import DataError, near_match

Format = Literal["tsv", "csv", "jsonl", "parquet"]


@dataclass(frozen=True)
class Record:
    """One row.

    Attributes
    ----------
    place
        ``file:line``, or ``file: row N`` (from 0) where there are no lines.
    fields
        Column to value.
    """

    place: str
    fields: Mapping[str, Any]

    def get(self, column: str) -> Any:
        """Return a value; raises :class:`DataError` where the row has no such column."""
        if column not in self.fields:
            raise DataError(f"{self.place}: no column {column!r}{near_match(column, self.fields)}")
        return self.fields[column]

    def text(self, column: str) -> str:
        """Return a value as text with white space normalised; empty where there is none.

        Raises
        ------
        DataError
            If there is no such column, or it holds neither text nor a finite number.
        """
        value = self.get(column)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise DataError(
                    f"{self.place}: column {column!r} holds {value!r}, expected text or a finite number; what is "
                    "missing is null or an empty text"
                )
            value = int(value) if value.is_integer() else value
        elif value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
            raise DataError(f"{self.place}: column {column!r} holds {value!r}, expected text or a number")
        return "" if value is None else " ".join(str(value).split())


def read_records(path: Path, format: Format, header: bool = True) -> list[Record]:
    """Read all rows of a file.

    Parameters
    ----------
    path
        The file; text is UTF-8.
    format
        How it is written.
    header
        Whether the first line of TSV or CSV names the columns; if not, they are named ``0``, ``1``, ...

    Raises
    ------
    DataError
        For rows with different numbers of columns, lines that are no JSON object, a file that is no parquet file or
        holds no row; with ``file:line``.
    """
    if format == "parquet":
        records = _parquet(path)
    elif format == "jsonl":
        records = list(_jsonl(path))
    else:
        rows = _tsv(path) if format == "tsv" else _csv(path)
        records = list(_table(path, list(rows), header))
    if not records:
        raise DataError(f"{path}: holds no row")
    return records


def _tsv(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield line number and fields of every line that is not blank."""
    for number, line in enumerate(lines(path), start=1):
        if line.strip():
            yield number, line.split("\t")


def _csv(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield last line number and fields of every row that is not blank."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as err:
        raise DataError(f"{path}:{reader.line_num}: {err}; expected CSV with commas and double quotes") from err


def _table(path: Path, rows: list[tuple[int, Sequence[str]]], header: bool) -> Iterator[Record]:
    """Yield rows of fields under the names of their columns."""
    if not rows:
        return
    names = list(rows[0][1]) if header else [str(number) for number in range(len(rows[0][1]))]
    if len(set(names)) < len(names):
        raise DataError(f"{path}:{rows[0][0]}: the header names a column twice: {', '.join(names)}")
    for number, fields in rows[1:] if header else rows:
        if len(fields) != len(names):
            raise DataError(f"{path}:{number}: {len(fields)} columns, expected {len(names)} ({', '.join(names)})")
        yield Record(f"{path}:{number}", dict(zip(names, fields, strict=True)))


def _jsonl(path: Path) -> Iterator[Record]:
    """Yield the object of every line that is not blank."""
    for number, line in enumerate(lines(path), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as err:
            raise DataError(f"{path}:{number}: no JSON ({err.msg}); expected one object a line") from err
        except RecursionError as err:
            raise DataError(f"{path}:{number}: nested too deeply to be read; expected one flat object a line") from err
        if not isinstance(fields, dict):
            raise DataError(f"{path}:{number}: holds {type(fields).__name__}, expected a JSON object")
        yield Record(f"{path}:{number}", fields)


def _parquet(path: Path) -> list[Record]:
    """Return the rows of a parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError as err:
        raise DataError(f"{path}: no such file; check the manifest's root and the study's data_root") from err
    except (OSError, pa.ArrowInvalid) as err:
        raise DataError(f"{path}: no parquet file ({str(err).splitlines()[0]})") from err
    return [Record(f"{path}: row {number}", fields) for number, fields in enumerate(table.to_pylist())]
