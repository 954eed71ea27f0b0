"""Empirical-Bayes shrinkage: what an estimate is worth once its neighbours are known.

The largest of many noisy estimates is too large. Shrinking each towards their mean, the noisier the more, is better on
average; how much there is to shrink, tau² and I² say. See protocols.md §6.
"""

import math
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from xltransfer.analysis.frames import require_columns

_STUDY: Final = ["base", "setting", "task", "metric", "steps"]
_ALSO: Final = ["weighting", "include_self", "scale", "estimand"]
"""Versions of the same estimates: where a frame has these columns, they are shrunk apart."""

_RESULT: Final = ["n_shrunk", "mean", "tau2", "i2", "shrunk", "shrunk_se", "shrunk_low", "shrunk_high"]

Array = NDArray[np.float64]


def shrunk(estimates: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return the estimates, each shrunk towards the mean of its base, setting, task, metric and steps.

    Parameters
    ----------
    estimates
        Any frame with base, setting, task, metric, steps, estimate and se: cells, or aggregates. Estimates of another
        weighting, include_self, scale or estimand are shrunk apart. With a column df, intervals use it.
    level
        Of the interval.

    Returns
    -------
    DataFrame
        The rows and columns of ``estimates``, in their order, and: n_shrunk (estimates with a standard error in the
        group); mean (their precision-weighted mean); tau2 (variance of what they estimate, unit of the scale squared);
        i2 (0 to 1, share of the variance of the estimates that is not noise); shrunk; shrunk_se; shrunk_low,
        shrunk_high. A row without a standard error, and a group of fewer than four estimates with one, has NaN.

    Raises
    ------
    ValueError
        A column is missing.

    Notes
    -----
    tau2 is Paule and Mandel's: the value at which the weighted sum of squares Σ (y − mean)²/(se² + tau2) is its
    expectation n − 1, 0 if it is below that already. It needs no normality and does better than DerSimonian and
    Laird's where standard errors differ much (Veroniki et al. 2016). i2 is (Q − (n − 1))/Q with Q at tau2 = 0.

    An estimate keeps the share 1 − B of its distance from the mean, B = (n − 3)/(n − 1) · se²/(se² + tau2). Its
    variance is Morris's, se² (1 − (n − 1)/n · B) + 2/(n − 3) · B² (mean se² + tau2)/(se² + tau2) · (y − mean)²: it
    counts that the mean and tau2 are estimated too. The standard errors count as known, but for the t quantile.
    Estimates of one group share targets and so are not independent, as the theory would have them: their common
    error stays in the mean.

    References
    ----------
    Paule and Mandel 1982; DerSimonian and Kacker 2007 (the iteration); Veroniki et al., Research Synthesis Methods
    2016; Higgins and Thompson 2002 (I²); Morris, "Parametric empirical Bayes inference", JASA 1983, §5.
    """
    require_columns(estimates, [*_STUDY, "estimate", "se"], "estimates")
    keys = [*_STUDY, *(name for name in _ALSO if name in estimates.columns)]
    frame = estimates.reset_index(drop=True)
    numbers = frame[["estimate", "se"]].assign(df=frame["df"] if "df" in frame else math.inf).astype("float64")
    result = np.full((len(frame), len(_RESULT)), np.nan)
    for places in frame.groupby(keys, dropna=False, observed=True).indices.values():
        part = numbers.iloc[places].to_numpy(dtype=np.float64)
        result[places] = _group(part[:, 0], part[:, 1], part[:, 2], level)
    more = pd.DataFrame(result, columns=_RESULT, index=estimates.index)
    return pd.concat([estimates, more.astype({"n_shrunk": "int64"})], axis=1)


def _group(y: Array, se: Array, df: Array, level: float) -> Array:
    """Return the columns `_RESULT` for the estimates of one group."""
    result = np.full((len(y), len(_RESULT)), np.nan)
    known = np.isfinite(y) & np.isfinite(se) & (se > 0.0)
    n = int(known.sum())
    result[:, 0] = n
    if n < 4:
        return result
    variance = se[known] ** 2
    tau2 = paule_mandel(y[known], variance)
    total = variance + tau2
    mean = _mean(y[known], total)
    off = y[known] - mean
    kept = (n - 3) / (n - 1) * variance / total
    spread = variance * (1.0 - (n - 1) / n * kept)
    spread += 2.0 / (n - 3) * kept**2 * (variance.mean() + tau2) / total * off**2
    width = stdtrit(df[known], 0.5 + level / 2.0) * np.sqrt(spread)
    centre = y[known] - kept * off
    result[:, 1:4] = mean, tau2, _i2(y[known], variance)
    result[known, 4:] = np.column_stack([centre, np.sqrt(spread), centre - width, centre + width])
    return result


def paule_mandel(y: Array, variance: Array) -> float:
    """Return the variance of what ``y`` estimate, given the estimates' own variances; both of shape [estimate]."""
    tau2 = 0.0
    for _ in range(200):
        total = variance + tau2
        off = y - _mean(y, total)
        excess = float((off**2 / total).sum()) - (len(y) - 1)
        # Newton's steps on a convex, falling function: from 0 they never overshoot.
        step = excess / float((off**2 / total**2).sum()) if excess > 0.0 else 0.0
        tau2 += step
        if step <= 1e-12 * tau2:
            break
    return tau2


def _mean(y: Array, variance: Array) -> float:
    """Return the precision-weighted mean."""
    return float((y / variance).sum() / (1.0 / variance).sum())


def _i2(y: Array, variance: Array) -> float:
    """Return I² as a share."""
    q = float(((y - _mean(y, variance)) ** 2 / variance).sum())
    return max(0.0, (q - (len(y) - 1)) / q) if q > 0.0 else 0.0
