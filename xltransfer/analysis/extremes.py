"""Which targets receive their largest, or their smallest, transfer from whom. Source: faisal2024 App. L, Table 23."""

import pandas as pd

from xltransfer.analysis.cell_means import averaged_seeds
from xltransfer.analysis.frames import TIE
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY


def extreme_targets(ts: pd.DataFrame, include_self: bool = True) -> pd.DataFrame:
    """Return, per target, the transfer entries with its largest and with its smallest ts.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives; rows that are not ``aggregated`` count nowhere, adapter seeds are
        averaged first.
    include_self
        Whether a language's effect on itself counts.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, extreme (``max``, ``min``), dataset, target and transfer entry
        that has it, all of them where several tie: transfer, corpus, ts (percent), n_tied. The number of rows of an
        entry is its n_max or n_min in :func:`.ranking.rank_transfer_languages`.

    Raises
    ------
    ValueError
        A column is missing.
    """
    cells = averaged_seeds(ts, include_self)
    receiver = [*STUDY, *RECEIVER]
    grouped = cells.groupby(receiver, observed=True)["ts"]
    largest = cells[cells["ts"] >= grouped.transform("max") - TIE].assign(extreme="max")
    smallest = cells[cells["ts"] <= grouped.transform("min") + TIE].assign(extreme="min")
    both = pd.concat([largest, smallest], ignore_index=True)
    both["n_tied"] = both.groupby([*receiver, "extreme"], observed=True)["ts"].transform("size")
    keys = [*STUDY, "extreme", *RECEIVER]
    return both[[*keys, *ENTRY, "ts", "n_tied"]].sort_values([*keys, *ENTRY], ignore_index=True)
