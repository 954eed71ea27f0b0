"""Intervals of aggregates: how sure the mean effect of a transfer language is, and what a target receives on average.

An aggregate by transfer language is a mean over targets. Its default estimand is ``new_targets``: replicates and
targets are random and crossed, and targets stand where items stand for a cell. For ``new_sentences`` the targets are
fixed, like strata; influences of a cluster that several targets share add up before they are squared. New targets come
with new sentences, so what parallel targets owe to the sentences that they share is added to the spread between them,
which cannot show it.

An aggregate by target is a mean over transfer entries. Replicates are nested in transfer entries, which do not share
them, and clusters are shared by all of them; the default is ``new_sentences``. Both sides average adapter seeds first,
and their estimates (macro) are those of :mod:`.ranking`.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.crossed import crossed_df, crossed_variance
from xltransfer.analysis.frames import require_one_of
from xltransfer.analysis.interval_statistics import Statistics
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY
from xltransfer.analysis.student import check, t_intervals
from xltransfer.analysis.weightings import WEIGHTINGS, Weighting

Array = NDArray[np.float64]

_BY_TRANSFER: Final = [*STUDY, *ENTRY, "weighting", "include_self", "n_targets", "n_replicates"]
_BY_TARGET: Final = [*STUDY, *RECEIVER, "include_self", "n_transfers", "n_replicates"]


def transfer_aggregates(
    statistics: Statistics,
    scale: Scale = "ts",
    estimand: str = "new_targets",
    weighting: Weighting = "macro",
    include_self: bool = True,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the mean change that each transfer language makes over all targets, with its interval.

    Parameters
    ----------
    statistics
        What :func:`.interval_statistics` gives; cells that are ``aggregated`` and defined on ``scale`` count.
    scale, level
        As for :func:`.cell_intervals`.
    estimand
        ``new_targets``: other targets of the same kind (families, for the weighting ``family``) and other replicates;
        ``new_sentences``: these targets, other sentences and replicates; ``this_test_set``: other replicates only.
    weighting
        ``macro``: mean over targets; ``family``: mean over families of the mean within the family; ``words``: mean
        weighted by the words (pairs, positions) of a target.
    include_self
        Whether the effect of a language on itself counts.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, transfer, corpus: weighting, include_self, n_targets,
        n_replicates; estimate, se, df, low, high, p, scale, estimand, level, why. No interval for one replicate, one
        target or family (new_targets), no target, or where nothing varies.

    Raises
    ------
    ValueError
        An argument is unknown, or ``weighting`` is ``family`` and the statistics were made without ``languages``.

    Notes
    -----
    With weights w_b, ``new_targets`` is V_rep + Σ w_b² (ts_b − ts)²/(1 − w_b) − V_res, floored at V_res, and for equal
    weights the two-way formula of :mod:`.crossed`; for targets that share clusters the covariance of their errors is
    added, :mod:`.transfer_components`. In ``new_sentences`` a target with a single replicate or a single cluster adds
    nothing to the part that it cannot show.

    References
    ----------
    faisal2024, App. I (aggregated transfer); protocols.md §6.
    """
    check(scale, estimand, level)
    require_one_of(weighting, WEIGHTINGS, "weighting")
    rows = statistics.transfers
    if weighting == "family" and len(rows) and not (rows["weighting"] == "family").any():
        raise ValueError("weighting='family' needs families; give interval_statistics(..., languages=) code and family")
    wanted = (rows["scale"] == scale) & (rows["weighting"] == weighting) & (rows["include_self"] == include_self)
    rows = rows[wanted].reset_index(drop=True)
    replicate, df_replicate = rows["replicate"].to_numpy(), rows["n_replicates"].to_numpy() - 1.0
    if estimand == "this_test_set":
        variance, df = replicate, df_replicate
    else:
        columns = ("unit", "unit_rest", "unit_df") if estimand == "new_targets" else ("item", "item_rest", "item_df")
        drawn, rest, df_drawn = (rows[column].to_numpy() for column in columns)
        variance = crossed_variance(replicate, drawn, rest)
        df = crossed_df(replicate, drawn, rest, df_replicate, df_drawn, df_replicate * df_drawn)
    one_unit = (rows["n_units"] == 1) & (estimand == "new_targets")
    why = np.where(one_unit, "one family" if weighting == "family" else "one target", "").astype(object)
    why = np.where(rows["n_replicates"] == 1, "one replicate", why)
    why = np.where(rows["estimate"].isna(), "no target", why)
    return _with_intervals(rows, _BY_TRANSFER, variance, df, why, scale, estimand, level)


def target_aggregates(
    statistics: Statistics,
    scale: Scale = "ts",
    estimand: str = "new_sentences",
    include_self: bool = True,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the mean change that each target receives over all transfer entries, with its interval.

    Parameters
    ----------
    statistics, scale, include_self, level
        As for :func:`transfer_aggregates`.
    estimand
        ``new_sentences`` or ``this_test_set``; the transfer entries are fixed.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, dataset, target: include_self, n_transfers, n_replicates (of
        all transfer entries together); estimate, se, df, low, high, p, scale, estimand, level, why.

    Raises
    ------
    ValueError
        An argument is unknown, or ``estimand`` is ``new_targets``.

    Notes
    -----
    V_rep and V_res are sums over transfer entries, over the square of their number; V_item is that of the influences
    averaged over entries. Entries with a single replicate are taken to vary like the others.

    References
    ----------
    faisal2024, App. H (aggregated target); protocols.md §6.
    """
    check(scale, estimand, level)
    if estimand == "new_targets":
        raise ValueError("estimand='new_targets' is not defined for an aggregate of one target; use new_sentences")
    rows = statistics.targets
    rows = rows[(rows["scale"] == scale) & (rows["include_self"] == include_self)].reset_index(drop=True)
    replicate, df_replicate = rows["replicate"].to_numpy(), rows["replicate_df"].to_numpy()
    item, rest = rows["item"].to_numpy(), rows["item_rest"].to_numpy()
    if estimand == "this_test_set":
        variance, df = replicate, df_replicate
    else:
        df_item, df_rest = rows["item_df"].to_numpy(), rows["item_rest_df"].to_numpy()
        variance = crossed_variance(replicate, item, rest)
        df = crossed_df(replicate, item, rest, df_replicate, df_item, df_rest)
    lone = (rows["item_df"] <= 1e-9) & (estimand != "this_test_set")
    why = np.where(lone, "one cluster", "").astype(object)
    why = np.where(rows["replicate"].isna(), "one replicate", why)
    why = np.where(rows["estimate"].isna(), "no transfer entry", why)
    return _with_intervals(rows, _BY_TARGET, variance, df, why, scale, estimand, level)


def _with_intervals(
    rows: pd.DataFrame,
    keys: list[str],
    variance: Array,
    df: Array,
    why: NDArray[np.object_],
    scale: Scale,
    estimand: str,
    level: float,
) -> pd.DataFrame:
    """Return the key columns of ``rows`` beside their intervals."""
    estimate = rows["estimate"].to_numpy()
    columns = t_intervals(estimate, np.where(why == "", variance, np.nan), df, why, scale, estimand, level)
    return pd.concat([rows[keys], columns], axis=1)
