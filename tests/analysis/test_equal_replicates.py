"""Equal numbers of replicates: against every possible choice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xltransfer.analysis.equal_replicates import equal_replicates


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**30 - 1))
def test_it_is_the_largest_table_that_there_is(entries: int, replicates: int, bits: int) -> None:
    there = (bits >> np.arange(30) & 1).astype(bool)[: entries * replicates].reshape(entries, replicates)
    kept, places = equal_replicates(there)
    assert np.take_along_axis(there[kept], places, axis=1).all()
    assert (np.diff(places, axis=1) > 0).all()
    sizes = {number: number * int((there.sum(axis=1) >= number).sum()) for number in range(1, replicates + 1)}
    several = [size for number, size in sizes.items() if number > 1 and size > 0]
    assert places.size == (max(several) if several else sizes[1])


@pytest.mark.parametrize(("counts", "number", "kept"), [([3, 3, 1], 3, 2), ([3, 2, 2], 2, 3), ([1, 1, 1], 1, 3)])
def test_examples(counts: list[int], number: int, kept: int) -> None:
    there = np.arange(3)[None, :] < np.array(counts)[:, None]
    entries, places = equal_replicates(there)
    assert (len(entries), places.shape[1]) == (kept, number)
