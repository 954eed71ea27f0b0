"""How often a transfer language helps a target, beside how often it would if there were no effect.

"Thirty percent of the targets benefit" sounds like a finding; without any effect it is half of the cells that are not
ties. So both stand side by side, with an interval. Source: faisal2024 Table 4, +(%).
"""

from typing import Final

import numpy as np
import pandas as pd

from xltransfer.analysis.cell_means import averaged_seeds
from xltransfer.analysis.contrasts import contrast_frame, entry_mean, mean_weights
from xltransfer.analysis.frames import TIE
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY

_KEYS: Final = [*STUDY, "percent_tie", "percent_if_no_effect", "excess", "n_transfers", "n_targets", "n_cells"]


def percent_positive(ts: pd.DataFrame, include_self: bool = True, level: float = 0.95) -> pd.DataFrame:
    """Return the mean over transfer entries of the percentage of targets that they help.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives; rows that are not ``aggregated`` count nowhere, adapter seeds are
        averaged first.
    include_self
        Whether a language's effect on itself counts.
    level
        Of the interval.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps: percent_tie (cells with exactly 0); percent_if_no_effect,
        (100 − percent_tie)/2; excess (estimate − percent_if_no_effect); n_transfers, n_targets, n_cells; then
        estimate (0 to 100, cells with ts > 0) and its se, df, low, high (cut at 0 and 100), p (of excess being 0),
        scale (``ts``), estimand (``new_targets``), level, why.

    Raises
    ------
    ValueError
        A column is missing.

    Notes
    -----
    Transfer entries and targets are both taken as drawn, and crossed: the interval is for other languages than these.
    p tests the mean of sign(ts)/2, which is estimate − percent_if_no_effect cell by cell.

    References
    ----------
    faisal2024, Table 4 and App. H, "+(%)".
    """
    cells = averaged_seeds(ts, include_self)
    keys, shares, excesses = [], [], []
    for key, part in cells.groupby(STUDY, observed=True, sort=True):
        table = part.pivot(index=ENTRY, columns=RECEIVER, values="ts").to_numpy(dtype=np.float64)
        sign = np.where(np.abs(table) <= TIE, 0.0, np.sign(table))
        there = np.isfinite(table)
        shares.append(entry_mean(np.where(there, 100.0 * (sign > 0.0), np.nan)))
        excesses.append(entry_mean(50.0 * sign))
        ties = 100.0 * float((mean_weights(table) * (sign == 0.0)).sum())
        shown = {"percent_tie": ties, "percent_if_no_effect": (100.0 - ties) / 2.0, "excess": excesses[-1].estimate}
        counts = (there.any(axis=1).sum(), there.any(axis=0).sum(), there.sum())
        sizes = dict(zip(("n_transfers", "n_targets", "n_cells"), (int(count) for count in counts), strict=True))
        keys.append({**dict(zip(STUDY, key, strict=True)), **shown, **sizes})
    frame = contrast_frame(keys, shares, _KEYS, "ts", level)
    tested = contrast_frame(keys, excesses, _KEYS, "ts", level)
    return frame.assign(p=tested["p"], low=frame["low"].clip(lower=0.0), high=frame["high"].clip(upper=100.0))
