"""From items shards (a row per cell and count column, counts as bytes) to a tidy frame with a row per item."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from xltransfer.runs.columns import CELL_COLUMNS, ITEMS
from xltransfer.runs.read_shards import read_rows, require_items
from xltransfer.runs.store import Store

KEY_COLUMNS = ("unit", *CELL_COLUMNS)
_KINDS = {name: ITEMS.field(name).type for name in KEY_COLUMNS}
_COUNTS = ("count", "dtype", "values")
_Key = tuple[str, str, str]


@dataclass
class _Block:
    """The rows of one cell (and label): its identity, which items, and their counts."""

    identity: dict[str, Any]
    label: str
    size: int  # items of the target
    rows: NDArray[np.intp]  # those of them that the frame shows
    counts: dict[str, NDArray[Any]] = field(default_factory=dict)


def item_frame(store: Store, wanted: Mapping[str, str | Collection[str]], labels: bool) -> pd.DataFrame:
    """Return the item counts of all cells whose columns have one of the ``wanted`` values; see ``Run.items``."""
    where = {name: [values] if isinstance(values, str) else values for name, values in wanted.items()}
    group = 1 if labels else 0  # counts over all labels lie in the first row group, those per label in the second
    blocks = [
        _kept_rows(block, labels)
        for path in store.placed("items")
        if store.measurements_path(path.stem).exists()  # else the unit is not present: it is being written, or failed
        for block in _blocks(read_rows(path, ITEMS, row_group=group, where=where))
    ]
    frame = _identity_columns(blocks) | _item_columns(store, blocks)
    if labels:
        frame["label"] = _repeated([block.label for block in blocks], blocks)
    return pd.DataFrame(frame | _count_columns(blocks))


def _blocks(table: pa.Table) -> list[_Block]:
    """Collect the count columns of each cell and label; the rows of one cell may lie anywhere in the shard."""
    found: dict[tuple[Any, ...], _Block] = {}
    columns = [table[name].to_pylist() for name in (*KEY_COLUMNS, "label", *_COUNTS)]
    for *identity, label, count, dtype, values in zip(*columns, strict=True):
        array = np.frombuffer(values, dtype=np.dtype(dtype).newbyteorder("<"))
        block = found.setdefault(
            (*identity, label),
            _Block(dict(zip(KEY_COLUMNS, identity, strict=True)), label, len(array), np.arange(len(array))),
        )
        block.counts[count] = array
    return list(found.values())


def _kept_rows(block: _Block, labels: bool) -> _Block:
    """Drop the items of a label block that have no count at all."""
    if not labels:
        return block
    rows = np.flatnonzero(np.logical_or.reduce([values != 0 for values in block.counts.values()]))
    return replace(block, rows=rows, counts={name: values[rows] for name, values in block.counts.items()})


def _repeated(values: Sequence[Any], blocks: Sequence[_Block]) -> Any:
    """Return one text per block as a categorical column with a row per item."""
    codes, categories = pd.factorize(np.asarray(values, dtype=object), sort=True)
    sizes = [len(block.rows) for block in blocks]
    return pd.Categorical.from_codes(np.repeat(codes, sizes), categories=pd.Index(categories, dtype="str"))


def _identity_columns(blocks: Sequence[_Block]) -> dict[str, Any]:
    """Return the columns that name unit and cell."""
    sizes = [len(block.rows) for block in blocks]
    frame: dict[str, Any] = {}
    for name in KEY_COLUMNS:
        values = [block.identity[name] for block in blocks]
        if _KINDS[name] == pa.int64():
            frame[name] = pd.array(values, dtype="Int64").repeat(sizes)
        else:
            frame[name] = _repeated(values, blocks)
    return frame


def _item_columns(store: Store, blocks: Sequence[_Block]) -> dict[str, Any]:
    """Return ``item`` and ``cluster`` of every row, looked up by its place in the target."""
    targets = store.targets()
    frame = {}
    for name in ("item", "cluster"):
        known: dict[str, int] = {}
        codes_of = {
            key: np.array([known.setdefault(text, len(known)) for text in table[name].to_pylist()], dtype=np.intp)
            for key, table in targets.items()
        }
        parts = [codes_of[_checked(store, codes_of, block)][block.rows] for block in blocks]
        codes = np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)
        frame[name] = pd.Categorical.from_codes(codes, categories=pd.Index(list(known), dtype="str"))
    return frame


def _checked(store: Store, listed: Mapping[_Key, NDArray[np.intp]], block: _Block) -> _Key:
    """Return the block's target after checking that its items are known."""
    key = (block.identity["task"], block.identity["dataset"], block.identity["target"])
    known = len(listed[key]) if key in listed else None
    require_items(key, block.size, known, store.items_path(block.identity["unit"]))
    return key


def _count_columns(blocks: Sequence[_Block]) -> dict[str, Any]:
    """Return the count columns, ``nll`` and other sums of floats last."""
    kinds: dict[str, str] = {}
    for block in blocks:
        for name, values in block.counts.items():
            kinds[name] = "float" if values.dtype.kind == "f" else kinds.get(name, "integer")
    return {
        name: _count_column(name, kind == "float", blocks)
        for kind in ("integer", "float")
        for name in sorted(name for name in kinds if kinds[name] == kind)
    }


def _count_column(name: str, floats: bool, blocks: Sequence[_Block]) -> Any:
    """Return one count column over all rows, missing where a cell has no such count."""
    rows = sum(len(block.rows) for block in blocks)
    values = np.full(rows, np.nan) if floats else np.zeros(rows, dtype=np.int64)
    missing = np.ones(rows, dtype=bool)
    start = 0
    for block in blocks:
        stop = start + len(block.rows)
        if name in block.counts:
            values[start:stop] = block.counts[name]
            missing[start:stop] = False
        start = stop
    return values if floats else pd.arrays.IntegerArray(values, missing)
