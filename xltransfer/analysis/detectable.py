"""How small a change a test set can show at all: assumed before a run from its size, measured after it.

See protocols.md §6. Both are the effect that a two-sided 5 % test finds with 80 % power, 2.8 standard errors.
"""

from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from xltransfer.analysis.frames import CELL, TARGET, require_one_of
from xltransfer.analysis.interval_statistics import Statistics
from xltransfer.analysis.intervals import cell_intervals
from xltransfer.analysis.metric_names import is_percent

_POWER: Final = 2.8
"""1.96 + 0.84: standard errors from 0 to an effect that is significant at 5 % with 80 % power."""

_STUDY: Final = ["base", "setting", "metric", "steps"]


def smallest_detectable_effect(
    n: ArrayLike, score: ArrayLike = 0.6, discordant: ArrayLike = 0.03, design_effect: ArrayLike = 2.0
) -> NDArray[np.float64]:
    """Return the smallest |ts| that a two-sided 5 % test finds with 80 % power.

    ``2.8 · 100 · sqrt(design_effect · discordant / n) / score``; 2.8 = 1.96 + 0.84.

    Parameters
    ----------
    n
        Number of decisions in the test set (words, pairs), at least 0.
    score
        Baseline score as a share, 0 to 1.
    discordant
        Share of decisions on which nudged and untouched model differ, 0 to 1.
    design_effect
        Factor by which decisions that share a sentence or document inflate the variance, positive.

    Returns
    -------
    ndarray
        Percent, as ts; broadcast over the arguments. NaN where ``n`` or ``score`` is 0.

    Raises
    ------
    ValueError
        An argument lies outside its range; a score in percent is the usual cause.

    References
    ----------
    McNemar's paired comparison of two proportions, linearised; protocols.md §6.
    """
    size, base, differing, effect = (
        np.asarray(value, dtype=np.float64) for value in (n, score, discordant, design_effect)
    )
    _within("n", size, 0.0, np.inf)
    _within("score", base, 0.0, 1.0)
    _within("discordant", differing, 0.0, 1.0)
    _within("design_effect", effect, np.nextafter(0.0, 1.0), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = _POWER * 100.0 * np.sqrt(effect * differing / size) / base
    defined = (size > 0) & (base > 0)
    result: NDArray[Any] = np.where(defined, percent, np.nan)
    return result


def smallest_detectable_nll_effect(
    n: ArrayLike, spread: ArrayLike = 1.0, correlation: ArrayLike = 0.99, design_effect: ArrayLike = 2.0
) -> NDArray[np.float64]:
    """Return the smallest |ts| of a mean negative log-likelihood that a two-sided 5 % test finds with 80 % power.

    ``2.8 · 100 · spread · sqrt(design_effect · 2 (1 − correlation) / n)``; the level of the nll drops out.

    Parameters
    ----------
    n
        Number of words (masked positions) of the test set, at least 0.
    spread
        Standard deviation of a word's nll over its mean. 1 is that of an exponential distribution: most words are
        easy, a few are very hard.
    correlation
        Between the nll of a word under the nudged and under the untouched model, -1 to 1. That of sentences, in the
        study that ``xltransfer demo`` runs, is above 0.97 for taggers and parsers at k = 1 and 10, and 0.90 to 0.99 for
        masked words.
    design_effect
        Factor by which words that share a sentence or document inflate the variance, positive.

    Returns
    -------
    ndarray
        Percent, as ts; broadcast over the arguments. NaN where ``n`` is 0.

    Raises
    ------
    ValueError
        An argument lies outside its range.

    References
    ----------
    Paired comparison of two means: the variance of a difference is 2 (1 − correlation) that of one; protocols.md §6.
    """
    size, relative, paired, effect = (
        np.asarray(value, dtype=np.float64) for value in (n, spread, correlation, design_effect)
    )
    _within("n", size, 0.0, np.inf)
    _within("spread", relative, 0.0, np.inf)
    _within("correlation", paired, -1.0, 1.0)
    _within("design_effect", effect, np.nextafter(0.0, 1.0), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = _POWER * 100.0 * relative * np.sqrt(effect * 2.0 * (1.0 - paired) / size)
    result: NDArray[Any] = np.where(size > 0, percent, np.nan)
    return result


def measured_detectable_effect(statistics: Statistics, by: Literal["cell", "target"] = "target") -> pd.DataFrame:
    """Return the smallest |ts| that the test sets of a run can show, as measured in it, beside what was assumed.

    Parameters
    ----------
    statistics
        What :func:`.interval_statistics` gives.
    by
        ``cell``: a row per cell. ``target``: a row per base, setting, metric, steps, task, dataset, target, the median
        over transfer entries and adapter seeds.

    Returns
    -------
    DataFrame
        The keys; for targets n_cells (cells with a standard error); words; decisions (what the metric divides by; for
        F1 the mean of gold and predicted spans); reference (metric's unit); measured and assumed (percent, as ts).
        ``measured`` is 2.8 standard errors of the interval for new sentences, so it holds the replicates of the run;
        ``assumed`` is :func:`smallest_detectable_effect` at the measured baseline or, for nll,
        :func:`smallest_detectable_nll_effect`, both with their defaults, and holds the items alone. NaN where a cell
        has no interval.

    Raises
    ------
    ValueError
        ``by`` is unknown.
    """
    require_one_of(by, ("cell", "target"), "by")
    cells = statistics.cells
    table = cells[[*CELL, "words", "decisions", "reference"]].assign(
        measured=_POWER * cell_intervals(statistics)["se"], assumed=_assumed(cells)
    )
    if by == "cell":
        return table
    grouped = table.groupby([*_STUDY, *TARGET], observed=True, dropna=False)
    medians = grouped[["words", "decisions", "reference", "measured", "assumed"]].median()
    medians.insert(0, "n_cells", grouped["measured"].count())
    return medians.reset_index()


def _assumed(cells: pd.DataFrame) -> NDArray[np.float64]:
    """Return what the size of each cell's test set promised, in percent."""
    percent = cells["metric"].map({name: is_percent(name) for name in cells["metric"].unique()}).to_numpy(dtype=bool)
    decisions = cells["decisions"].to_numpy(dtype=np.float64)
    share = np.where(percent, cells["reference"].to_numpy(dtype=np.float64) / 100.0, 1.0)
    return np.where(percent, smallest_detectable_effect(decisions, share), smallest_detectable_nll_effect(decisions))


def _within(name: str, value: NDArray[np.float64], low: float, high: float) -> None:
    """Raise ``ValueError`` for a value outside its range; NaN passes, and gives NaN."""
    outside = (value < low) | (value > high)
    if outside.any():
        first = float(np.atleast_1d(value)[np.atleast_1d(outside)][0])
        raise ValueError(f"{name}={first:g} is outside {low:.3g} to {high:g}; shares are written 0.6, not 60")
