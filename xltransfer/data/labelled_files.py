"""From an entry to its texts or pairs with labels: which columns its reader names, in files and on the hub."""

from collections.abc import Sequence
from pathlib import Path

from xltransfer.config.readers import HubReader, LabelledReader, PairReader
from xltransfer.config.resolve import EntryRef
from xltransfer.data.hub import HubSplit, read_hub_records
from xltransfer.data.labelled import Columns, Labelled, labelled
from xltransfer.data.lines import lines
from xltransfer.data.records import Record, read_records
from xltransfer.errors import DataError


def read_table(ref: EntryRef, reader: PairReader | LabelledReader, split: str, prefix: str) -> list[Labelled]:
    """Read one split of a file.

    Parameters
    ----------
    ref
        The entry; its ``config`` is the language's name where ``reader.language_column`` is set.
    reader
        Its reader.
    split
        One that the entry lists.
    prefix
        What rows without ids are numbered under.

    Raises
    ------
    DataError
        See `read_records` and `labelled`; also for a language that no row has.
    """
    path = ref.root / ref.files[split]
    records = _of_language(read_records(path, reader.format, reader.header), reader.language_column, ref.config, path)
    ids = _ids(ref.root / reader.ids[split]) if split in reader.ids else None
    return labelled(records, _columns(reader, split), prefix, ids)


def read_hub_labelled(source: HubSplit, reader: HubReader, split: str) -> list[Labelled]:
    """Return the texts or pairs of a hub dataset; raises :class:`DataError` as for files."""
    pairs = reader.layout == "pairs"
    columns = Columns(
        texts=(reader.premise_column if pairs else reader.text_column,),
        second=reader.hypothesis_column if pairs else None,
        label=reader.label_column,
        rename_labels=reader.rename_labels,
        id=reader.id_column,
        first_id=reader.first_id,
        cluster=None if pairs else reader.cluster_column,
        hypotheses=reader.hypotheses if pairs else None,
        parallel=reader.parallel.get(split),
        blank=reader.blank,
    )
    return labelled(read_hub_records(source), columns, source.label)


def _columns(reader: PairReader | LabelledReader, split: str) -> Columns:
    return Columns(
        texts=(reader.premise_column,) if isinstance(reader, PairReader) else reader.text_columns,
        second=reader.hypothesis_column if isinstance(reader, PairReader) else None,
        label=reader.label_column,
        rename_labels=reader.rename_labels,
        id=reader.id_column,
        first_id=reader.first_id,
        cluster=reader.premise_id_column if isinstance(reader, PairReader) else reader.cluster_column,
        hypotheses=reader.hypotheses if isinstance(reader, PairReader) else None,
        parallel=reader.parallel.get(split),
        blank=reader.blank,
    )


def _of_language(records: list[Record], column: str | None, wanted: str | None, path: Path) -> list[Record]:
    """Keep the rows of the entry's language, where a file holds several."""
    if column is None:
        return records
    if wanted is None:
        raise DataError(f"{path}: language_column is {column!r}, but the entry has no config that names its language")
    kept = [record for record in records if record.text(column) == wanted]
    if not kept:
        known = ", ".join(sorted({record.text(column) for record in records})[:20])
        raise DataError(f"{path}: no row has {wanted!r} in column {column!r}; it holds {known}")
    return kept


def _ids(path: Path) -> Sequence[str]:
    """Return one id a line."""
    return [line.strip() for line in lines(path)]
