"""Do languages gain from being fused at all: the share of members that gain, beside what no effect would give.

"Sixty percent gain" is a finding only beside what chance gives: half of what is no tie. Every pair stands in the table
twice, once for each member, and a language stands in many pairs with one adapter, so intervals leave out one language
at a time. Source: faisal2024 §4.3, which counts without an interval.
"""

from typing import Any, Final

import numpy as np
import pandas as pd

from xltransfer.analysis.frames import require_columns
from xltransfer.analysis.interference import STUDY
from xltransfer.analysis.interference_frame import languages_of
from xltransfer.analysis.language_jackknife import over_languages
from xltransfer.analysis.student import INTERVAL

CONDITION: Final = [*STUDY, "control", "dead_zone", "size"]
"""What is the same for everything that is averaged."""

_COUNTS: Final = ["n_compositions", "n_cells", "n_gain", "n_loss", "n_tie", "n_missing", "n_languages"]
_MEAN: Final = ["mean", "mean_low", "mean_high", "mean_p"]


def interference_balance(differences: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return which share of members gains, and by how much, in every condition.

    Parameters
    ----------
    differences
        What :func:`.interference.interference` gives, for one control or several.
    level
        Of the intervals, between 0 and 1.

    Returns
    -------
    DataFrame
        One row per base, task, metric, fusion, control, dead_zone and size: n_compositions; n_cells (a member of a
        composition, measured) and how many of these gain, lose and tie; n_missing (members not measured); n_languages;
        percent_if_no_effect, (100 − ties in percent)/2; excess (estimate − percent_if_no_effect); mean (difference in
        the metric's unit) with mean_low, mean_high, mean_p; then estimate (percent of cells that gain, 0 to 100), se,
        df, low and high (cut at 0 and 100), p (two-sided, of excess being 0), level, why.

    Raises
    ------
    ValueError
        A column is missing or ``level`` is not between 0 and 1.

    Notes
    -----
    Jackknife over languages, see :mod:`.language_jackknife`; t intervals with one degree of freedom less than
    languages. They are for other languages under this task adapter, not for other seeds of the adapters.
    """
    require_columns(differences, [*CONDITION, "members", "language", "difference", "sign"], "differences")
    rows = [
        dict(zip(CONDITION, key, strict=True)) | _balance(part, level)
        for key, part in differences.groupby(CONDITION, sort=True)
    ]
    shown = [*_COUNTS, "percent_if_no_effect", "excess", *_MEAN, *(name for name in INTERVAL if name not in _NOT_SHOWN)]
    return pd.DataFrame(rows, columns=[*CONDITION, *shown])


_NOT_SHOWN: Final = ("scale", "estimand")


def _balance(part: pd.DataFrame, level: float) -> dict[str, Any]:
    """Return the columns of one condition."""
    cells = part[part["sign"].notna()]
    signs = cells["sign"].to_numpy(np.float64)
    gains, ties = signs > 0.0, signs == 0.0
    held = [languages_of(each) for each in cells["members"]]
    found = over_languages(np.column_stack([100.0 * gains, 50.0 * signs]), held)
    share, excess = found.intervals("ts", level).to_dict("records")
    change = over_languages(cells[["difference"]].to_numpy(np.float64), held).intervals("delta", level).iloc[0]
    counts = (
        *(part["members"].nunique(), len(cells), int(gains.sum()), int((signs < 0.0).sum()), int(ties.sum())),
        *(len(part) - len(cells), found.languages),
    )
    none = 50.0 * (1.0 - float(ties.mean())) if len(cells) else np.nan
    columns: dict[str, Any] = dict(zip(_COUNTS, counts, strict=True))
    columns |= {"percent_if_no_effect": none, "excess": excess["estimate"]}
    columns |= {name: change[column] for name, column in zip(_MEAN, ("estimate", "low", "high", "p"), strict=True)}
    own = {str(name): value for name, value in share.items()}
    return columns | own | {"low": max(share["low"], 0.0), "high": min(share["high"], 100.0), "p": excess["p"]}
