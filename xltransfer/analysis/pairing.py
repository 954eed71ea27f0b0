"""Two score tables side by side on what they have in common: two numbers of steps, or two base models.

The targets are the same on both sides, so differences are taken target by target; the replicates are not, each side
has drawn its own. See protocols.md §6.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.cell_means import replicate_means
from xltransfer.analysis.contrasts import Contrast, crossed_contrast, mean_weights
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, ScoreTable

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two tables, cut to common transfer entries and targets.

    Attributes
    ----------
    transfers, targets
        Keys of the A entries and T targets.
    x, y
        Shapes [A, R, T] and [A, R', T].
    self_transfer
        Shape [A, T].
    """

    transfers: pd.DataFrame
    targets: pd.DataFrame
    x: Array
    y: Array
    self_transfer: NDArray[np.bool_]

    def cells(self) -> tuple[Array, Array]:
        """Return both sides' means over replicates, shapes [A, T]."""
        return replicate_means(self.x), replicate_means(self.y)


def paired(first: ScoreTable, second: ScoreTable, include_self: bool = True) -> Pair:
    """Return both tables on the entries and targets that both have; NaN where either lacks the cell.

    Parameters
    ----------
    first, second
        Of any base, setting, task, metric and steps.
    include_self
        Whether a language's effect on itself is kept.
    """
    a, b, transfers = _common(first.transfers, second.transfers, ENTRY)
    s, t, targets = _common(first.targets, second.targets, RECEIVER)
    x, y = first.values[a][:, :, s], second.values[b][:, :, t]
    own = first.self_transfer[np.ix_(a, s)]
    both = np.isfinite(x).any(axis=1) & np.isfinite(y).any(axis=1) & (include_self | ~own)
    x, y = (np.where(both[:, None], side, np.nan) for side in (x, y))
    return Pair(transfers, targets, x, y, own)


def entry_keys(transfers: pd.DataFrame) -> list[dict[str, str]]:
    """Return transfer and corpus of every row."""
    return [dict(zip(ENTRY, row, strict=True)) for row in transfers[ENTRY].itertuples(index=False, name=None)]


def _common(
    first: pd.DataFrame, second: pd.DataFrame, keys: list[str]
) -> tuple[NDArray[np.intp], NDArray[np.intp], pd.DataFrame]:
    """Return the places of the common rows in both frames, and the rows."""
    left, right = (side[keys].assign(place=np.arange(len(side))) for side in (first, second))
    both = left.merge(right, on=keys, suffixes=("_first", "_second"))
    return both["place_first"].to_numpy(), both["place_second"].to_numpy(), both[keys]


def difference(x: Array, y: Array) -> Contrast:
    """Return the mean of y minus the mean of x over their targets, with its variance.

    Parameters
    ----------
    x, y
        Shapes [R, T] and [R', T], of one transfer entry each; the same targets are missing in both.

    Notes
    -----
    V_rep(x) + V_rep(y) + var_b(d_b)/T − V_rest(x) − V_rest(y), with d_b the difference on target b: replicates are
    independent, targets shared.
    """
    values = np.concatenate([x, y])
    weights = np.concatenate([-mean_weights(x.T).T, mean_weights(y.T).T])
    rows = np.repeat(np.array([0, 1], dtype=np.intp), (len(x), len(y)))
    return crossed_contrast(values, weights, rows=rows)
