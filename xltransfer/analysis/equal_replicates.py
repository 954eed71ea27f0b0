"""The same number of replicates for every transfer entry, where a run is not finished."""

import numpy as np
from numpy.typing import NDArray


def equal_replicates(there: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the entries and, for each, the replicates that make the largest complete table.

    Parameters
    ----------
    there
        Shape [entry, replicate]: the replicate is there.

    Returns
    -------
    entries
        Shape [kept]: those with at least so many replicates that entries × replicates is largest; two replicates
        come before one.
    replicates
        Shape [kept, number]: the first so many of each, in their order.
    """
    counts = there.sum(axis=1)
    number = max(
        range(1, there.shape[1] + 1), key=lambda size: (_table(counts, size) > 0 and size > 1, _table(counts, size))
    )
    entries = np.flatnonzero(counts >= number)
    # A stable sort brings the replicates that are there to the front, in their order.
    return entries, np.argsort(~there[entries], axis=1, kind="stable")[:, :number]


def _table(counts: NDArray[np.intp], number: int) -> int:
    """Return how many scores a table of entries with that many replicates holds."""
    return number * int((counts >= number).sum())
