"""Rows of tables: every format gives the same rows, and what is malformed is refused with its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xltransfer.data.records import Record, read_records
from xltransfer.errors import DataError

Write = Callable[[str, str], Path]
ROWS = [{"text": 'a "quoted, word', "stars": 4}, {"text": "b c", "stars": 1}]


def written(kind: str, write: Write, tmp_path: Path) -> Path:
    """Write ``ROWS`` in one format."""
    if kind == "jsonl":
        return write("x", "\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    if kind == "tsv":
        return write("x", "text\tstars\n" + "".join(f"{row['text']}\t{row['stars']}\n" for row in ROWS))
    if kind == "csv":
        return write("x", 'text,stars\r\n"a ""quoted, word",4\r\nb c,1\r\n')
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "x")
    return tmp_path / "x"


@pytest.mark.parametrize("kind", ["tsv", "csv", "jsonl", "parquet"])
def test_formats_agree(kind: Any, write: Write, tmp_path: Path) -> None:
    records = read_records(written(kind, write, tmp_path), kind)
    assert [(each.text("text"), each.text("stars")) for each in records] == [('a "quoted, word', "4"), ("b c", "1")]


@pytest.mark.parametrize(("kind", "place"), [("tsv", "x:3"), ("csv", "x:3"), ("jsonl", "x:2"), ("parquet", "x: row 1")])
def test_rows_know_their_place(kind: Any, place: str, write: Write, tmp_path: Path) -> None:
    assert read_records(written(kind, write, tmp_path), kind)[1].place == f"{tmp_path}/{place}"


def test_columns_without_a_header_are_numbered(write: Write) -> None:
    (record,) = read_records(write("x", "a\t b  c \n"), "tsv", header=False)
    assert (record.text("0"), record.text("1")) == ("a", "b c")


def test_a_field_of_several_lines_is_one_row(write: Write) -> None:
    first, second = read_records(write("x", 'text,stars\n"a\nb",1\nc,2\n'), "csv")
    assert (first.text("text"), first.place[-3:], second.place[-3:]) == ("a b", "x:3", "x:4")


def test_numbers_are_written_plainly_and_nothing_is_empty() -> None:
    record = Record("p", {"a": 4.0, "b": None, "c": 2.5, "d": True, "e": ["x"]})
    assert [record.text(name) for name in "abc"] == ["4", "", "2.5"]
    for name in "de":
        with pytest.raises(DataError, match=f"p: column '{name}' holds .*expected text or a number"):
            record.text(name)
    with pytest.raises(DataError, match="p: no column 'labl'"):
        record.text("labl")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_not_finite_are_no_text(number: str, write: Write) -> None:
    path = write("x", f'{{"premise": "a"}}\n{{"premise": {number}}}\n')
    record = read_records(path, "jsonl")[1]
    with pytest.raises(DataError, match=r"x:2: column 'premise' holds (nan|-?inf), expected text or a finite number"):
        record.text("premise")


def test_missing_values_of_parquet_are_empty_and_nan_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"stars": pa.array([4.0, None, float("nan")])}), tmp_path / "x")
    first, missing, nan = read_records(tmp_path / "x", "parquet")
    assert (first.text("stars"), missing.text("stars")) == ("4", "")
    with pytest.raises(DataError, match="x: row 2: column 'stars' holds nan"):
        nan.text("stars")


def test_a_whole_number_of_any_size_is_text() -> None:
    assert Record("p", {"a": 10**400}).text("a") == "1" + "0" * 400


BAD = {
    "deep": ("jsonl", "[" * 100_000 + "\n", ":1: nested too deeply to be read"),
    "columns": ("tsv", "a\tb\n1\n", ":2: 1 columns, expected 2 \\(a, b\\)"),
    "header": ("tsv", "a\ta\n1\t2\n", ":1: the header names a column twice: a, a"),
    "json": ("jsonl", '{"a": 1}\n{"a": \n', ":2: no JSON"),
    "object": ("jsonl", "[1]\n", ":1: holds list, expected a JSON object"),
    "quotes": ("csv", 'a,b\n"x"y,1\n', ":2: .*expected CSV with commas and double quotes"),
    "empty": ("tsv", "a\tb\n", ": holds no row"),
    "parquet": ("parquet", "PAR?", ": no parquet file"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_malformed_is_refused_with_its_place(name: str, write: Write) -> None:
    kind, text, message = BAD[name]
    path = write("bad", text)
    with pytest.raises(DataError, match=f"bad{message}"):
        read_records(path, kind)  # type: ignore[arg-type]


def test_absent_parquet_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="x: no such file"):
        read_records(tmp_path / "x", "parquet")
