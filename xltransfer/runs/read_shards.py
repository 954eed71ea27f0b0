"""Rows of a shard back from its file, quickly, with an error that says what to do where the file is no good.

Most identity columns of a shard hold one value. It is taken from the smallest and the largest value in the footer, and
only the other columns are decoded.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from xltransfer.errors import RunFolderError
from xltransfer.runs.shards import KEY


def read_key(path: Path) -> dict[str, Any]:
    """Return the key in the footer of a shard.

    Raises
    ------
    RunFolderError
        If the file cannot be read, or names no unit.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError) as err:
        raise _unreadable(path, err) from err
    if KEY not in metadata:
        raise RunFolderError(f"{path} names no unit in its footer: it was not written by xltransfer; remove it")
    key: dict[str, Any] = json.loads(metadata[KEY])
    return key


def read_rows(
    path: Path,
    schema: pa.Schema,
    columns: Sequence[str] | None = None,
    row_group: int = 0,
    where: Mapping[str, Collection[str]] | None = None,
) -> pa.Table:
    """Return the rows of one row group of a shard.

    Parameters
    ----------
    path, schema
        The file, and the schema that it was written with.
    columns
        Names of the columns to return; None returns all.
    row_group
        Its number; a shard without it has no such rows.
    where
        Text column to the values that it may have; other rows are left out, and a file that has none of the values is
        not decoded.

    Raises
    ------
    RunFolderError
        If the file is missing or damaged, or has other columns than ``schema``.
    """
    where = where or {}
    names = schema.names if columns is None else list(columns)
    read = list(dict.fromkeys([*names, *where]))
    try:
        shard = pq.ParquetFile(path)
        if not shard.schema_arrow.equals(schema):
            raise _other_version(path, schema, shard.schema_arrow)
        if row_group >= shard.num_row_groups:
            return schema.empty_table().select(names)
        constant = _constants(shard.metadata.row_group(row_group), schema, read)
        if any(name in constant and constant[name] not in values for name, values in where.items()):
            return schema.empty_table().select(names)
        decoded = shard.read_row_group(row_group, [name for name in read if name not in constant], use_threads=False)
    except (pa.ArrowException, OSError) as err:
        raise _unreadable(path, err) from err
    size = shard.metadata.row_group(row_group).num_rows
    fields = [schema.field(name) for name in read]
    arrays = [
        pa.repeat(pa.scalar(constant[field.name], field.type), size) if field.name in constant else decoded[field.name]
        for field in fields
    ]
    rows = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    for name, values in where.items():
        if name not in constant:
            rows = rows.filter(pc.is_in(rows[name], pa.array(list(values), pa.string())))
    return rows.select(names)


def require_items(target: tuple[str, str, str], size: int, listed: int | None, path: Path) -> None:
    """Raise ``RunFolderError`` unless a shard counts as many items of a target (task, dataset, target) as are listed.

    Parameters
    ----------
    target, size, path
        The target, how many items of it the shard counts, and the shard.
    listed
        Items of the target in ``targets/``; None if it is not there.
    """
    name = "/".join(target)
    if listed is None:
        raise RunFolderError(f"the results folder lacks the items of target {name}; restore its targets/ folder")
    if size != listed:
        raise RunFolderError(
            f"{path} counts {size} items of target {name}, targets/ lists {listed}; the folder mixes two versions of "
            f"the data: {_remedy(path)}, or restore its targets/ folder"
        )


def _constants(footer: Any, schema: pa.Schema, names: Sequence[str]) -> dict[str, Any]:
    """Return the value of every text or integer column of a row group that has only one."""
    found: dict[str, Any] = {}
    for name in names:
        number = schema.get_field_index(name)
        # Statistics of floats pass over NaN.
        statistics = None if schema.types[number] == pa.float64() else footer.column(number).statistics
        if statistics is None:
            continue
        if statistics.null_count == footer.num_rows:
            found[name] = None
        elif statistics.has_min_max and not statistics.null_count and statistics.min == statistics.max:
            found[name] = statistics.min
    return found


def _unreadable(path: Path, err: Exception) -> RunFolderError:
    lines = str(err).strip().splitlines()
    what = "is missing" if isinstance(err, FileNotFoundError) else f"is damaged: {lines[0] if lines else err!r}"
    return RunFolderError(f"{path} {what}; {_remedy(path)}")


def _other_version(path: Path, schema: pa.Schema, found: pa.Schema) -> RunFolderError:
    lacks = ", ".join(name for name in schema.names if name not in found.names)
    more = ", ".join(name for name in found.names if name not in schema.names)
    said = [f"lacks {lacks}"] * bool(lacks) + [f"has {more} besides"] * bool(more)
    return RunFolderError(
        f"{path} does not have the columns of this version ({'; '.join(said) or 'their types differ'}): another "
        f"version wrote it; read it with that version, or {_remedy(path)}"
    )


def _remedy(path: Path) -> str:
    """Return what to do about a file; without its measurements a unit is absent, and the next run does it again."""
    if path.parent.name == "targets":
        return "delete it, then run the study again, which writes it once more"
    names = dict.fromkeys((f"measurements/{path.name}", f"{path.parent.name}/{path.name}"))
    return f"delete {' and '.join(names)}, then run the study again, which does that unit once more"
