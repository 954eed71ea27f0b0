"""Cells to the two tables of a unit, and tables to bytes. Pure: no files.

The same cells give the same bytes, in whatever order they come and whoever writes them: rows are sorted by cell, and
the writer's settings are fixed here. Each items shard has its counts over all labels in the first row group and its
counts per label in a second one, so that readers who do not want labels never decode them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xltransfer.metrics import CELLS, Metric
from xltransfer.runs.cells import Cell
from xltransfer.runs.columns import CELL_COLUMNS, ITEMS, MEASUREMENTS
from xltransfer.runs.unit import Unit, canonical_json

KEY = b"xltransfer.unit"
"""Name of the footer entry that holds the canonical JSON of the unit's key."""


def measurements_shard(unit: Unit, cells: Sequence[Cell]) -> bytes:
    """Return the measurements shard of a unit: one row per cell and metric.

    Raises
    ------
    ValueError
        If the unit's key lacks ``protocol`` or ``base``, or two cells have the same identity.
    """
    origin = {"unit": unit.id, "protocol": _text(unit, "protocol"), "base": _text(unit, "base")}
    rows = [
        origin | identity | _provenance(cell) | {"metric": metric, "score": score}
        for identity, cell in _ordered(cells)
        for metric, score in scores(cell)
    ]
    return encode([pa.Table.from_pylist(rows, schema=MEASUREMENTS)], unit.key)


def items_shard(unit: Unit, cells: Sequence[Cell]) -> bytes:
    """Return the items shard of a unit: one row per cell, count column and label, counts as little-endian bytes."""
    ordered = _ordered(cells)
    overall = [
        _items_row(unit, identity, column, "", values)
        for identity, cell in ordered
        for column, values in sorted(cell.counts.items())
    ]
    labelled = [
        _items_row(unit, identity, column, label, values)
        for identity, cell in ordered
        for column, label, values in _label_rows(cell)
    ]
    tables = [pa.Table.from_pylist(rows, schema=ITEMS) for rows in (overall, labelled)]
    return encode(tables, unit.key)


def scores(cell: Cell) -> Iterator[tuple[str, float]]:
    """Yield every metric of the cell's shape with its score, then the metrics per gold label that are defined."""
    totals = {column: _total(values) for column, values in cell.counts.items()}
    for metric in CELLS[cell.shape]:
        yield metric.name, float(metric.score(totals))
    for metric in CELLS[cell.shape]:
        yield from _label_scores(metric, cell)


def encode(row_groups: Sequence[pa.Table], key: Any) -> bytes:
    """Return a Parquet file with one row group per non-empty table and ``key`` in its footer."""
    schema = row_groups[0].schema.with_metadata({KEY: canonical_json(key).encode()})
    plain = [name for name in schema.names if name != "values"]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=6,
        use_dictionary=plain,
        write_statistics=plain,
        version="2.6",
        data_page_version="1.0",
    ) as writer:
        for table in row_groups:
            if table.num_rows:
                writer.write_table(table.replace_schema_metadata(schema.metadata), row_group_size=table.num_rows)
    return bytes(sink.getvalue())


def _text(unit: Unit, name: str) -> str:
    """Return a text of the unit's key that every measurement carries."""
    value = unit.key.get(name)
    if not isinstance(value, str):
        raise ValueError(f"unit {unit.id}: key[{name!r}] is {value!r}; measurements need it as text")
    return value


def _ordered(cells: Sequence[Cell]) -> list[tuple[dict[str, Any], Cell]]:
    """Return the cells with their identities, sorted; refuse two cells of one identity."""
    named = [(_identity(cell), cell) for cell in cells]
    named.sort(key=lambda pair: [(value is not None, value) for value in pair[0].values()])
    for (before, _), (after, _) in zip(named, named[1:], strict=False):
        if before == after:
            raise ValueError(f"two cells of one unit are both {canonical_json(after)}; tell them apart by an option")
    return named


def _identity(cell: Cell) -> dict[str, Any]:
    """Return the columns that tell the cell from others of its unit."""
    options = canonical_json(dict(cell.options))
    return {name: options if name == "options" else getattr(cell, name) for name in CELL_COLUMNS}


def _provenance(cell: Cell) -> dict[str, Any]:
    """Return the columns of a measurement that describe the cell beyond its identity."""
    return {"n_items": cell.n_items, "n_scored": cell.n_scored, "seed": cell.seed, "device": cell.device}


def _total(values: NDArray[Any]) -> NDArray[Any]:
    """Sum over items (the last axis): integers exactly, floats in float64."""
    return np.asarray(values.sum(axis=-1, dtype=np.float64 if values.dtype.kind == "f" else np.uint64))


def _label_scores(metric: Metric, cell: Cell) -> Iterator[tuple[str, float]]:
    """Yield ``name[LABEL]`` and its score for the labels where the metric's counts exist and the score is defined."""
    if not all(column in cell.label_counts for column in metric.columns):
        return
    sums = {
        column: dict(zip(labels, _total(values), strict=True)) for column, (labels, values) in cell.label_counts.items()
    }
    for label in dict.fromkeys(label for column in metric.columns for label in sums[column]):
        # A label that one of the columns does not list was never counted there: its sum is a true zero.
        score = float(metric.score({column: sums[column].get(label, 0) for column in metric.columns}))
        if not np.isnan(score):
            yield f"{metric.name}[{label}]", score


def _label_rows(cell: Cell) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield (count column, label, values) for every label that has a count in at least one column.

    A label with any count is kept in all columns that list it, so that a reader can tell zero from not counted.
    """
    present = {
        label
        for labels, values in cell.label_counts.values()
        for label, any_count in zip(labels, (values != 0).any(axis=1), strict=True)
        if any_count
    }
    for column, (labels, values) in sorted(cell.label_counts.items()):
        for label, row in zip(labels, values, strict=True):
            if label in present:
                yield column, label, row


def _items_row(unit: Unit, identity: dict[str, Any], column: str, label: str, values: NDArray[Any]) -> dict[str, Any]:
    """Return one row of the items shard."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    counts = {"count": column, "label": label, "dtype": values.dtype.name, "values": little.tobytes()}
    return {"unit": unit.id} | identity | counts
