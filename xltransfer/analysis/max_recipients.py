"""Which target gains most from each transfer language. Source: faisal2024 App. J, Table 20."""

from typing import Final

import pandas as pd

from xltransfer.analysis.cell_means import averaged_seeds
from xltransfer.analysis.frames import TIE
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY

_BY: Final = [*STUDY, *ENTRY]


def max_recipients(ts: pd.DataFrame, include_self: bool = True) -> pd.DataFrame:
    """Return, per transfer entry, the target with the largest ts.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives; rows that are not ``aggregated`` count nowhere, adapter seeds are
        averaged first.
    include_self
        Whether a language can be its own recipient, as in the paper.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, transfer, corpus and target with the largest ts, several where
        they tie: dataset, target, ts (percent); n_tied (targets that share the largest); runner_up (percent, largest
        ts among the other targets, NaN without any); gap (ts − runner_up); n_targets. An entry of which nothing is
        aggregated has no row.

    Raises
    ------
    ValueError
        A column is missing.
    """
    cells = averaged_seeds(ts, include_self)
    grouped = cells.groupby(_BY, observed=True)["ts"]
    cells = cells.assign(n_targets=grouped.transform("size"), first=cells["ts"] >= grouped.transform("max") - TIE)
    cells["n_tied"] = cells.groupby(_BY, observed=True)["first"].transform("sum")
    others = cells[~cells["first"]].groupby(_BY, observed=True)["ts"].max().rename("runner_up").reset_index()
    table = cells[cells["first"]].merge(others, how="left", on=_BY)
    table["gap"] = table["ts"] - table["runner_up"]
    return table[[*_BY, *RECEIVER, "ts", "n_tied", "runner_up", "gap", "n_targets"]]
