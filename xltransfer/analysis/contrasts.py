"""A weighted sum over a two-way table of changes, and how sure it is when rows and columns are both drawn.

Replicates and targets, or transfer entries and targets: every row meets every column. :mod:`.crossed` has the variance
of a mean over such a table; here are other weights (a difference between groups of rows or columns) and tables with
missing cells. See protocols.md §6.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.crossed import crossed_df, crossed_variance
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.student import INTERVAL, t_intervals

Table = NDArray[np.float64]
Codes = NDArray[np.intp]

REPLICATES: tuple[str, str] = ("replicate", "target")
ENTRIES: tuple[str, str] = ("transfer entry", "target")
"""What rows and columns are, for the reason why there is no interval."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of table cells.

    Attributes
    ----------
    estimate
        The sum; NaN for an empty table.
    variance, df
        Its sampling variance and degrees of freedom; NaN where they cannot be known.
    why
        Why there is no variance, else empty.
    """

    estimate: float
    variance: float
    df: float
    why: str


def crossed_contrast(
    values: Table,
    weights: Table,
    rows: Codes | None = None,
    columns: Codes | None = None,
    names: tuple[str, str] = REPLICATES,
) -> Contrast:
    """Return ``Σ weights · values`` with its variance over new rows and new columns.

    Parameters
    ----------
    values
        Shape [row, column]; NaN where not measured.
    weights
        Shape [row, column]; 0 where ``values`` is NaN. Within a block of one row group and one column group they have
        one sign.
    rows, columns
        Group of each row and column, shapes [row] and [column]; default one group. Each block has a mean of its own:
        a difference between groups is an effect, not noise.
    names
        What a row and a column are, for ``why``.

    Notes
    -----
    With s_r the weighted deviations of row r from the block means, summed over columns, and n_g the rows of group g,
    the rows' part is Σ_g n_g/(n_g − 1) Σ_(r in g) s_r², the columns' likewise, and the rest's Σ_blocks Σ w² · (mean
    square of the residuals of the additive fit). For the mean of a complete table these are MS_row/(R·J),
    MS_column/(R·J) and MS_rest/(R·J). Missing cells stay missing.

    References
    ----------
    Searle, Casella and McCulloch, *Variance Components*, 1992, §4.5; Cameron, Gelbach and Miller 2011 (sums by row and
    by column where cells are missing).
    """
    if not weights.any():
        return Contrast(math.nan, math.nan, math.nan, "undefined baseline")
    used = weights != 0.0
    filled = np.where(used, values, 0.0)
    estimate = float((weights * filled).sum())
    groups = _groups(rows, used.any(axis=1)), _groups(columns, used.any(axis=0))
    for side, name in zip(groups, names, strict=True):
        if min(len(group) for group in side) < 2:
            return Contrast(estimate, math.nan, math.nan, f"one {name}")
    off, rest, df_rest = np.zeros(values.shape), 0.0, 0
    for r in groups[0]:
        for c in groups[1]:
            block = np.ix_(r, c)
            off[block], square, df = _block(filled[block], weights[block])
            rest, df_rest = rest + square, df_rest + df
    (row_part, df_row), (column_part, df_column) = (
        _between(off.sum(axis=1 - axis), side) for axis, side in enumerate(groups)
    )
    parts, degrees = np.array([row_part, column_part, rest]), np.array([df_row, df_column, max(df_rest, 1)])
    return Contrast(estimate, float(crossed_variance(*parts)), float(crossed_df(*parts, *degrees)), "")


def mean_weights(values: Table) -> Table:
    """Return the weights of the mean over rows of each row's mean over what it was measured on."""
    there = np.isfinite(values)
    counts = there.sum(axis=1, keepdims=True)
    rows = int((counts > 0).sum())
    return np.where(there, 1.0 / (max(rows, 1) * np.maximum(counts, 1)), 0.0)


def target_mean(values: Table) -> Contrast:
    """Return the mean over targets of [replicate, target], with its variance over new replicates and new targets."""
    return crossed_contrast(values, mean_weights(values.T).T)


def entry_mean(values: Table) -> Contrast:
    """Return the mean over entries of [transfer entry, target], with its variance over new entries and new targets."""
    return crossed_contrast(values, mean_weights(values), names=ENTRIES)


def contrast_frame(
    keys: Sequence[dict[str, Any]],
    contrasts: Sequence[Contrast],
    columns: list[str],
    scale: Scale,
    level: float,
) -> pd.DataFrame:
    """Return ``columns`` of ``keys`` and the columns of an interval for new targets, a row per contrast."""
    estimate, variance, df = (
        np.array([getattr(contrast, name) for contrast in contrasts], dtype=np.float64)
        for name in ("estimate", "variance", "df")
    )
    why = np.array([contrast.why for contrast in contrasts], dtype=object)
    intervals = t_intervals(estimate, variance, df, why, scale, "new_targets", level)
    return pd.concat([pd.DataFrame(list(keys), columns=columns), intervals], axis=1)[[*columns, *INTERVAL]]


def _groups(codes: Codes | None, used: NDArray[np.bool_]) -> list[Codes]:
    """Return the places of each group that are used."""
    places = np.flatnonzero(used)
    return [places] if codes is None else [places[codes[places] == group] for group in np.unique(codes[places])]


def _block(values: Table, weights: Table) -> tuple[Table, float, int]:
    """Return weighted deviations from the block's mean, and the rest's part of the variance with its df."""
    used = weights != 0.0
    df = int(used.sum() - used.any(axis=1).sum() - used.any(axis=0).sum() + 1)
    if not used.any():
        return np.zeros(values.shape), 0.0, 0
    off = weights * (values - (weights * values).sum() / weights.sum())
    if df < 1:
        return off, 0.0, 0
    squares = float((additive_residuals(np.where(used, values, np.nan))[used] ** 2).sum())
    return off, float((weights**2).sum()) * squares / df, df


def _between(scores: Table, groups: list[Codes]) -> tuple[float, float]:
    """Return the variance that summed scores give a contrast, and its df; their sum over a group is 0."""
    parts = [len(group) / (len(group) - 1) * float((scores[group] ** 2).sum()) for group in groups]
    squares = sum(part**2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True))
    whole = sum(parts)
    return whole, whole**2 / squares if squares > 0.0 else float(sum(len(group) - 1 for group in groups))


def additive_residuals(values: Table) -> Table:
    """Return ``values`` minus their least-squares fit of row plus column effects; NaN stays NaN."""
    there = np.isfinite(values)
    left = np.where(there, values, 0.0)
    per_row, per_column = np.maximum(there.sum(axis=1), 1), np.maximum(there.sum(axis=0), 1)
    for _ in range(1000):
        by_row = left.sum(axis=1) / per_row
        left = np.where(there, left - by_row[:, None], 0.0)
        by_column = left.sum(axis=0) / per_column
        left = np.where(there, left - by_column[None, :], 0.0)
        # A complete table is done after the first round.
        if there.all() or np.abs(by_column).max() <= 1e-10 * np.abs(left).max():
            break
    return np.where(there, left, np.nan)
