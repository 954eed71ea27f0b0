"""Counts of items shards as arrays over all items of a task, without a Python object for any row.

The bytes of all counts of a shard lie one after another in an Arrow buffer. Which of them belong to which target and
count column is worked out once, as index arrays, and kept as long as the following shards have the same rows: all
replicates of a study do.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xltransfer.errors import RunFolderError
from xltransfer.runs.columns import ITEMS
from xltransfer.runs.read_shards import read_rows, require_items

MODEL = ("setting", "transfer", "corpus", "steps", "replicate")
"""Columns that tell the models of a unit apart; most units have one."""

_ROW = ("adapter_seed", "task", "dataset", "target", "count")
_READ = (*MODEL, *_ROW, "dtype", "values")


@dataclass(frozen=True)
class Places:
    """Where the items of a task's targets lie in an array over all of them.

    Attributes
    ----------
    names
        Pairs (dataset, target), T of them.
    starts
        Shape [T + 1]: the items of target t, in the order of its counts, are ``starts[t]:starts[t + 1]``.
    order
        Shape [items]: the array holds item ``order[i]`` at place i.
    """

    names: tuple[tuple[str, str], ...]
    starts: NDArray[np.intp]
    order: NDArray[np.intp]


@dataclass(frozen=True)
class Scored:
    """What one model scored on one task with one task adapter.

    Attributes
    ----------
    model
        Values of the columns `MODEL`.
    task, adapter_seed
        Name of the task, and which task adapter, or None.
    scored
        Shape [T]: whether the shard has the target.
    counts
        Count column -> [items] in the order of `Places`; NaN where the shard has no such count.
    """

    model: tuple[Any, ...]
    task: str
    adapter_seed: int | None
    scored: NDArray[np.bool_]
    counts: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class _Piece:
    """Where the counts of one model, task and task adapter are in the flat array of a shard."""

    model: int
    task: str
    adapter_seed: int | None
    scored: NDArray[np.bool_]
    index: Mapping[str, NDArray[np.intp]]


@dataclass(frozen=True)
class _Rows:
    """The rows of a shard but for the values: equal rows are arranged equally."""

    model: NDArray[np.intp]
    columns: pa.Table
    stops: NDArray[np.int64]  # where each row's bytes end

    def equals(self, other: "_Rows") -> bool:
        """Whether two shards have the same rows."""
        return (
            np.array_equal(self.stops, other.stops)
            and np.array_equal(self.model, other.model)
            and bool(self.columns.equals(other.columns))
        )


@dataclass(frozen=True)
class _Arrangement:
    """How the bytes of a shard become a flat array of counts, and what lies where in it."""

    size: int
    loads: Sequence[tuple[np.dtype[Any], NDArray[np.intp], NDArray[np.intp]]]  # type, places of bytes, of counts
    pieces: Sequence[_Piece]


class ItemReader:
    """Reads items shards one after another.

    Parameters
    ----------
    places
        Where the items of each task go.
    settings, tasks
        Rows of other settings and tasks are passed over; ``tasks`` None reads all.
    """

    def __init__(
        self, places: Mapping[str, Places], settings: Collection[str], tasks: Collection[str] | None = None
    ) -> None:
        self.places = places
        self._where = {"setting": settings} | ({} if tasks is None else {"task": tasks})
        self._rows: _Rows | None = None
        self._arrangement = _Arrangement(0, (), ())

    def read(self, path: Path) -> Iterator[Scored]:
        """Yield what the models of a shard scored.

        Raises
        ------
        RunFolderError
            If the shard is damaged, of another version, or counts other items than ``targets/`` lists.
        """
        table = read_rows(path, ITEMS, _READ, where=self._where)
        if not table.num_rows:
            return
        models, model = _models(table)
        values = table["values"].combine_chunks()
        stops, content = _bytes_of(values)
        rows = _Rows(model, table.select([*_ROW, "dtype"]), stops)
        if self._rows is None or not rows.equals(self._rows):
            self._arrangement, self._rows = _arrange(rows, self.places, path), rows
        flat = _flat(self._arrangement, content)
        for piece in self._arrangement.pieces:
            counts = {column: flat[index] for column, index in piece.index.items()}
            yield Scored(models[piece.model], piece.task, piece.adapter_seed, piece.scored, counts)


def _models(table: pa.Table) -> tuple[list[tuple[Any, ...]], NDArray[np.intp]]:
    """Return the distinct models of a shard, and the number of each row's."""
    columns = [table[name] for name in MODEL]
    if all(len(pc.unique(column)) == 1 for column in columns):
        return [tuple(column[0].as_py() for column in columns)], np.zeros(table.num_rows, dtype=np.intp)
    keys = list(zip(*(column.to_pylist() for column in columns), strict=True))
    codes, distinct = pd.factorize(pd.Series(keys, dtype=object))
    return list(distinct), codes.astype(np.intp)


def _bytes_of(values: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return where each row's bytes end, and the bytes of all rows."""
    values = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    _, offsets, content = values.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    whole = np.frombuffer(content, dtype=np.uint8) if content is not None else np.empty(0, dtype=np.uint8)
    return bounds[1:] - bounds[0], whole[bounds[0] : bounds[-1]]


def _flat(arrangement: _Arrangement, content: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return all counts of a shard, row after row, closed by a NaN for what is not there."""
    flat = np.full(arrangement.size + 1, np.nan)
    for kind, source, place in arrangement.loads:
        flat[place] = content[source].view(kind).reshape(-1)
    return flat


def _arrange(rows: _Rows, places: Mapping[str, Places], path: Path) -> _Arrangement:
    frame = rows.columns.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    begins = np.concatenate([[0], rows.stops[:-1]])
    kinds, names = pd.factorize(frame["dtype"])
    dtypes = [count_type(str(name), path) for name in names]
    width = np.array([kind.itemsize for kind in dtypes])[kinds]
    sizes = (rows.stops - begins) // width
    first = np.concatenate([[0], np.cumsum(sizes)])
    loads = []
    for number, kind in enumerate(dtypes):
        chosen = np.flatnonzero(kinds == number)
        within = _counted(sizes[chosen])
        place = np.repeat(first[chosen], sizes[chosen]) + within
        source = np.repeat(begins[chosen], sizes[chosen]) + within * kind.itemsize
        loads.append((kind, source[:, None] + np.arange(kind.itemsize), place))
    keys = ["model", "task", "adapter_seed"]
    frame = frame.assign(model=rows.model, size=sizes, first=first[:-1])
    pieces = [
        _piece(part, places.get(str(task), _NOWHERE), int(first[-1]), path)
        for (_, task, _), part in frame.groupby(keys, sort=False, dropna=False)
    ]
    return _Arrangement(int(first[-1]), loads, pieces)


_NOWHERE = Places((), np.zeros(1, dtype=np.intp), np.empty(0, dtype=np.intp))
"""Places of a task that ``targets/`` does not list."""


def _piece(part: pd.DataFrame, places: Places, nowhere: int, path: Path) -> _Piece:
    """Return where the counts of one model, task and task adapter are."""
    task, seed = str(part["task"].iloc[0]), part["adapter_seed"].iloc[0]
    number = {name: t for t, name in enumerate(places.names)}
    index: dict[str, NDArray[np.intp]] = {}
    scored = np.zeros(len(places.names), dtype=bool)
    for dataset, target, column, size, first in zip(
        part["dataset"], part["target"], part["count"], part["size"], part["first"], strict=True
    ):
        t = number.get((dataset, target))
        listed = None if t is None else int(places.starts[t + 1] - places.starts[t])
        require_items((task, dataset, target), size, listed, path)
        assert t is not None
        where = index.setdefault(column, np.full(int(places.starts[-1]), nowhere, dtype=np.intp))
        if size and where[places.starts[t]] != nowhere:
            raise RunFolderError(
                f"{path} has the counts {column!r} of target {task}/{dataset}/{target} twice for one model, under two "
                "options; they cannot be told apart here, so keep them in results folders of their own"
            )
        where[places.starts[t] : places.starts[t + 1]] = np.arange(first, first + size)
        scored[t] = True
    ordered = {column: where[places.order] for column, where in index.items()}
    return _Piece(int(part["model"].iloc[0]), task, None if pd.isna(seed) else int(seed), scored, ordered)


def count_type(name: str, path: Path) -> np.dtype[Any]:
    """Return a type of counts in the byte order of the shards."""
    if name not in ("uint8", "uint16", "uint32", "uint64", "float32"):
        raise RunFolderError(
            f"{path} has counts of the type {name!r}, which this version does not know; use a newer one"
        )
    return np.dtype(name).newbyteorder("<")


def _counted(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0, 1, 2 ... for each of the sizes, one after another."""
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - sizes, sizes)
