"""Rank correlation between transfer scores and a distance, with languages as the independent units.

The cells of a matrix are not independent: a language stands in a whole row or column. So the test permutes languages,
not cells (Mantel, QAP), and the interval leaves out one language at a time. Self-pairs never take part: a language's
distance to itself is 0 and its transfer to itself is another question. See protocols.md §6.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

Matrix = NDArray[np.float64]
Order = NDArray[np.intp]

_CHUNK: Final = 2_000_000
"""Cells per block of permuted matrices: 16 MB."""


@dataclass(frozen=True)
class Mantel:
    """A rank correlation of two matrices.

    Attributes
    ----------
    rho
        Spearman's rho over the pairs finite in both matrices, self-pairs left out; NaN where one of them is constant.
    p
        Two-sided, share of permutations of languages with a |rho| at least as large.
    n_pairs
        Number of pairs.
    low, high
        95 % jackknife interval over languages, within −1 to 1.
    n_permutations
        Permutations behind ``p``: all there are where ``exact``, else the drawn ones.
    exact
        Whether every permutation was tried.
    """

    rho: float
    p: float
    n_pairs: int
    low: float
    high: float
    n_permutations: int
    exact: bool


def mantel(
    x: pd.DataFrame | Matrix,
    y: pd.DataFrame | Matrix,
    *,
    rng: np.random.Generator,
    permutations: int = 9999,
    centred: bool = False,
) -> Mantel:
    """Correlate two transfer × target matrices by ranks and test it by permuting languages.

    Parameters
    ----------
    x
        Transfer scores, rows × columns, NaN where not measured.
    y
        Distances. As a frame it must have every row and column label of ``x`` and is put in its order; as an array it
        has the same shape.
    rng
        Draws the permutations. Not used where all of them can be tried.
    permutations
        Number of draws; if there are at most that many permutations, all are tried instead.
    centred
        Take row and column effects out of ``x`` first (additive fit to the finite pairs without self-pairs): a
        language that helps everybody, or a target that everybody helps, then no longer counts.

    Returns
    -------
    Mantel

    Raises
    ------
    ValueError
        Shapes differ, labels are missing or twice, one matrix is labelled and the other not, or ``permutations`` is
        below 1.

    Notes
    -----
    Square (frames: same languages as rows and columns; arrays: square shape): rows and columns are permuted jointly.
    Otherwise apart, each over its own languages. Self-pairs are the cells with equal labels, in square arrays the
    diagonal. Cells that are missing move with their language in the permuted matrix, and both masks apply.
    Permuted statistics use the ranks of the observed pairs; without missing cells that is Spearman's rho exactly.

    The jackknife leaves out a language as row and as column at once, and centres anew what is left. Its variance,
    (L − 1)/L · Σ (rho_−l − mean)², is about twice that of Snijders and Borgatti, who count only the pair-level part,
    and so errs on the wide side.

    References
    ----------
    Mantel 1967; Krackhardt 1988 (QAP); Dekker, Krackhardt and Snijders 2007; Snijders and Borgatti 1999 (jackknife).
    """
    if permutations < 1:
        raise ValueError(f"permutations={permutations} draws nothing; expected at least 1, such as 9999")
    rows, columns, first, second = _aligned(x, y)
    own = rows[:, None] == columns[None, :]
    together = np.isfinite(first) & np.isfinite(second) & ~own
    joint = len(rows) == len(columns) and set(rows.tolist()) == set(columns.tolist())
    scores = doubly_centred(np.where(together, first, np.nan)) if centred else first
    codes = _codes(scores[together]), _codes(second[together])
    rho = _spearman(*codes)
    if math.isnan(rho):
        return Mantel(rho, math.nan, int(together.sum()), math.nan, math.nan, 0, False)
    total = math.factorial(len(rows)) * (1 if joint else math.factorial(len(columns)))
    exact = total <= permutations
    orders = (
        every_order(len(rows), len(columns), joint)
        if exact
        else drawn_orders(len(rows), len(columns), joint, permutations, rng)
    )
    left, right = (_centred_ranks(each, together) for each in codes)
    extreme, tried = count_extreme(left, right, together, orders, abs(rho))
    p = extreme / tried if exact else (extreme + 1) / (tried + 1)
    low, high = _jackknife(first, second, together, rows, columns, rho, centred)
    return Mantel(rho, p, int(together.sum()), low, high, tried, exact)


def _aligned(
    x: pd.DataFrame | Matrix, y: pd.DataFrame | Matrix
) -> tuple[NDArray[np.object_], NDArray[np.object_], Matrix, Matrix]:
    """Return row labels, column labels and both matrices in one order, columns in row order where they are the same."""
    if isinstance(x, pd.DataFrame) and isinstance(y, pd.DataFrame):
        return _aligned_frames(x, y)
    if isinstance(x, pd.DataFrame) or isinstance(y, pd.DataFrame):
        raise ValueError(
            "one of x and y is a labelled frame, the other an array; give both with labels or both without"
        )
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(f"x has shape {x.shape} and y {y.shape}; expected two matrices of one shape")
    names = [f"row {i}" for i in range(x.shape[0])]
    others = names if x.shape[0] == x.shape[1] else [f"column {i}" for i in range(x.shape[1])]
    labels = np.array(names, dtype=object), np.array(others, dtype=object)
    return *labels, np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def _aligned_frames(
    x: pd.DataFrame, y: pd.DataFrame
) -> tuple[NDArray[np.object_], NDArray[np.object_], Matrix, Matrix]:
    rows, columns = list(x.index), list(x.columns)
    if set(rows) == set(columns):
        columns = rows
    for name, frame in (("x", x), ("y", y)):
        if not (frame.index.is_unique and frame.columns.is_unique):
            raise ValueError(f"{name} has a language twice among its rows or columns; average its corpora first")
    missing = sorted({str(a) for a in rows if a not in y.index} | {str(b) for b in columns if b not in y.columns})
    if missing:
        raise ValueError(f"y has no distance for {', '.join(missing)}; drop them from x or add them to y")
    first = x.reindex(index=rows, columns=columns).to_numpy(dtype=np.float64)
    second = y.reindex(index=rows, columns=columns).to_numpy(dtype=np.float64)
    return np.array(rows, dtype=object), np.array(columns, dtype=object), first, second


def doubly_centred(values: Matrix) -> Matrix:
    """Return ``values`` minus their additive row and column fit by least squares over the finite cells."""
    left = values.copy()
    for _ in range(1000):
        before = left.copy()
        left = left - _means(left, axis=1)
        left = left - _means(left, axis=0)
        if np.nanmax(np.abs(left - before), initial=0.0) <= 1e-13 * np.nanmax(np.abs(values), initial=0.0):
            break
    # What rounding leaves of an exact fit is not a ranking.
    scale = np.nanmax(np.abs(values), initial=0.0)
    return np.where(np.abs(left) <= 1e-11 * scale, np.where(np.isnan(left), np.nan, 0.0), left)


def _means(values: Matrix, axis: int) -> Matrix:
    """Return means over the finite cells along ``axis``, kept as a dimension; NaN where there is none."""
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Matrix = np.where(finite, values, 0.0).sum(axis=axis, keepdims=True) / finite.sum(
            axis=axis, keepdims=True
        )
    return means


def _codes(values: Matrix) -> Order:
    """Return the place of each value among the different ones, ascending."""
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.intp)


def _mid_ranks(codes: Order) -> Matrix:
    """Return mid-ranks of values given by their codes, some of which may not occur; counting spares sorting again."""
    counts = np.bincount(codes)
    ranks: Matrix = (np.cumsum(counts) - (counts - 1) / 2)[codes]
    return ranks


def _spearman(a: Order, b: Order) -> float:
    """Return Spearman's rho of two vectors by their codes, NaN where one is constant or there are fewer than three."""
    if len(a) < 3:
        return math.nan
    u, v = _mid_ranks(a), _mid_ranks(b)
    u, v = u - u.mean(), v - v.mean()
    norm = math.sqrt(float(u @ u) * float(v @ v))
    return float(u @ v) / norm if norm > 0 else math.nan


def _centred_ranks(codes: Order, together: NDArray[np.bool_]) -> Matrix:
    """Return centred mid-ranks of the cells that take part, 0 elsewhere."""
    ranks = np.zeros(together.shape)
    chosen = _mid_ranks(codes)
    ranks[together] = chosen - chosen.mean()
    return ranks


def every_order(rows: int, columns: int, joint: bool) -> Iterator[tuple[Order, Order]]:
    """Yield every permutation, the identity among them."""
    for order in itertools.permutations(range(rows)):
        first = np.array(order, dtype=np.intp)
        if joint:
            yield first, first
            continue
        for other in itertools.permutations(range(columns)):
            yield first, np.array(other, dtype=np.intp)


def drawn_orders(
    rows: int, columns: int, joint: bool, number: int, rng: np.random.Generator
) -> Iterator[tuple[Order, Order]]:
    """Yield ``number`` random permutations."""
    for _ in range(number):
        first = rng.permutation(rows)
        yield first, first if joint else rng.permutation(columns)


def count_extreme(
    left: Matrix, right: Matrix, together: NDArray[np.bool_], orders: Iterator[tuple[Order, Order]], observed: float
) -> tuple[int, int]:
    """Return how many permutations give at least the observed |rho|, and how many were tried."""
    mask, extreme, tried = together.astype(np.float64), 0, 0
    size = max(1, _CHUNK // left.size)
    while block := list(itertools.islice(orders, size)):
        rows, columns = (np.stack(orders_of) for orders_of in zip(*block, strict=True))
        cells = (rows[:, :, None] * right.shape[1] + columns[:, None, :]).reshape(len(block), -1)
        moved, masks = right.take(cells), mask.take(cells)
        rho = _correlations(left.ravel(), mask.ravel(), moved, masks)
        # NaN (a permutation that leaves a constant) counts as extreme: the cautious side.
        extreme += int((~(np.abs(rho) < observed - 1e-12)).sum())
        tried += len(block)
    return extreme, tried


def _correlations(left: Matrix, mask: Matrix, moved: Matrix, masks: Matrix) -> Matrix:
    """Return Pearson's r of ``left`` [pair] with each row of ``moved`` [permutation, pair] over the shared pairs."""
    n = masks @ mask
    sum_left, sum_moved = masks @ left, moved @ mask
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = moved @ left - sum_left * sum_moved / n
        var_left = masks @ (left**2) - sum_left**2 / n
        var_moved = (moved**2) @ mask - sum_moved**2 / n
        r: Matrix = covariance / np.sqrt(var_left * var_moved)
    return r


def _jackknife(
    x: Matrix,
    y: Matrix,
    together: NDArray[np.bool_],
    rows: NDArray[np.object_],
    columns: NDArray[np.object_],
    rho: float,
    centred: bool,
) -> tuple[float, float]:
    """Return the 95 % interval from leaving out one language at a time, as row and as column; ``x`` is not centred."""
    values = []
    for language in dict.fromkeys([*rows.tolist(), *columns.tolist()]):
        kept = together & (rows != language)[:, None] & (columns != language)[None, :]
        scores = doubly_centred(np.where(kept, x, np.nan)) if centred else x
        values.append(_spearman(_codes(scores[kept]), _codes(y[kept])))
    without = np.array([value for value in values if not math.isnan(value)])
    count = len(without)
    if count < 3 or count < len(values):
        return math.nan, math.nan
    error = math.sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum()))
    width = float(stdtrit(count - 1, 0.975)) * error
    return max(-1.0, rho - width), min(1.0, rho + width)
