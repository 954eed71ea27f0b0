"""Means over pairs or triples of languages, and how far other languages would have moved them.

A language stands in many pairs, so pairs are not independent, and their number says nothing about how sure a mean is.
What varies is the language: one at a time is left out with all that it stands in.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.scales import Scale
from xltransfer.analysis.student import t_intervals

Array = NDArray[np.float64]

LEAST: Final = 3
"""Languages that can be left out; with fewer there is no variance."""


@dataclass(frozen=True)
class Jackknifed:
    """Means over cells, with the variance that other languages would give them.

    Attributes
    ----------
    mean, variance
        Shape [value]; NaN for no cells, and where ``why`` gives a reason.
    languages
        How many languages there are.
    df
        Degrees of freedom: one less than languages left out.
    why
        Why there is no variance; empty where there is one.
    """

    mean: Array
    variance: Array
    languages: int
    df: int
    why: str

    def intervals(self, scale: Scale, level: float) -> pd.DataFrame:
        """Return `student.INTERVAL` for every mean."""
        size = len(self.mean)
        why = np.full(size, self.why, dtype=object)
        return t_intervals(self.mean, self.variance, np.full(size, float(self.df)), why, scale, "new_targets", level)


def over_languages(values: Array, languages: Sequence[Collection[str]]) -> Jackknifed:
    """Return the means of values over cells, and their variance by leaving out one language at a time.

    Parameters
    ----------
    values
        Shape [cell, value], without NaN.
    languages
        Shape [cell]: the languages of each cell, in any order. One that stands in every cell is held fixed.

    Notes
    -----
    With c₋ₗ the mean over the cells without l, the variance is (L − 1)/L · Σ (c₋ₗ − mean)².

    References
    ----------
    Arvesen 1969 (jackknife of statistics over pairs); Snijders and Borgatti 1999.
    """
    known = sorted(frozenset().union(*languages))
    held = np.array([[code in each for code in known] for each in languages], dtype=np.float64)
    held = held.reshape(len(languages), len(known))
    drawn = held[:, ~held.all(axis=0)]
    count = drawn.shape[1]
    mean: Array = values.mean(axis=0) if len(values) else np.full(values.shape[1], np.nan)
    if count < LEAST:
        nothing = np.full(values.shape[1], np.nan)
        return Jackknifed(mean, nothing, len(known), max(count - 1, 0), f"fewer than {LEAST} languages to leave out")
    without = (values.sum(axis=0) - drawn.T @ values) / (len(values) - drawn.sum(axis=0))[:, None]
    variance = (count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return Jackknifed(mean, variance, len(known), count - 1, "")
