"""Texts and pairs of texts with one label each: what nli and classification take, from rows of whatever file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from xltransfer.data.parallel import parallel_name
from xltransfer.data.records import Record
from xltransfer.errors import DataError


@dataclass(frozen=True)
class Labelled:
    """A text, or a premise and its hypothesis, with a label.

    Attributes
    ----------
    id
        Id of the source, unique within one file; equal for translations where the manifest says so.
    cluster
        What is independent of other clusters: the premise, the product of a review, else the item itself.
    text, second
        White space normalised. ``second`` is the hypothesis, or None. An empty one is never scored.
    label
        As the task names it.
    place
        ``file:line``, for messages.
    """

    id: str
    cluster: str
    text: str
    second: str | None
    label: str
    place: str

    @property
    def blank(self) -> bool:
        """Whether a text is empty."""
        return not self.text or self.second == ""


@dataclass(frozen=True)
class Columns:
    """Where a row has what, and how its items are named.

    Attributes
    ----------
    texts
        Columns of the text, joined by a space.
    second
        Column of the hypothesis, or None where there is no pair.
    label, rename_labels
        Column of the label, and labels that the task calls differently.
    id, first_id
        Column of the id, or None: rows are numbered from ``first_id``.
    cluster
        Column that is equal for items that are not independent, or None. A row where it is empty is on its own.
    hypotheses
        Ids are numbers, and this many of them in a row, counted from ``first_id``, have one premise; None: equal texts.
    parallel
        Collection of translations, or None: names are put under ``prefix``.
    blank
        Whether a row without text is refused or never scored.
    """

    texts: Sequence[str]
    second: str | None
    label: str = "label"
    rename_labels: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None
    first_id: int = 1
    cluster: str | None = None
    hypotheses: int | None = None
    parallel: str | None = None
    blank: Literal["refuse", "unscored"] = "refuse"


def labelled(
    records: Sequence[Record], columns: Columns, prefix: str, ids: Sequence[str] | None = None
) -> list[Labelled]:
    """Make items of rows.

    Parameters
    ----------
    records
        All rows of one file.
    columns
        Where a row has what.
    prefix
        What rows without ids are numbered under, if the file is not one of a collection of translations.
    ids
        One id a row, from a file of their own; None: see ``columns.id``.

    Raises
    ------
    DataError
        For a missing column, an empty label, a text or one of a pair that is missing (under ``refuse``), an id that
        occurs twice, an id that is no number where ``hypotheses`` counts them, or different premises under one number;
        always with the row's place.
    """
    names = [str(n) for n in range(columns.first_id, columns.first_id + len(records))] if ids is None else list(ids)
    if columns.id is not None:
        names = [record.text(columns.id) for record in records]
    _refuse_repeated(records, names)
    own = ids is not None or columns.id is not None
    rows = [_row(record, columns) for record in records]
    groups = _groups(records, rows, names, columns)

    def named(name: str) -> str:
        if columns.parallel is not None:
            return parallel_name(columns.parallel, name)
        return name if own else f"{prefix}-{name}"

    return [
        Labelled(named(name), named(group), text, second, label, record.place)
        for record, name, group, (text, second, label) in zip(records, names, groups, rows, strict=True)
    ]


_Row = tuple[str, str | None, str]


def _row(record: Record, columns: Columns) -> _Row:
    """Return text, second text and label of a row."""
    text = " ".join(part for part in map(record.text, columns.texts) if part)
    second = None if columns.second is None else record.text(columns.second)
    if columns.blank == "refuse" and (not text or second == ""):
        missing = " and ".join([*([] if text else columns.texts), *([columns.second or ""] if second == "" else [])])
        raise DataError(f"{record.place}: no {missing}; fill it in, or set blank to unscored")
    label = record.text(columns.label)
    if not label:
        raise DataError(f"{record.place}: no label in column {columns.label!r}")
    return text, second, columns.rename_labels.get(label, label)


def _refuse_repeated(records: Sequence[Record], names: Sequence[str]) -> None:
    """Refuse a number of ids that is not that of the rows, an empty id, and one that stands twice."""
    if len(names) != len(records):
        raise DataError(f"{records[0].place}: the file has {len(records)} rows, but {len(names)} ids are listed for it")
    seen: set[str] = set()
    for record, name in zip(records, names, strict=True):
        if not name or name in seen:
            raise DataError(f"{record.place}: id {name!r} {'occurs twice' if name else 'is empty'}; ids must be unique")
        seen.add(name)


def _groups(records: Sequence[Record], rows: Sequence[_Row], names: Sequence[str], columns: Columns) -> list[str]:
    """Return the name of what each item is not independent of."""
    if columns.cluster is not None:
        values = [record.text(columns.cluster) for record in records]
        return [f"{columns.cluster}-{value}" if value else name for name, value in zip(names, values, strict=True)]
    if columns.second is None:
        return list(names)
    if columns.hypotheses is None:
        first: dict[str, str] = {}
        return [first.setdefault(text, name) if text else name for name, (text, _, _) in zip(names, rows, strict=True)]
    premises: dict[str, str] = {}
    groups = []
    for record, name, (text, _, _) in zip(records, names, rows, strict=True):
        if not (name.isascii() and name.isdigit()) or int(name) < columns.first_id:
            needed = f"hypotheses={columns.hypotheses} needs ids that are numbers from {columns.first_id}"
            raise DataError(f"{record.place}: id {name!r}; {needed}; leave hypotheses out to go by equal premises")
        group = f"premise-{(int(name) - columns.first_id) // columns.hypotheses}"
        if text and premises.setdefault(group, text) != text:
            raise DataError(
                f"{record.place}: id {name} belongs to {group} by its number, but its premise differs from that of the "
                "others; check hypotheses and first_id"
            )
        groups.append(group)
    return groups
