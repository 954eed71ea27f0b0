"""A frame as a table on the terminal: rounded here and nowhere else, numbers to the right, undefined as a dash."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from rich.console import Console
from rich.table import Table

UNDEFINED = "–"
WIDTH = 160
"""Columns of a table that goes to a file or a pipe, where no terminal says how wide it is."""


def table_of(frame: pd.DataFrame, title: str = "", digits: int = 2, places: Mapping[str, int] | None = None) -> Table:
    """Return ``frame`` as a table, its index left out.

    Parameters
    ----------
    frame
        One column of the table each; names are shown with spaces for underscores.
    title
        Above the table.
    digits
        Decimals of fractional numbers; integers have none.
    places
        Column to its own number of decimals.
    """
    table = Table(title=title or None, title_justify="left", title_style="bold")
    for name in frame.columns:
        right = is_numeric_dtype(frame[name]) and not is_bool_dtype(frame[name])
        table.add_column(str(name).replace("_", " "), justify="right" if right else "left", overflow="fold")
    decimals = [(places or {}).get(str(name), digits) for name in frame.columns]
    # Column by column: a row of a frame has one type, which turns integers into fractions.
    columns = [[cell(value, n) for value in frame[name]] for name, n in zip(frame.columns, decimals, strict=True)]
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    return table


def cell(value: Any, digits: int) -> str:
    """Return one value as text."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return UNDEFINED
    if isinstance(value, str):
        # Square brackets would be read as rich's markup: metrics are written accuracy[NOUN].
        return value.replace("[", "\\[")
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    text = f"{value:,.{digits}f}"
    # What is not zero does not look like zero.
    return text if value == 0 or text.strip("-0.,") else f"{value:.0e}"


def show(frame: pd.DataFrame, title: str = "", digits: int = 2, places: Mapping[str, int] | None = None) -> None:
    """Print ``frame`` as a table, or that it is empty."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    if frame.empty:
        console.print(f"{title or 'table'}: nothing to show", markup=False, highlight=False)
        return
    console.print(table_of(frame, title, digits, places))


def write_csv(frames: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write each frame, unrounded, as ``NAME.csv`` into ``folder`` (made if absent) and print the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        path = folder / f"{name}.csv"
        frame.to_csv(path, index=False, lineterminator="\n")
        print(path)
