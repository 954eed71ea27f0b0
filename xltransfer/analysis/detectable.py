"""How small a change a test set of a given size can show at all, before anything is run.

See protocols.md §6. The measured version, after a run, needs the items and lives elsewhere.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
        percent = 2.8 * 100.0 * np.sqrt(effect * differing / size) / base
    defined = (size > 0) & (base > 0)
    result: NDArray[Any] = np.where(defined, percent, np.nan)
    return result


def _within(name: str, value: NDArray[np.float64], low: float, high: float) -> None:
    """Raise ``ValueError`` for a value outside its range; NaN passes, and gives NaN."""
    outside = (value < low) | (value > high)
    if outside.any():
        first = float(np.atleast_1d(value)[np.atleast_1d(outside)][0])
        raise ValueError(f"{name}={first:g} is outside {low:.3g} to {high:g}; shares are written 0.6, not 60")
