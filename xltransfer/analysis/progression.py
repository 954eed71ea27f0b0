"""How the effect of a transfer language grows or turns with the number of steps k.

Levels say where an aggregate stands after k steps, changes whether it moved on the way from one k to the next; the
second is much surer than it looks from two overlapping intervals, because the targets are the same. Source: faisal2024
Figures 3b and 9-18.
"""

import itertools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd

from xltransfer.analysis.cell_means import cell_means
from xltransfer.analysis.contrasts import Contrast, contrast_frame, entry_mean, target_mean
from xltransfer.analysis.pairing import difference, entry_keys, paired
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import ENTRY, ScoreTable, score_tables

_CURVE: Final = ["base", "setting", "task", "metric"]
_LEVEL: Final = [*_CURVE, *ENTRY, "steps"]
_CHANGE: Final = [*_CURVE, *ENTRY, "steps_before", "steps"]

_ALL: Final = {"transfer": "", "corpus": ""}
"""Key of the rows that average over transfer entries."""


def progression(
    changes: pd.DataFrame, scale: Scale = "ts", include_self: bool = True, level: float = 0.95
) -> pd.DataFrame:
    """Return the aggregate of every transfer entry, and their mean, after each number of steps.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives; rows that are not ``aggregated`` are not read.
    scale
        Which change.
    include_self
        Whether a language's effect on itself counts.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, transfer, corpus and steps, sorted by them; transfer and corpus are
        empty for the mean over entries. Then estimate, se, df, low, high, p, scale, estimand, level, why.

    Raises
    ------
    ValueError
        A column is missing or ``scale`` is unknown.

    Notes
    -----
    Estimand new_targets: replicates and targets are drawn, and crossed; for the mean over entries, entries (with their
    replicates) and targets.

    References
    ----------
    faisal2024, Figures 3b, 9-18.
    """
    keys, contrasts = [], []
    for table in score_tables(changes, scale):
        for entry, contrast in _levels(table, include_self):
            keys.append({**table.key, **entry})
            contrasts.append(contrast)
    return contrast_frame(keys, contrasts, _LEVEL, scale, level).sort_values(_LEVEL, ignore_index=True)


def step_changes(
    changes: pd.DataFrame, scale: Scale = "ts", include_self: bool = True, level: float = 0.95
) -> pd.DataFrame:
    """Return the change of every aggregate from one number of steps to the next.

    Parameters
    ----------
    changes, scale, include_self, level
        As for :func:`progression`.

    Returns
    -------
    DataFrame
        As :func:`progression`, with steps_before before steps: the next smaller number of steps that was scored. The
        estimate is the aggregate after ``steps`` less that after ``steps_before``, over the targets scored after both.

    Notes
    -----
    Under the linear schedule each k is a path of its own, so the replicates of two k are independent, and only targets
    are paired. Under the constant schedule a replicate's path to the smaller k is the beginning of that to the larger;
    taking the two as independent then makes the interval too wide, not too narrow.
    """
    keys, contrasts = [], []
    curves = itertools.groupby(score_tables(changes, scale), key=lambda table: [table.key[name] for name in _CURVE])
    for _, tables in curves:
        for first, second in itertools.pairwise(sorted(tables, key=lambda table: table.steps)):
            for entry, contrast in _moves(first, second, include_self):
                keys.append({**second.key, "steps_before": first.steps, **entry})
                contrasts.append(contrast)
    return contrast_frame(keys, contrasts, _CHANGE, scale, level).sort_values(_CHANGE, ignore_index=True)


def _levels(table: ScoreTable, include_self: bool) -> Iterator[tuple[dict[str, Any], Contrast]]:
    """Yield key and aggregate of the mean over entries and of every entry."""
    cells = cell_means(table, include_self)
    yield _ALL, entry_mean(cells)
    for entry, values, row in zip(entry_keys(table.transfers), table.values, cells, strict=True):
        yield entry, target_mean(values[:, np.isfinite(row)])


def _moves(first: ScoreTable, second: ScoreTable, include_self: bool) -> Iterator[tuple[dict[str, Any], Contrast]]:
    """Yield key and change of the mean over entries and of every entry."""
    pair = paired(first, second, include_self)
    x_cells, y_cells = pair.cells()
    yield _ALL, entry_mean(y_cells - x_cells)
    for entry, x, y in zip(entry_keys(pair.transfers), pair.x, pair.y, strict=True):
        yield entry, difference(x, y)
