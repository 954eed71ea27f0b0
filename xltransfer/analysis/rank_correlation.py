"""Spearman correlation over transfer entries, averaged over several versions of the same two rankings.

The versions are disjoint halves of the replicates, or one. Interval and test take transfer entries as the independent
units: the interval leaves out one at a time, the test permutes them. See protocols.md §6.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Array = NDArray[np.float64]

PERMUTATIONS: Final = 9999


@dataclass(frozen=True)
class RankCorrelation:
    """A mean Spearman correlation.

    Attributes
    ----------
    rho
        Mean over the versions; NaN where fewer than three entries are in both, or one side is constant.
    se, df, low, high
        Jackknife over entries; the interval is made on Fisher's z and so stays within −1 to 1. NaN below four entries,
        and where leaving out an entry changes nothing or leaves a constant.
    p
        Two-sided, share of permutations of the entries of one side with a |rho| at least as large; with several
        versions a studentised |rho|.
    n_entries
        Entries in both.
    """

    rho: float
    se: float
    df: float
    low: float
    high: float
    p: float
    n_entries: int

    def columns(self) -> dict[str, Any]:
        """Return n_transfers, estimate, se, df, low, high, p and why there is no interval."""
        why = "fewer than three transfer entries" if self.n_entries < 3 else "nothing varies"
        return {
            "n_transfers": self.n_entries,
            "estimate": self.rho,
            "se": self.se,
            "df": self.df,
            "low": self.low,
            "high": self.high,
            "p": self.p,
            "why": "" if math.isfinite(self.low) else why,
        }


def rank_correlation(
    x: Array,
    y: Array,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    permutations: int = PERMUTATIONS,
) -> RankCorrelation:
    """Correlate two sides by ranks within each version and average.

    Parameters
    ----------
    x, y
        Shape [version, entry]. An entry that is NaN in any version takes part in none.
    rng
        Draws the permutations; not used where all of them can be tried.
    level
        Of the interval.
    permutations
        Number of draws; if there are at most that many permutations, all are tried instead.

    Notes
    -----
    rho is a sum over entries of the mean product of their two standardised ranks. p permutes the entries of ``y``, all
    versions alike. With several versions that sum is divided by the spread of its terms: versions that share
    replicates (the one's first half is the other's second) repeat their noise where entries are as observed, but not
    where they are permuted, so that the plain sum varies less then and rejects up to 9 % of true hypotheses instead of
    5. The price is power where a handful of entries agree perfectly.

    The jackknife's standard error is carried to z = artanh(rho) by its slope, 1/(1 − rho²): on the scale of rho the
    interval covers 90 % with eight entries, on that of z 96 %.

    References
    ----------
    Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, ch. 11 (jackknife); DiCiccio and Romano, "Robust
    permutation tests for correlation and regression coefficients", JASA 2017.
    """
    both = np.isfinite(x).all(axis=0) & np.isfinite(y).all(axis=0)
    x, y = x[:, both], y[:, both]
    n = int(both.sum())
    if n < 3 or not len(x):
        return _unknown(n)
    u, v = standardised(mid_ranks(x)), standardised(mid_ranks(y))
    rho = float((u * v).sum(axis=1).mean())
    if math.isnan(rho):
        return _unknown(n)
    p = _permuted(u.T @ v / len(u), _size if len(u) == 1 else _studentised, rng, permutations)
    se, low, high = _jackknife(x, y, rho, level)
    return RankCorrelation(rho, se, math.nan if math.isnan(se) else n - 1.0, low, high, p, n)


def _unknown(entries: int) -> RankCorrelation:
    """Return a correlation that does not exist."""
    return RankCorrelation(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, entries)


def mid_ranks(values: Array) -> Array:
    """Return ranks from 1 along the last axis, ties sharing their mean rank."""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    size = values.shape[-1]
    place = np.broadcast_to(np.arange(size), values.shape)
    new = np.ones(values.shape, dtype=bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    ends = np.ones(values.shape, dtype=bool)
    ends[..., :-1] = new[..., 1:]
    last = np.minimum.accumulate(np.where(ends, place, size)[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2.0 + 1.0, axis=-1)
    return ranks


def standardised(values: Array) -> Array:
    """Return ``values`` with mean 0 and length 1 along the last axis; NaN where they are constant."""
    off = values - values.mean(axis=-1, keepdims=True)
    length = np.sqrt((off**2).sum(axis=-1, keepdims=True))
    least = 1e-12 * np.abs(values).max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit: Array = np.where(length > least, off / length, np.nan)
    return unit


def correlations(x: Array, y: Array) -> Array:
    """Return Pearson's r along the last axis; NaN where one side is constant."""
    r: Array = (standardised(x) * standardised(y)).sum(axis=-1)
    return r


def _permuted(
    products: Array, statistic: Callable[[Array], Array], rng: np.random.Generator, permutations: int
) -> float:
    """Return p; ``products`` [entry, entry] holds the mean product of each entry of one side with each of the other."""
    n = len(products)
    exact = math.factorial(n) <= permutations
    if exact:
        orders = np.array(list(itertools.permutations(range(n))), dtype=np.intp)
    else:
        orders = rng.permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)
    observed = statistic(products.diagonal()[None])[0]
    # The smallest margin keeps an order that only swaps ties as extreme as the observed one.
    extreme = int((statistic(products[np.arange(n), orders]) >= observed * (1.0 - 1e-9)).sum())
    return extreme / len(orders) if exact else (extreme + 1) / (len(orders) + 1)


def _size(terms: Array) -> Array:
    """Return |sum| along the last axis."""
    size: Array = np.abs(terms.sum(axis=-1))
    return size


def _studentised(terms: Array) -> Array:
    """Return |sum|/√(sum of squares around the mean) along the last axis; infinite where all terms agree."""
    off = terms - terms.mean(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        t: Array = np.abs(terms.sum(axis=-1)) / np.sqrt((off**2).sum(axis=-1))
    return t


def _jackknife(x: Array, y: Array, rho: float, level: float) -> tuple[float, float, float]:
    """Return standard error and bounds from leaving out one entry at a time."""
    n = x.shape[1]
    if n < 4:
        return math.nan, math.nan, math.nan
    others = np.array([[other for other in range(n) if other != left_out] for left_out in range(n)])
    sums = np.zeros(n)
    # One version at a time: all at once would be version × entry × entry numbers.
    for one, other in zip(x, y, strict=True):
        sums += correlations(mid_ranks(one[others]), mid_ranks(other[others]))
    without = sums / len(x)
    if np.isnan(without).any():
        return math.nan, math.nan, math.nan
    se = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    if se <= 1e-12:
        return math.nan, math.nan, math.nan
    centre, width = math.atanh(rho), float(stdtrit(n - 1, 0.5 + level / 2.0)) * se / (1.0 - rho**2)
    return se, math.tanh(centre - width), math.tanh(centre + width)
