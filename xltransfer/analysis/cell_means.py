"""One number for each transfer entry and target: the mean over replicates, or over adapter seeds."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import plain, require_columns
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY, ScoreTable


def cell_means(table: ScoreTable, include_self: bool = True) -> NDArray[np.float64]:
    """Return the means of a table over replicates, shape [A, T]; NaN where not measured or, if so asked, for self."""
    cells = replicate_means(table.values)
    return cells if include_self else np.where(table.self_transfer, np.nan, cells)


def replicate_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of [A, R, T] over the replicates that are there, shape [A, T]; NaN where none is."""
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = np.where(finite, values, 0.0).sum(axis=1) / finite.sum(axis=1)
    return means


def averaged_seeds(ts: pd.DataFrame, include_self: bool = True) -> pd.DataFrame:
    """Return the mean ts over adapter seeds of every aggregated cell.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives.
    include_self
        Whether a language's effect on itself is kept.

    Returns
    -------
    DataFrame
        base, setting, task, metric, steps, transfer, corpus, dataset, target, ts; sorted by them.

    Raises
    ------
    ValueError
        A column is missing.
    """
    require_columns(ts, [*STUDY, *ENTRY, *RECEIVER, "ts", "self_transfer", "aggregated"], "ts")
    rows = plain(ts)
    rows = rows[rows["aggregated"] & (include_self | ~rows["self_transfer"].astype(bool))]
    return rows.groupby([*STUDY, *ENTRY, *RECEIVER], observed=True)["ts"].mean().reset_index()
