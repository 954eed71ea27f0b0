"""Would other replicates give the same transfer scores?

Reliability is the share of the variance between transfer languages (or between cells) that is not replicate noise. It
caps every correlation: nothing correlates with noise. See protocols.md §6.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import fdtrc, fdtri, stdtrit

from xltransfer.analysis.halves import Halves, half_means, halves
from xltransfer.analysis.rank_correlation import correlations, mid_ranks
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import STUDY, ScoreTable, score_tables
from xltransfer.analysis.student import INTERVAL
from xltransfer.randomness import stream

_RESULT: Final = [*STUDY, "unit", "statistic", "n_units", "n_transfers", "n_replicates", *INTERVAL]

Array = NDArray[np.float64]


def reliability(changes: pd.DataFrame, seed: int, scale: Scale = "ts", level: float = 0.95) -> pd.DataFrame:
    """Return how reliable aggregates and cells are, by five statistics.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives; rows that are not ``aggregated`` are not read.
    seed
        Draws the halves where there are too many to try them all.
    scale
        Which change.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, unit and statistic: n_units, n_transfers, n_replicates (the
        most that an entry has), then estimate, se, df, low, high, p, scale, estimand, level, why. ``unit``:
        ``aggregate`` (a transfer entry's mean over its targets) or ``cell`` (entry and target). ``statistic``, all of
        them at most 1:

        - ``icc_single``, ICC(1): share of the variance of one replicate that lies between units; may be negative.
        - ``icc_mean``, ICC(1, R): the same for the mean of all replicates.
        - ``split_half_pearson``, ``split_half_spearman``: correlation of the means of disjoint halves of the
          replicates, averaged over the splits; from four replicates on.
        - ``spearman_brown``: the Pearson one carried from half to all replicates.


    Raises
    ------
    ValueError
        A column is missing or ``scale`` is unknown.

    Notes
    -----
    One-way random effects: replicates are drawn for each transfer entry anew. For aggregates the interval is the exact
    one of the F distribution. Cells of one entry share its replicates, so theirs is a jackknife over transfer entries
    of the logarithm of F. With unequal numbers of replicates R is Searle's mean number. The targets are taken as they
    are.

    References
    ----------
    Shrout and Fleiss, "Intraclass correlations", Psychological Bulletin 1979, ICC(1,1) and ICC(1,k); McGraw and Wong
    1996, Table 7 (intervals); Spearman 1910, Brown 1910.
    """
    records = []
    for table in score_tables(changes, scale):
        rng = stream(seed, "reliability", *(str(value) for value in table.key.values()))
        records += [{**table.key, **row} for row in _of_table(table, level, rng)]
    return pd.DataFrame(records, columns=_RESULT)


def _of_table(table: ScoreTable, level: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the rows of one table."""
    entries, replicates, targets = table.values.shape
    finite = np.isfinite(table.values)
    with np.errstate(invalid="ignore"):
        aggregates = np.where(finite, table.values, 0.0).sum(axis=2) / finite.sum(axis=2)
    cells = table.values.transpose(0, 2, 1).reshape(-1, replicates)
    owner = np.repeat(np.arange(entries), targets)
    first, second = halves(replicates, rng)
    rows = []
    for unit, values, clusters in (("aggregate", aggregates, None), ("cell", cells, owner)):
        measured = np.isfinite(values).any(axis=1)
        shown = {"unit": unit, "n_units": int(measured.sum()), "n_transfers": int(finite.any(axis=(1, 2)).sum())}
        found = icc(values, level, clusters) | _split_half(values[measured], first, second)
        for statistic, columns in found.items():
            given = {"scale": table.scale, "estimand": "this_test_set", "level": level}
            rows.append({**shown, "statistic": statistic, "n_replicates": replicates, **columns, **given})
    return rows


def icc(values: Array, level: float = 0.95, clusters: NDArray[np.intp] | None = None) -> dict[str, dict[str, Any]]:
    """Return ICC(1) of one replicate (``icc_single``) and of the mean of all (``icc_mean``).

    Parameters
    ----------
    values
        Shape [unit, replicate], NaN where a unit has fewer replicates.
    level
        Of the interval.
    clusters
        Shape [unit]: units of one cluster share their replicates, and the interval is a jackknife over clusters.
        Without it units are independent and the interval is that of the F distribution.

    Returns
    -------
    dict
        By statistic, the columns estimate, df (of the variance between units), low, high, p and why.
    """
    kept = np.isfinite(values).any(axis=1)
    sums = _sums(values[kept])
    table = _anova(sums.sum(axis=0))
    if table.df_between < 1 or table.df_within < 1:
        too_few = "one transfer entry" if len(sums) else "undefined baseline"
        why = "one replicate" if table.df_between >= 1 else too_few
        return {name: _columns(why=why) for name in ("icc_single", "icc_mean")}
    if not table.within > 0.0:
        agreed = 1.0 if table.between > 0.0 else math.nan
        return {name: _columns(agreed, why="nothing varies") for name in ("icc_single", "icc_mean")}
    f = table.between / table.within
    if clusters is None:
        df, p = table.df_between, float(fdtrc(table.df_between, table.df_within, f))
        low = f / float(fdtri(table.df_between, table.df_within, 0.5 + level / 2.0))
        high = f * float(fdtri(table.df_within, table.df_between, 0.5 + level / 2.0))
    else:
        p = math.nan
        low, high, df = _jackknife(sums, clusters[kept], f, level)
    why = "one transfer entry" if math.isnan(low) else ""
    single, mean = (
        _columns(kind(f), kind(low), kind(high), df, p, why) for kind in (partial(_single, table.size), _mean)
    )
    return {"icc_single": single, "icc_mean": mean}


def stepped(single: float, replicates: float) -> float:
    """Return the reliability of the mean of ``replicates``, given that of one (Spearman and Brown)."""
    return replicates * single / (1.0 + (replicates - 1.0) * single)


def _columns(
    estimate: float = math.nan,
    low: float = math.nan,
    high: float = math.nan,
    df: float = math.nan,
    p: float = math.nan,
    why: str = "",
) -> dict[str, Any]:
    """Return the columns of one statistic; a share of variance has no standard error."""
    return {"estimate": estimate, "se": math.nan, "df": df, "low": low, "high": high, "p": p, "why": why}


def _single(size: float, f: float) -> float:
    """Return ICC(1) for a ratio of mean squares."""
    return (f - 1.0) / (f + size - 1.0)


def _mean(f: float) -> float:
    """Return ICC(1, R) for a ratio of mean squares."""
    return 1.0 - 1.0 / f if f > 0.0 else math.nan


@dataclass(frozen=True)
class _Anova:
    """Mean squares between and within units, their degrees of freedom, and the mean number of replicates."""

    between: float
    within: float
    df_between: float
    df_within: float
    size: float


def _sums(values: Array) -> Array:
    """Return per unit 1, n, n², Σy, (Σy)²/n and Σy², which add up over units; shape [unit, 6]."""
    there = np.isfinite(values)
    n = there.sum(axis=1).astype(np.float64)
    filled = np.where(there, values - (np.nanmean(values) if there.any() else 0.0), 0.0)
    total = filled.sum(axis=1)
    return np.column_stack([np.ones(len(n)), n, n**2, total, total**2 / n, (filled**2).sum(axis=1)])


def _anova(sums: Array) -> _Anova:
    """Return the one-way table of summed :func:`_sums`."""
    units, n, n2, total, between, squares = (float(part) for part in sums)
    df_between, df_within = units - 1.0, n - units
    if df_between < 1.0 or df_within < 1.0:
        return _Anova(math.nan, math.nan, df_between, df_within, math.nan)
    ms_between, ms_within = (between - total**2 / n) / df_between, (squares - between) / df_within
    # What rounding leaves of equal values is no variance.
    least = 1e-20 * squares / n
    ms_between, ms_within = (part if part > least else 0.0 for part in (ms_between, ms_within))
    return _Anova(ms_between, ms_within, df_between, df_within, (n - n2 / n) / df_between)


def _jackknife(sums: Array, clusters: NDArray[np.intp], f: float, level: float) -> tuple[float, float, float]:
    """Return interval and degrees of freedom of F from leaving out one cluster at a time, on the logarithm."""
    known, codes = np.unique(clusters, return_inverse=True)
    count = len(known)
    parts = np.zeros((count, sums.shape[1]))
    np.add.at(parts, codes, sums)
    tables = [_anova(row) for row in parts.sum(axis=0) - parts]
    ratios = np.array([table.between / table.within if table.within > 0.0 else math.nan for table in tables])
    if count < 3 or not (ratios > 0.0).all():
        return math.nan, math.nan, math.nan
    logs = np.log(ratios)
    error = math.sqrt((count - 1) / count * float(((logs - logs.mean()) ** 2).sum()))
    width = float(stdtrit(count - 1, 0.5 + level / 2.0)) * error
    return f * math.exp(-width), f * math.exp(width), float(count - 1)


def _split_half(values: Array, first: Halves, second: Halves) -> dict[str, dict[str, Any]]:
    """Return the split-half statistics of [unit, replicate]."""
    names = ("split_half_pearson", "split_half_spearman", "spearman_brown")
    replicates = values.shape[1]
    if replicates < 4:
        return {name: _columns(why="fewer than four replicates") for name in names}
    x, y = half_means(values, first), half_means(values, second)
    both = (np.isfinite(x) & np.isfinite(y)).all(axis=0)
    x, y = x[:, both], y[:, both]
    pearson = float(correlations(x, y).mean()) if both.sum() > 2 else math.nan
    spearman = float(correlations(mid_ranks(x), mid_ranks(y)).mean()) if both.sum() > 2 else math.nan
    why = "nothing varies" if math.isnan(pearson) else ""
    brown = stepped(pearson, replicates / (replicates // 2))
    return {name: _columns(value, why=why) for name, value in zip(names, (pearson, spearman, brown), strict=True)}
