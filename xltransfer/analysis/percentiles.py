"""From bootstrap draws to the columns that every frame with an interval has."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.scales import STILL, Scale
from xltransfer.analysis.student import INTERVAL

Array = NDArray[np.float64]


def percentile_intervals(
    draws: Array, why: NDArray[np.object_], scale: Scale, estimand: str, level: float
) -> pd.DataFrame:
    """Return the `INTERVAL` columns of percentile intervals.

    Parameters
    ----------
    draws
        Shape [n, draw]; draw 0 is the estimate from the data. Undefined draws are left out.
    why
        Shape [n]: why there is no interval, else an empty text.
    scale, estimand, level
        What the interval is.

    Returns
    -------
    DataFrame
        ``se`` is the standard deviation over draws. There are no df and no p: a p from counts of draws cannot be small
        enough to survive a correction for many cells, and a studentised one is that of the crossed interval.
    """
    estimate, drawn = draws[:, 0], draws[:, 1:]
    some = np.isfinite(drawn).sum(axis=1) > 1
    why = np.where((why == "") & ~some, "undefined draws", why)
    drawn = np.where(some[:, None], drawn, 0.0)
    se = np.nanstd(drawn, axis=1, ddof=1)
    why = np.where((why == "") & (se <= STILL[scale]), "nothing varies", why)
    tail = 50.0 * (1.0 - level)
    low, high = np.nanpercentile(drawn, [tail, 100.0 - tail], axis=1)
    columns = {name: np.where(why == "", v, np.nan) for name, v in (("se", se), ("low", low), ("high", high))}
    frame = pd.DataFrame({"estimate": estimate, **columns}).assign(df=np.nan, p=np.nan)
    return frame.assign(scale=scale, estimand=estimand, level=level, why=pd.Series(why, dtype="str"))[INTERVAL]
