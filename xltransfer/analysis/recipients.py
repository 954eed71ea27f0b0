"""Which target languages gain from every transfer language, and which from none.

Source: faisal2024 App. I, Figure 5 (recipient transfer map) and Table 19.
"""

from typing import Final

import numpy as np
import pandas as pd

from xltransfer.analysis.cell_means import averaged_seeds
from xltransfer.analysis.frames import TIE
from xltransfer.analysis.score_tables import RECEIVER, STUDY

_SHARES: Final = ["percent_positive", "percent_tie", "percent_if_no_effect", "p_universal", "p_never"]


def recipients(ts: pd.DataFrame, include_self: bool = True) -> pd.DataFrame:
    """Return, per target, the percentage of transfer entries that help it.

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
        One row per base, setting, task, metric, steps, dataset, target: n_transfers; percent_positive (0 to 100,
        transfer entries with ts > 0); percent_tie (exactly 0); percent_if_no_effect, (100 − percent_tie)/2; group
        (``never``: 0 %; ``90-99``: above 90 and below 100 %; ``universal``: 100 %; else empty); p_universal, p_never
        (0 to 1, see Notes). NaN and no group where nothing is aggregated.

    Raises
    ------
    ValueError
        A column is missing.

    Notes
    -----
    The paper's heading is "(90-99]" and its text "more than 90 % times": 90 % itself is in no group. With 38 transfer
    languages the group begins at 35 of them.

    p_universal and p_never are the chances of 100 % and of 0 % if every entry helped with probability
    percent_if_no_effect, or else did not, independently of the others. They are a lower limit: all entries are scored
    on the same sentences against the same baseline, so their signs agree far more often than coins do.

    References
    ----------
    faisal2024, App. I, Figure 5, Table 19.
    """
    cells = averaged_seeds(ts, include_self)
    signs = cells.assign(positive=cells["ts"] > TIE, tie=cells["ts"].abs() <= TIE)
    grouped = signs.groupby([*STUDY, *RECEIVER], observed=True)
    shares = pd.DataFrame({"n_transfers": grouped.size()})
    shares["percent_positive"] = 100.0 * grouped["positive"].mean()
    shares["percent_tie"] = 100.0 * grouped["tie"].mean()
    shares["percent_if_no_effect"] = (100.0 - shares["percent_tie"]) / 2.0
    chance = shares["percent_if_no_effect"] / 100.0
    shares["p_universal"] = chance ** shares["n_transfers"]
    shares["p_never"] = (1.0 - chance) ** shares["n_transfers"]
    # Every target that was measured has a row, also those that nothing can be said of.
    everybody = ts[[*STUDY, *RECEIVER]].drop_duplicates().sort_values([*STUDY, *RECEIVER], ignore_index=True)
    table = everybody.merge(shares.reset_index(), how="left", on=[*STUDY, *RECEIVER])
    table["n_transfers"] = table["n_transfers"].fillna(0).astype("int64")  # a count of nothing is 0
    table["group"] = _group(table["percent_positive"])
    return table[[*STUDY, *RECEIVER, "n_transfers", *_SHARES[:3], "group", *_SHARES[3:]]]


def _group(percent: "pd.Series[float]") -> "pd.Series[str]":
    """Return Table 19's column for each percentage."""
    conditions = [percent == 0.0, percent == 100.0, percent > 90.0]
    return pd.Series(np.select(conditions, ["never", "universal", "90-99"], ""), index=percent.index)
