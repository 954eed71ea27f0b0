"""How alike two sets of vectors are, item by item, so that every measure of alignment is a mean over items. No torch.

The values of an item are such that their mean is the measure and the variance of that mean is the measure's own: for
plain means the terms themselves, for the others what the jackknife makes of them, theta + (n - 1) · (mean of theta_-j -
theta_-i). So one rule gives every interval, also of the difference of two states on the same items. Undefined is NaN.
"""

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

FEWEST: Final = 5
"""Items below which debiased CKA has no jackknife: leaving one out must leave four."""

_STILL: Final = 1e-6  # share of the vectors' size below which their differences are rounding of float32
_TIE: Final = 1e-9  # cosines that differ by less are equal


class Side:
    """The vectors of one side of a comparison, with what several comparisons need of them.

    Parameters
    ----------
    vectors
        [item, dimension], finite.

    Raises
    ------
    ValueError
        The array has another shape, or holds a value that is not finite.
    """

    def __init__(self, vectors: ArrayLike) -> None:
        self.vectors: Array = np.asarray(vectors, dtype=np.float64)
        if self.vectors.ndim != 2:
            raise ValueError(f"vectors has shape {list(self.vectors.shape)}; expected [item, dimension]")
        if not np.isfinite(self.vectors).all():
            raise ValueError("vectors holds values that are not finite; leave out the items that have no vector")

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def unit(self) -> Array:
        """Vectors of length 1, [item, dimension]; NaN where a vector is 0."""
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return np.asarray(self.vectors / np.where(lengths > 0, lengths, np.nan))

    @cached_property
    def gram(self) -> Array:
        """Inner products [item, item] of the centred vectors, 0 on the diagonal; all 0 where nothing varies."""
        centred = self.vectors - self.vectors.mean(axis=0)
        if np.abs(centred).max(initial=0.0) <= _STILL * np.abs(self.vectors).max(initial=0.0):
            centred = np.zeros_like(centred)
        gram: Array = centred @ centred.T
        np.fill_diagonal(gram, 0.0)
        return gram

    @cached_property
    def own(self) -> tuple[float, Array]:
        """The side's HSIC with itself, and without each item."""
        return _hsic(self.gram, self.gram)

    def reordered(self, order: NDArray[np.integer]) -> "Side":
        """Return the side with its items in another order; the gram matrix is not computed again."""
        moved = Side(self.vectors[order])
        moved.unit, moved.gram = self.unit[order], self.gram[np.ix_(order, order)]
        whole, without = self.own
        moved.own = whole, without[order]
        return moved


def cosines(x: Side, y: Side) -> Array:
    """Return the cosine of item i of one side with item i of the other, [item].

    Raises
    ------
    ValueError
        The sides have different numbers of items (as in every measure of matched items).
    """
    _check_matched(x, y)
    return np.asarray((x.unit * y.unit).sum(axis=1))


def cka(x: Side, y: Side) -> Array:
    """Return debiased linear CKA as values [item] whose mean it is.

    HSIC(x, y) / √(HSIC(x, x) · HSIC(y, y)) with the unbiased HSIC of linear kernels, which is 0 on average for
    independent sides, however many dimensions they have. NaN below `FEWEST` items and where a side does not vary.

    References
    ----------
    Song et al. 2012, eq. 5 (unbiased HSIC); Kornblith et al. 2019 (linear CKA); Nguyen et al. 2021 (its debiased form).
    """
    _check_matched(x, y)
    if len(x) < FEWEST:
        return np.full(len(x), np.nan)
    whole, without = _hsic(x.gram, y.gram)
    (own_x, left_x), (own_y, left_y) = x.own, y.own
    theta = _ratio(np.array([whole]), np.array([own_x]), np.array([own_y]))[0]
    return influences(float(theta), _ratio(without, left_x, left_y))


def retrieval(x: Side, y: Side) -> Array:
    """Return whether each item finds its own partner by cosine, [item], the mean of both directions.

    The pool is fixed: all items of the other side. Items are queries, and the mean over them is the accuracy. A partner
    that shares the largest cosine with n others counts 1/(n + 1).
    """
    _check_matched(x, y)
    similar: Array = x.unit @ y.unit.T
    return (_found(similar) + _found(similar.T)) / 2.0


def all_pairs(x: Side, y: Side) -> tuple[Array, Array]:
    """Return the mean cosine over all pairs of an item of one side with one of the other, for unmatched items.

    Returns
    -------
    Values of the items of each side. The mean over all of them together is the measure, and its variance that of a mean
    over two independent samples, s²(x)/n + s²(y)/m, see tlr2023 section 5 (500 examples a side).
    """
    mean_x, mean_y = x.unit.mean(axis=0), y.unit.mean(axis=0)
    theta, total = float(mean_x @ mean_y), len(x) + len(y)
    of_x, of_y = x.unit @ mean_y, y.unit @ mean_x
    return theta + total / len(x) * (of_x - theta), theta + total / len(y) * (of_y - theta)


def influences(theta: float, without: Array) -> Array:
    """Return the values [item] whose mean is ``theta`` and whose variance/n is the jackknife's variance.

    Parameters
    ----------
    theta
        The statistic of all items.
    without
        The statistic without each item, [item].
    """
    return np.asarray(theta + (len(without) - 1) * (without.mean() - without))


def partners(clusters: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.intp] | None:
    """Return a random order in which no item stands at the place of one of its own cluster.

    Parameters
    ----------
    clusters
        Number of each item's cluster (a premise, a document), [item].
    rng
        Draws the order.

    Returns
    -------
    [item]: whom each item is paired with; None where one cluster holds more than half of the items, so that there is no
    such order of this kind.
    """
    _, dense, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    half = len(dense) // 2
    if len(dense) < 2 or sizes.max() > half:
        return None
    # Clusters side by side in random order; half way round the circle is outside of every cluster.
    order = np.lexsort((rng.permutation(len(dense)), rng.permutation(len(sizes))[dense]))
    partner = np.empty(len(dense), dtype=np.intp)
    partner[order] = np.roll(order, half)
    return partner


def _check_matched(x: Side, y: Side) -> None:
    if len(x) != len(y):
        raise ValueError(f"the sides have {len(x)} and {len(y)} items; matched measures need the same items on both")


def _found(similar: Array) -> Array:
    """Return for each row of [query, pool] the share of its own partner among the most similar; NaN where undefined."""
    own, best = np.diag(similar), np.fmax.reduce(similar, axis=1)
    ties = (similar >= best[:, None] - _TIE).sum(axis=1)
    return np.where(np.isnan(own), np.nan, np.where(own >= best - _TIE, 1.0 / np.maximum(ties, 1), 0.0))


def _hsic(k: Array, l: Array) -> tuple[float, Array]:  # noqa: E741
    """Return the unbiased HSIC of two gram matrices with empty diagonals, and that without each item."""
    n = len(k)
    products, of_k, of_l = (k * l).sum(axis=1), k.sum(axis=1), l.sum(axis=1)
    total_k, total_l, cross = of_k.sum(), of_l.sum(), of_k @ of_l
    whole = _unbiased(n, products.sum(), total_k * total_l, cross)
    left = cross - l @ of_k - k @ of_l + products - of_k * of_l
    without = _unbiased(n - 1, products.sum() - 2 * products, (total_k - 2 * of_k) * (total_l - 2 * of_l), left)
    return float(whole), np.asarray(without)


def _unbiased(n: int, trace: Array, totals: Array, cross: Array) -> Array:
    """Return Song et al.'s eq. 5 of its three sums over ``n`` items; NaN below four."""
    if n < 4:
        return np.full_like(trace, np.nan)
    return np.asarray((trace + totals / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)) / (n * (n - 3)))


def _ratio(both: Array, own_x: Array, own_y: Array) -> Array:
    """Return HSICs over the geometric mean of the sides' own; NaN where a side does not vary."""
    varies = (own_x > 0) & (own_y > 0)
    return np.asarray(both / np.sqrt(np.where(varies, own_x * own_y, np.nan)))
