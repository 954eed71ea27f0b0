"""Many cells, many tests: p-values corrected over all cells of one base, setting, task, metric and number of steps."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns
from xltransfer.analysis.score_tables import STUDY

Array = NDArray[np.float64]

LEVEL: Final = 0.05
"""False discovery rate at which a cell counts as separable from no change."""


def adjusted(cells: pd.DataFrame) -> pd.DataFrame:
    """Return ``cells`` with corrected p-values.

    Parameters
    ----------
    cells
        What :func:`.cell_intervals` gives: columns base, setting, task, metric, steps and p. Every row with a p is one
        test of its family; leave out first what should not count as one.

    Returns
    -------
    DataFrame
        The same rows in the same order with p_holm (family-wise error), p_bh (false discovery rate), both within base,
        setting, task, metric and steps and NaN where p is, and ``separable`` (p_bh at most 0.05).

    Raises
    ------
    ValueError
        A column is missing.

    Notes
    -----
    Cells of one target share its items, and those of one transfer entry its replicates. Holm's correction holds under
    any dependence; that of Benjamini and Hochberg under positive dependence, which such sharing gives.

    References
    ----------
    Holm 1979; Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001 (dependence).
    """
    require_columns(cells, [*STUDY, "p"], "cells")
    corrected = {name: np.full(len(cells), np.nan) for name in ("p_holm", "p_bh")}
    p = cells["p"].to_numpy(dtype=np.float64)
    for rows in cells.groupby(STUDY, dropna=False, observed=True).indices.values():
        tested = rows[np.isfinite(p[rows])]
        corrected["p_holm"][tested] = holm(p[tested])
        corrected["p_bh"][tested] = benjamini_hochberg(p[tested])
    return cells.assign(**corrected, separable=corrected["p_bh"] <= LEVEL)


def holm(p: Array) -> Array:
    """Return Holm's corrected p-values: the i-th smallest of n times n − i + 1, never below a smaller one's."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _in_place(stepped, order)


def benjamini_hochberg(p: Array) -> Array:
    """Return Benjamini and Hochberg's corrected p-values: the i-th smallest of n times n/i, at most a larger one's."""
    order = np.argsort(p)
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _in_place(np.minimum.accumulate(stepped[::-1])[::-1], order)


def _in_place(stepped: Array, order: NDArray[np.intp]) -> Array:
    """Return the sorted values where they came from, at most 1."""
    corrected = np.empty_like(stepped)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
