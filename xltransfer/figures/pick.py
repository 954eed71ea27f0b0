"""One condition out of a frame that may hold many: a figure shows one base, one task, one number of steps.

A figure never averages over what it was not told about: it asks. Nothing to show is a ``ValueError``, in every figure
of this room, so that a report can print its message in the figure's place.
"""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from xltransfer.analysis.frames import plain, require_columns, require_one_of


def pick(frame: pd.DataFrame, name: str, /, **wanted: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the rows of one condition, and the condition.

    Parameters
    ----------
    frame
        Any tidy frame; not changed.
    name
        What the caller calls it, for the messages.
    wanted
        Per column the value to keep, or None if the frame is expected to hold one value only.

    Returns
    -------
    rows
        The kept rows, categorical columns as text, index from 0.
    key
        Per column of ``wanted`` its one value; None where it is missing in all rows.

    Raises
    ------
    ValueError
        A column is missing, the frame has no rows, a value does not occur, or a column of which no value was named
        holds several.
    """
    require_columns(frame, wanted, name)
    if frame.empty:
        raise ValueError(f"{name} has no rows; expected at least one, so there is nothing to show")
    rows, key = plain(frame), {}
    for column, value in wanted.items():
        known = _values(rows[column])
        if value is not None:
            require_one_of(value, known, column)
            rows = rows[rows[column] == value]
        elif len(known) > 1:
            options = ", ".join(str(option) for option in known)
            raise ValueError(f"{name} holds several values of {column} ({options}); name one with {column}=")
        key[column] = value if value is not None else (known[0] if known else None)
    return rows.reset_index(drop=True), key


def require_unique(rows: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Raise ``ValueError`` that names the first combination of ``columns`` that has two rows."""
    columns = list(columns)
    twice = rows.duplicated(columns)
    if twice.any():
        found = {column: str(value) for column, value in rows.loc[twice, columns].iloc[0].items()}
        raise ValueError(f"{name} holds two rows for {found}; a figure shows one number there, so keep one of them")


def require_some(rows: pd.DataFrame, column: str, name: str) -> None:
    """Raise ``ValueError`` if ``column`` has no value in any row, so that there is nothing to draw."""
    if rows[column].isna().all():
        raise ValueError(f"{name} has no defined {column} here; expected at least one, so there is nothing to show")


def _values(column: "pd.Series[Any]") -> list[Any]:
    """Return the values that occur, sorted, without the missing one, as plain Python values."""
    values = column.dropna().unique().tolist()
    return sorted(values, key=lambda value: (isinstance(value, str), value))
