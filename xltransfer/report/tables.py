"""A table of the report: a frame, which of its columns are shown, what they are called and how they are rounded.

The frame goes into the CSV file whole and unrounded; LaTeX and page show the named columns. Which tables there are is
declared in `contents`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pandas as pd

from xltransfer.report.numbers import UNDEFINED, is_undefined, number, p_value

Kind = Literal["text", "language", "number", "integer", "p", "flag"]

_TEXT: Final = ("text", "language", "flag")


@dataclass(frozen=True)
class Column:
    """One shown column.

    Attributes
    ----------
    name
        Column of the frame.
    head
        What it is called on the page.
    kind
        ``text``; ``language`` (a code, shown with its name); ``number``; ``integer``; ``p``; ``flag`` (yes or nothing).
    digits
        Decimals of a number.
    unit
        Of a number: ``%``, ``nats``; empty where it has none.
    hint
        What the number is, in a sentence; shown where the pointer rests on the head.
    wide
        Shown on the page only: a printed table has no room for it.
    """

    name: str
    head: str
    kind: Kind = "text"
    digits: int = 2
    unit: str = ""
    hint: str = ""
    wide: bool = False

    @property
    def title(self) -> str:
        """Head with unit."""
        return f"{self.head} ({self.unit})" if self.unit else self.head

    @property
    def is_text(self) -> bool:
        """Whether the column is set to the left."""
        return self.kind in _TEXT


@dataclass(frozen=True)
class Table:
    """What one table shows.

    Attributes
    ----------
    name
        File name without ending, label in LaTeX, anchor on the page.
    title, caption
        Title without a stop; sentences that say what the numbers are, their unit and interval.
    frame
        The numbers, unrounded; written to CSV with all its columns.
    columns
        What is shown, in order; each is a column of the frame.
    labels
        Language code to what is shown for it.
    section
        Key of the page's section that shows it; empty: only written to files.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    section: str = ""


def shown_text(table: Table, column: Column) -> list[str]:
    """Return one column of a table as it is read: rounded, undefined as a dash, languages by name."""
    return [_text(value, column, table.labels) for value in table.frame[column.name]]


def _text(value: Any, column: Column, labels: Mapping[str, str]) -> str:
    """Return one value as text."""
    if column.kind == "flag":
        return "yes" if value is True or (not is_undefined(value) and bool(value)) else ""
    if is_undefined(value):
        return UNDEFINED
    if column.kind == "number":
        return number(value, column.digits)
    if column.kind == "integer":
        return number(value, 0)
    if column.kind == "p":
        return p_value(value)
    return labels.get(str(value), str(value)) if column.kind == "language" else str(value)


def page_data(table: Table) -> dict[str, Any]:
    """Return the table as plain JSON values for the page's own script: columns, and values column by column.

    Texts are a list of the different ones and a place in it per row; numbers have five significant digits, undefined is
    null.
    """
    return {
        "columns": [
            {"name": c.name, "head": c.head, "unit": c.unit, "kind": c.kind, "digits": c.digits, "hint": c.hint}
            for c in table.columns
        ],
        "rows": len(table.frame),
        "values": [_values(table, column) for column in table.columns],
    }


def _values(table: Table, column: Column) -> Any:
    """Return one column for `page_data`."""
    series = table.frame[column.name]
    if column.is_text:
        texts = pd.Series(shown_text(table, column), dtype="object")
        codes, different = pd.factorize(texts)
        return {"of": [str(text) for text in different], "at": codes.tolist()}
    values = series.astype("float64")
    finite = values.where(values.abs() != float("inf"))
    return [None if value != value else _short(value) for value in finite.tolist()]


def _short(value: float) -> float | int:
    """Return a whole number without its decimal point, any other with five significant digits: more than are shown."""
    return int(value) if value.is_integer() else float(f"{value:.5g}")
