"""Disjoint halves of the replicates.

Two means that share replicates agree by their noise alone. So agreement is measured between halves that share none,
averaged over the ways to halve. See protocols.md §6.
"""

import itertools
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.bool_]

SPLITS: Final = 200
"""Ways to halve that are tried at most; more are drawn at random."""


def halves(replicates: int, rng: np.random.Generator, most: int = SPLITS) -> tuple[Halves, Halves]:
    """Return ways to choose two disjoint halves of equal size, one replicate left over where the number is odd.

    Parameters
    ----------
    replicates
        Their number.
    rng
        Draws the halves where there are more than ``most`` ways; not used otherwise.
    most
        Number of ways at most.

    Returns
    -------
    first, second
        Shapes [split, replicate], true for the members; no split for fewer than two replicates. A pair of halves
        comes once, in one order.
    """
    size = replicates // 2
    ways = math.comb(replicates, size) * math.comb(replicates - size, size) // 2
    splits = (
        _every(replicates, size) if ways <= most else [rng.permutation(replicates)[: 2 * size] for _ in range(most)]
    )
    first, second = np.zeros((2, len(splits), replicates), dtype=bool)
    for place, members in enumerate(splits):
        first[place, members[:size]] = True
        second[place, members[size:]] = True
    return first, second


def _every(replicates: int, size: int) -> list[NDArray[np.intp]]:
    """Return every split as the members of the first half followed by those of the second."""
    everybody = range(replicates)
    return [
        np.array([*first, *second], dtype=np.intp)
        for first in itertools.combinations(everybody, size)
        for second in itertools.combinations([r for r in everybody if r not in first], size)
        if first < second
    ]


def half_means(values: NDArray[np.float64], half: Halves) -> NDArray[np.float64]:
    """Return the means over each half's replicates that are there; NaN where none is.

    Parameters
    ----------
    values
        Shape [entry, replicate].
    half
        Shape [split, replicate].

    Returns
    -------
    ndarray
        Shape [split, entry].
    """
    there = np.isfinite(values)
    chosen = half.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: NDArray[np.float64] = (chosen @ np.where(there, values, 0.0).T) / (chosen @ there.T)
    return means
