"""From an estimate, its variance and degrees of freedom to the columns that every frame with an interval has."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr, stdtrit

from xltransfer.analysis.frames import require_one_of
from xltransfer.analysis.scales import SCALES, STILL, Scale

Array = NDArray[np.float64]

INTERVAL: Final = ["estimate", "se", "df", "low", "high", "p", "scale", "estimand", "level", "why"]
"""Columns behind the keys of every frame with intervals, in this order."""

ESTIMANDS: Final = ("this_test_set", "new_sentences", "new_targets")
"""What is random: replicates alone; replicates and sentences (their clusters); replicates and targets."""


def t_intervals(
    estimate: Array, variance: Array, df: Array, why: NDArray[np.object_], scale: Scale, estimand: str, level: float
) -> pd.DataFrame:
    """Return the `INTERVAL` columns of t intervals.

    Parameters
    ----------
    estimate, variance, df
        Shape [n]; the scale's unit, its square, and degrees of freedom (infinite for a normal interval).
    why
        Shape [n]: why there is no interval, else an empty text.
    scale, estimand, level
        What the interval is; ``level`` between 0 and 1.

    Returns
    -------
    DataFrame
        ``low``, ``high``, ``se``, ``df`` and ``p`` (two-sided, of the studentised estimate against 0) are NaN where
        ``why`` gives a reason. Where nothing varies the reason is "nothing varies", and p is 1 for an estimate of 0.

    Raises
    ------
    ValueError
        ``scale`` or ``estimand`` is unknown, or ``level`` is not between 0 and 1.
    """
    check(scale, estimand, level)
    se = np.sqrt(variance)
    still = (why == "") & (se <= STILL[scale])
    why = np.where(still, "nothing varies", why)
    given = why == ""
    se, df = np.where(given, se, np.nan), np.where(given, df, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = -np.abs(estimate / se)
    normal = np.isinf(df)
    p = 2.0 * np.where(normal, ndtr(below), stdtr(np.where(normal, 1.0, df), below))
    half = se * stdtrit(np.where(normal, 1e10, df), 0.5 + level / 2.0)
    columns = {
        "estimate": estimate,
        "se": se,
        "df": df,
        "low": estimate - half,
        "high": estimate + half,
        "p": np.where(still & (np.abs(estimate) <= STILL[scale]), 1.0, p),
    }
    frame = pd.DataFrame(columns, dtype="float64")
    return frame.assign(scale=scale, estimand=estimand, level=level, why=pd.Series(why, dtype="str"))[INTERVAL]


def check(scale: str, estimand: str, level: float) -> None:
    """Raise ``ValueError`` for a scale or estimand that does not exist or a level outside 0 to 1."""
    require_one_of(scale, SCALES, "scale")
    require_one_of(estimand, ESTIMANDS, "estimand")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level} is not between 0 and 1; write 0.95 for 95 %")
