"""Length-sorted batches under a token budget, over flat pre-tokenised arrays.

Sequences live in one flat int32 array with offsets. A plan of batches depends on the lengths and the budget only, so it
is the same in every process and every unit: padding alone moves hidden states by about 1e-6, and a plan made anew would
make two scores of one model differ.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths in one flat array: row i is ``values[offsets[i]:offsets[i + 1]]``."""

    values: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def from_lengths(cls, values: NDArray[np.integer], lengths: NDArray[np.integer]) -> "Ragged":
        """Make rows of the given lengths from flat ``values``."""
        offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        return cls(np.asarray(values, dtype=np.int32), offsets)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each row."""
        return np.diff(self.offsets)

    def padded(self, rows: NDArray[np.integer], fill: int) -> NDArray[np.int64]:
        """Return ``rows`` as [row, longest], filled with ``fill`` behind their ends."""
        lengths = self.lengths[rows]
        column = np.arange(int(lengths.max(initial=0)))
        inside = column < lengths[:, None]
        index = np.where(inside, self.offsets[rows][:, None] + column, 0)
        source = self.values if len(self.values) else np.zeros(1, dtype=np.int32)
        return np.where(inside, source[index], fill).astype(np.int64)

    def flat(self, rows: NDArray[np.integer]) -> NDArray[np.int32]:
        """Return the values of ``rows`` one after another."""
        lengths = self.lengths[rows]
        start = np.repeat(self.offsets[rows] - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
        return self.values[start + np.arange(int(lengths.sum()))]


OVERHEAD = 48
"""What one more batch costs, in tokens: padding is worth it below this."""


def plan_batches(lengths: NDArray[np.integer], token_budget: int, overhead: int = OVERHEAD) -> list[NDArray[np.int64]]:
    """Cut the rows, sorted by length, into the batches that cost least.

    A batch costs its padded tokens plus ``overhead`` and holds at most ``token_budget`` padded tokens; a row longer
    than that is a batch by itself. Rows of equal length keep their order.

    Returns
    -------
    list of int64 arrays
        Row numbers of each batch.
    """
    order = np.argsort(lengths, kind="stable")
    rising = np.asarray(lengths, dtype=np.int64)[order]
    best = np.zeros(len(order) + 1)
    cut = np.zeros(len(order) + 1, dtype=np.int64)
    for end in range(1, len(order) + 1):
        longest = int(rising[end - 1])
        first = max(0, end - max(1, token_budget // max(longest, 1)))
        start = np.arange(first, end)
        cost = best[start] + (end - start) * longest + overhead
        cut[end] = start[int(cost.argmin())]
        best[end] = cost.min()
    batches: list[NDArray[np.int64]] = []
    end = len(order)
    while end > 0:
        batches.append(order[cut[end] : end])
        end = int(cut[end])
    return batches[::-1]
