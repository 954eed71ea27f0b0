"""Intervals of cells: how sure one transfer score is, on any scale.

The default is the crossed interval for new sentences: replicates and clusters of items are both random and crossed, so
the mean over replicates varies with the replicates drawn, with the items drawn, and with what is left over. Ratios and
F1 are linearised. See protocols.md §6.

With R replicates, g_r the change of replicate r and y_rj the influence of cluster j on it (:mod:`.influence`,
:mod:`.scales`), c_j = 1/(1 − share of the cluster), and the derivatives taken at the replicates' mean,

    V_rep = var_r(g_r) / R,    V_item = Σ_j c_j ȳ_j²,    V_res = Σ_rj c_j (y_rj − ȳ_j)² / (R (R − 1)),
    V = max(V_rep + V_item − V_res, V_res).

For J clusters of equal size c_j = J/(J − 1), and V is (MS_rep + MS_item − MS_res)/(R J), floored at MS_res/(R J), of
the two-way table z_rj = g_r + J y_rj. The interval is a t interval with the degrees of freedom of :mod:`.crossed`;
those of the items are those of :mod:`.untouched`, because few large documents count for less than many sentences.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.crossed import crossed_df, crossed_variance
from xltransfer.analysis.frames import CELL
from xltransfer.analysis.interval_statistics import Statistics
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.scales import Scale, change, slopes
from xltransfer.analysis.student import check, t_intervals
from xltransfer.metrics import Metric

Array = NDArray[np.float64]

_SHOWN: Final = [*CELL, "self_transfer", "aggregated", "reference", "score", "n_replicates", "n_clusters"]


def cell_intervals(
    statistics: Statistics, scale: Scale = "ts", estimand: str = "new_sentences", level: float = 0.95
) -> pd.DataFrame:
    """Return every cell with its interval.

    Parameters
    ----------
    statistics
        What :func:`.interval_statistics` gives.
    scale
        ``ts`` (percent), ``delta`` (metric's unit), ``log_ratio`` (natural log) or ``logit_delta`` (log odds).
    estimand
        ``new_sentences``: other replicates on other sentences of the same kind. ``this_test_set``: other replicates
        on these sentences.
    level
        Coverage, between 0 and 1.

    Returns
    -------
    DataFrame
        One row per cell, sorted: base, setting, transfer, corpus, steps, adapter_seed, task, dataset, target, metric;
        self_transfer, aggregated, reference, score (metric's unit, means over replicates), n_replicates, n_clusters;
        estimate, se, df, low, high, p, scale, estimand, level, why. No interval for one replicate, one cluster, an
        undefined change ("undefined baseline", "undefined score"), or where nothing varies (p is 1 then).

    Raises
    ------
    ValueError
        ``estimand`` is ``new_targets``, which a single cell does not have, or an argument is unknown.

    References
    ----------
    protocols.md §6; for the parts see :mod:`.crossed` and :mod:`.untouched`.
    """
    check(scale, estimand, level)
    if estimand == "new_targets":
        raise ValueError("estimand='new_targets' is not defined for a cell, which has one target; use new_sentences")
    cells = statistics.cells
    estimate, replicates = cells[f"estimate_{scale}"].to_numpy(), cells["n_replicates"].to_numpy(dtype=np.float64)
    replicate = cells[f"variance_{scale}"].to_numpy() / replicates
    if estimand == "this_test_set":
        variance, df = replicate, replicates - 1.0
    else:
        item, rest = cluster_parts(cells, scale)
        df_item = cells["effective"].to_numpy() - 1.0
        variance = crossed_variance(replicate, item, rest)
        df = crossed_df(replicate, item, rest, replicates - 1.0, df_item, (replicates - 1.0) * df_item)
    why = _reasons(cells, estimate, scale, estimand)
    columns = t_intervals(estimate, np.where(why == "", variance, np.nan), df, why, scale, estimand, level)
    return pd.concat([cells[_SHOWN], columns], axis=1)


def cluster_parts(cells: pd.DataFrame, scale: Scale) -> tuple[Array, Array]:
    """Return for each cell the parts V_item and V_res of its variance on ``scale``; ``cells`` as in ``Statistics``."""
    slope, tilt = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    for metric, rows in _metrics(cells):
        score, reference = (cells.loc[rows, column].to_numpy() for column in ("score", "reference"))
        slope[rows], tilt[rows] = slopes(scale, score, reference, metric)
    parts = []
    for kind in ("item", "rest"):
        shift, cross, base = (cells[f"{kind}_{name}"].to_numpy() for name in ("shift", "cross", "base"))
        with np.errstate(invalid="ignore"):
            parts.append(np.maximum(slope**2 * shift + 2.0 * slope * tilt * cross + tilt**2 * base, 0.0))
    return parts[0], parts[1]


def _reasons(cells: pd.DataFrame, estimate: Array, scale: Scale, estimand: str) -> NDArray[np.object_]:
    """Return for each cell why it has no interval, else an empty text."""
    lone = (cells["effective"].to_numpy() <= 1.0 + 1e-9) & (estimand != "this_test_set")
    why = np.where(lone, "one cluster", "").astype(object)
    why = np.where(cells["n_replicates"] == 1, "one replicate", why)
    why = np.where(np.isnan(estimate), "undefined score", why)
    for metric, rows in _metrics(cells):
        reference = cells.loc[rows, "reference"].to_numpy()
        # A baseline that cannot even be compared with itself on this scale.
        undefined = np.isnan(change(scale, reference, reference, metric))
        why[rows] = np.where(undefined, "undefined baseline", why[rows])
    return why


def _metrics(cells: pd.DataFrame) -> Iterator[tuple[Metric, NDArray[np.bool_]]]:
    """Yield each metric and which cells are of it."""
    for name in cells["metric"].unique():
        yield metric_named(name), (cells["metric"] == name).to_numpy(dtype=np.bool_)
