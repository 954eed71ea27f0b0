"""The cells of a heatmap as arrays: from tidy rows to transfer entries × test sets, in the order of the languages."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.figures.places import Place, Places


@dataclass(frozen=True)
class Grid:
    """Transfer entries as rows, test sets as columns.

    Attributes
    ----------
    rows, columns
        Pairs (transfer, corpus) and (target, dataset) in the order of their languages.
    values
        Estimates [rows, columns]; NaN where undefined or not measured.
    measured, marked, own
        [rows, columns]: the frame has the cell; its value is not separable from 0; it is a self-transfer.
    left_out
        [columns]: no cell of the test set enters the aggregates.
    """

    rows: list[tuple[str, str]]
    columns: list[tuple[str, str]]
    values: NDArray[np.float64]
    measured: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    own: NDArray[np.bool_]
    left_out: NDArray[np.bool_]

    @property
    def undefined(self) -> NDArray[np.bool_]:
        """Measured, but without a value."""
        return self.measured & ~np.isfinite(self.values)

    @property
    def separable(self) -> NDArray[np.bool_]:
        """It has a value, and that can be told from 0."""
        return np.isfinite(self.values) & ~self.marked


@dataclass(frozen=True)
class Group:
    """Neighbouring rows or columns of one family: ``start`` to ``stop``, the end not included."""

    family: str
    colour: str
    start: int
    stop: int


def grid(cells: pd.DataFrame, places: Places) -> Grid:
    """Return the grid of rows that hold one number per (transfer, corpus, dataset, target)."""
    row_of, column_of = (
        {pair: index for index, pair in enumerate(places.sorted(zip(cells[code], cells[which], strict=True)))}
        for code, which in (("transfer", "corpus"), ("target", "dataset"))
    )
    row = np.array([row_of[pair] for pair in zip(cells["transfer"], cells["corpus"], strict=True)], dtype=np.intp)
    column = np.array([column_of[pair] for pair in zip(cells["target"], cells["dataset"], strict=True)], dtype=np.intp)

    def spread(values: Any, empty: Any) -> NDArray[Any]:
        array = np.full((len(row_of), len(column_of)), empty)
        array[row, column] = values
        return array

    values = spread(cells["estimate"].to_numpy(np.float64), np.nan)
    separable = spread(cells["separable"].eq(True).to_numpy(bool), False)
    return Grid(
        rows=list(row_of),
        columns=list(column_of),
        values=values,
        measured=spread(True, False),
        marked=np.isfinite(values) & ~separable,
        own=spread(cells["self_transfer"].eq(True).to_numpy(bool), False),
        left_out=np.logical_not(np.any(spread(cells["aggregated"].eq(True).to_numpy(bool), False), axis=0)),
    )


def groups(members: list[Place]) -> list[Group]:
    """Return the runs of neighbours of one family."""
    found: list[Group] = []
    for index, place in enumerate(members):
        if found and found[-1].family == place.family:
            found[-1] = Group(place.family, place.colour, found[-1].start, index + 1)
        else:
            found.append(Group(place.family, place.colour, index, index + 1))
    return found
