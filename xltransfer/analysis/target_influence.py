"""What one single target does to an aggregate and to the ranking.

A mean over targets, some of them tiny test sets with jumps of many percent, can be the work of one. So each target is
left out once. See protocols.md §6.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.cell_means import cell_means
from xltransfer.analysis.frames import TIE
from xltransfer.analysis.rank_correlation import correlations, mid_ranks
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY, ScoreTable, score_tables

_INFLUENCE: Final = [
    *STUDY, *ENTRY, *RECEIVER, "aggregate", "without", "change", "share", "standardised", "flips", "n_targets", "scale"
]  # fmt: skip
_RANKING: Final = [
    *STUDY, *RECEIVER, "place", "spearman", "first", "first_without", "first_changes", "n_transfers", "n_targets",
    "scale",
]  # fmt: skip

Array = NDArray[np.float64]


def target_influence(changes: pd.DataFrame, scale: Scale = "ts", include_self: bool = True) -> pd.DataFrame:
    """Return every aggregate without each of its targets.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives; rows that are not ``aggregated`` are not read.
    scale
        Which change.
    include_self
        Whether a language's effect on itself counts.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, transfer, corpus, dataset, target: aggregate (mean over the
        entry's targets) and without (the same without this target), unit of the scale; change (aggregate − without:
        what the target adds); share (change as a share of |aggregate|; NaN where that is 0); standardised (change in
        standard errors of the aggregate, estimated without the target); flips (the aggregate has the other sign, or
        is 0, without it); n_targets; scale. NaN for an only target, standardised below three.

    Raises
    ------
    ValueError
        A column is missing or ``scale`` is unknown.

    Notes
    -----
    With T targets of standard deviation s_b without target b, standardised = change/(s_b/√T): the DFBETAS of a model
    that has only a constant. Above 1 in size, a single target moves the aggregate by more than its standard error;
    above 2/√T it deserves a look.

    References
    ----------
    Belsley, Kuh and Welsch, *Regression Diagnostics*, 1980, §2.1.
    """
    parts = [_of_table(table, include_self) for table in score_tables(changes, scale)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_INFLUENCE)


def ranking_influence(changes: pd.DataFrame, scale: Scale = "ts", include_self: bool = True) -> pd.DataFrame:
    """Return how the ranking of transfer entries changes without each target, the most influential target first.

    Parameters
    ----------
    changes, scale, include_self
        As for :func:`target_influence`.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, dataset, target: place (1 is the most influential, by the
        smallest spearman); spearman (between the ranking of all targets and that without this one; NaN below two
        ranked entries); first, first_without (the best transfer entries, ``language (corpus)``, ties joined by
        commas); first_changes (they differ); n_transfers; n_targets; scale.
    """
    parts = [_ranking_of_table(table, include_self) for table in score_tables(changes, scale)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_RANKING)


def _left_out(cells: Array) -> tuple[Array, Array]:
    """Return the mean over targets, shape [A], and the means without each target, shape [A, T], of a [A, T] table."""
    there = np.isfinite(cells)
    sums, counts = np.where(there, cells, 0.0).sum(axis=1), there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        without = (sums[:, None] - np.where(there, cells, 0.0)) / (counts[:, None] - there)
        return sums / counts, without


def _of_table(table: ScoreTable, include_self: bool) -> pd.DataFrame:
    """Return the influences in one table, in the order of entries and targets."""
    cells = cell_means(table, include_self)
    there = np.isfinite(cells)
    aggregate, without = _left_out(cells)
    counts = there.sum(axis=1)
    change = aggregate[:, None] - without
    filled = np.where(there, cells - aggregate[:, None], 0.0)
    squares = (filled**2).sum(axis=1)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Sum of squares around the mean of the others: that around the full mean less what the target adds to it.
        others = squares - filled**2 * (counts / (counts - 1.0))[:, None]
        error = np.sqrt(np.maximum(others, 0.0) / ((counts - 2.0) * counts)[:, None])
        least = 1e-12 * np.abs(aggregate[:, None])
        standardised = np.where((counts > 2)[:, None] & (error > least), change / error, np.nan)
        share = change / np.where(aggregate == 0.0, np.nan, np.abs(aggregate))[:, None]
        flips = np.isfinite(without) & (np.sign(without) != np.sign(aggregate)[:, None])
    a, t = np.nonzero(there)
    sides = [table.transfers.iloc[a].reset_index(drop=True), table.targets.iloc[t].reset_index(drop=True)]
    columns = {"without": without, "change": change, "share": share, "standardised": standardised, "flips": flips}
    picked = {name: values[a, t] for name, values in columns.items()}
    shown = {"aggregate": aggregate[a], "n_targets": counts[a], "scale": table.scale}
    return pd.concat(sides, axis=1).assign(**table.key, **picked, **shown)[_INFLUENCE]


def _ranking_of_table(table: ScoreTable, include_self: bool) -> pd.DataFrame:
    """Return what each target does to the ranking in one table."""
    cells = cell_means(table, include_self)
    aggregate, without = _left_out(cells)
    # An entry that has no other target cannot be ranked without it, and is not.
    ranked = np.isfinite(aggregate) & np.isfinite(without).all(axis=1)
    names = (table.transfers["transfer"] + " (" + table.transfers["corpus"] + ")").to_numpy()[ranked]
    whole = np.round(aggregate[ranked] / TIE)
    others = np.round(without[ranked].T / TIE)
    spearman = (
        correlations(mid_ranks(np.broadcast_to(whole, others.shape)), mid_ranks(others)) if len(whole) > 1 else np.nan
    )
    first = [_first(row, names) for row in [whole, *others]]
    frame = table.targets.assign(
        **table.key,
        spearman=spearman,
        first=first[0],
        first_without=first[1:],
        n_transfers=int(ranked.sum()),
        n_targets=np.isfinite(cells).any(axis=0).sum(),
        scale=table.scale,
    )
    frame["first_changes"] = frame["first"] != frame["first_without"]
    frame = frame.sort_values(["spearman", "first_changes", *RECEIVER], ascending=[True, False, True, True])
    return frame.assign(place=np.arange(1, len(frame) + 1))[_RANKING]


def _first(aggregates: Array, names: NDArray[np.object_]) -> str:
    """Return the names of the largest, all of them where several tie."""
    return ", ".join(names[aggregates == aggregates.max()]) if len(aggregates) else ""
