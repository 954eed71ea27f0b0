"""Alignment of two languages layer by layer from the vectors of their texts, with intervals.

Every measure is a mean over items whose values are such that its variance is that of this mean (see
`xltransfer.alignment`): for CKA that is the jackknife over pairs, for retrieval resampling queries against a fixed
pool. Items of one cluster (a premise) are kept together. Permuted partners tell what a number owes to the narrow cone
that vectors of such models lie in (anisotropy), not to the texts. See protocols.md section 4, tlr2023 Figure 3.
"""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from xltransfer.alignment import Array, Side, all_pairs, cka, cosines, partners, retrieval
from xltransfer.analysis.crossed import crossed_df, crossed_variance

INTERVAL: Final = ["estimate", "se", "df", "low", "high", "level", "n_items", "n_clusters", "n_replicates", "why"]
"""Columns behind the keys of every frame of this file."""
RANGES: Final = {"cosine": (-1.0, 1.0), "cka": (-1.0, 1.0), "retrieval": (0.0, 100.0), "all_pairs": (-1.0, 1.0)}
"""Measure to its lowest and highest value."""

_MATCHED: Final = ("cosine", "cka", "retrieval")
_STILL: Final = 1e-12


def alignment(
    x: ArrayLike, y: ArrayLike, clusters: ArrayLike | None = None, *, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Measure how two sets of vectors of matched items are aligned.

    Parameters
    ----------
    x, y
        [item, dimension] or [layer, item, dimension], finite; item i of one is the translation of item i of the other.
    clusters
        [item]: what is independent of other clusters, such as the premise; None: every item by itself.
    seed
        Draws the permuted partners, the same for all layers.
    level
        Of the interval.

    Returns
    -------
    DataFrame
        A row per layer and measure: layer (from 0), measure (cosine; cka, debiased and linear; retrieval, percent,
        mean of both directions), permuted (whether items were paired with those of others), then `INTERVAL`.
        Undefined is NaN, with the reason in ``why``; an interval never leaves the range of its measure.

    Raises
    ------
    ValueError
        The shapes differ or are others than these, a value is not finite, ``clusters`` has another length, or ``level``
        is not between 0 and 1.
    """
    first, second = (np.asarray(side, dtype=np.float64) for side in (x, y))
    if first.ndim == 2:
        first, second = first[None], second[None]
    if first.ndim != 3 or second.ndim != 3 or first.shape[:2] != second.shape[:2]:
        raise ValueError(
            f"x has shape {list(np.shape(x))} and y {list(np.shape(y))}; expected [item, dimension] or [layer, item, "
            "dimension] with the same layers and items"
        )
    codes = _codes(np.arange(first.shape[1]) if clusters is None else np.asarray(clusters), first.shape[1])
    partner = partners(codes, np.random.default_rng(seed))
    rows = []
    for layer, (one, other) in enumerate(zip(first, second, strict=True)):
        sides = Side(one), Side(other)
        pairings = [(False, sides[1]), (True, None if partner is None else sides[1].reordered(partner))]
        for permuted, matched in pairings:
            for measure, values in _measures(sides[0], matched).items():
                key = {"layer": layer, "measure": measure, "permuted": permuted}
                found = interval(_percent(measure, values)[None, :], codes, level)
                rows.append(key | clipped(found, *RANGES[measure]))
    return pd.DataFrame(rows, columns=["layer", "measure", "permuted", *INTERVAL])


def unmatched_alignment(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> dict[str, Any]:
    """Return the mean cosine over all pairs of unmatched vectors, as tlr2023 has it, with its interval.

    Parameters
    ----------
    x, y
        [item, dimension] each, finite; the numbers of items may differ. The paper takes 500 a side.
    level
        Of the interval.

    Returns
    -------
    The columns of `INTERVAL`; n_items are those of both sides together.
    """
    values = np.concatenate(all_pairs(Side(x), Side(y)))
    return clipped(interval(values[None, :], np.arange(len(values)), level), *RANGES["cosine"])


def interval(values: Array, clusters: NDArray[np.integer], level: float) -> dict[str, Any]:
    """Return the mean of values with its interval, replicates and clusters being crossed.

    Parameters
    ----------
    values
        [replicate, item].
    clusters
        [item]: number of each item's cluster.
    level
        Between 0 and 1.

    Returns
    -------
    The columns of `INTERVAL`. With one replicate only clusters vary; with several, both do (`crossed`). There is no
    interval where the mean is undefined, where there is one cluster, and where nothing varies.

    Raises
    ------
    ValueError
        ``level`` is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level} is not between 0 and 1; write 0.95 for 95 %")
    replicates, items = values.shape
    codes, sizes = np.unique(clusters, return_inverse=True)[1], len(np.unique(clusters))
    estimate = float(values.mean()) if values.size else np.nan
    row: dict[str, Any] = dict.fromkeys(INTERVAL, np.nan) | {"estimate": estimate, "level": level, "why": ""}
    row |= {"n_items": items, "n_clusters": sizes, "n_replicates": replicates}
    if np.isnan(estimate):
        return row | {"why": "undefined"}
    if sizes < 2:
        return row | {"why": "fewer than two texts that are independent"}
    variance, df = _variance(values - estimate, codes, sizes)
    if not variance > _STILL**2:
        return row | {"why": "nothing varies"}
    se = float(np.sqrt(variance))
    half = se * float(stdtrit(df, 0.5 + level / 2.0))
    return row | {"se": se, "df": df, "low": estimate - half, "high": estimate + half}


def _variance(rest: Array, codes: NDArray[np.integer], n_clusters: int) -> tuple[float, float]:
    """Return the variance of the mean and its degrees of freedom from residuals [replicate, item]."""
    replicates, items = rest.shape
    # Scaled so that the plain mean over clusters is the mean over items, whatever the clusters' sizes.
    table = np.stack([np.bincount(codes, weights=row, minlength=n_clusters) for row in rest]) * n_clusters / items
    of_cluster, of_replicate = table.mean(axis=0), table.mean(axis=1)
    item = float((of_cluster**2).sum() / (n_clusters - 1) / n_clusters)
    if replicates == 1:
        return item, float(n_clusters - 1)
    replicate = float((of_replicate**2).sum() / (replicates - 1) / replicates)
    left = table - of_cluster[None, :] - of_replicate[:, None]
    df = float((replicates - 1) * (n_clusters - 1))
    both = float((left**2).sum() / df / table.size)
    parts = [np.array([part]) for part in (replicate, item, both)]
    freedom = [np.array([count]) for count in (replicates - 1.0, n_clusters - 1.0, df)]
    return float(crossed_variance(*parts)[0]), float(crossed_df(*parts, *freedom)[0])


def clipped(row: dict[str, Any], lowest: float, highest: float) -> dict[str, Any]:
    """Return a row of `INTERVAL` with its bounds inside the range of the measure."""
    return row | {"low": max(row["low"], lowest), "high": min(row["high"], highest)}


def _measures(first: Side, second: Side | None) -> dict[str, Array]:
    if second is None:
        return dict.fromkeys(_MATCHED, np.full(len(first), np.nan))
    return dict(zip(_MATCHED, (cosines(first, second), cka(first, second), retrieval(first, second)), strict=True))


def _percent(measure: str, values: Array) -> Array:
    return 100.0 * values if measure == "retrieval" else values


def _codes(clusters: NDArray[Any], items: int) -> NDArray[np.intp]:
    if clusters.shape != (items,):
        raise ValueError(f"clusters has shape {list(clusters.shape)}; expected one number an item, [{items}]")
    return np.unique(clusters, return_inverse=True)[1]
