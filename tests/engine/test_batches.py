"""Rows of unequal length and the plan of batches, against naive Python."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xltransfer.engine.batches import Ragged, plan_batches

ROWS = st.lists(st.lists(st.integers(-5, 99), max_size=6), min_size=1, max_size=8)
LENGTHS = st.lists(st.integers(1, 40), max_size=60)


def ragged(rows: list[list[int]]) -> Ragged:
    flat = np.array(list(itertools.chain(*rows)), dtype=np.int64)
    return Ragged.from_lengths(flat, np.array([len(row) for row in rows]))


@given(ROWS, st.data())
def test_padded_and_flat_are_what_python_lists_give(rows: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=8))
    longest = max(len(rows[row]) for row in chosen)
    expected = [rows[row] + [-100] * (longest - len(rows[row])) for row in chosen]
    table = ragged(rows)
    assert table.padded(np.array(chosen), -100).tolist() == expected
    assert table.flat(np.array(chosen)).tolist() == list(itertools.chain(*(rows[row] for row in chosen)))
    assert table.lengths.tolist() == [len(row) for row in rows]


@given(LENGTHS, st.integers(1, 200))
def test_plan_holds_each_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    plan = plan_batches(np.array(lengths, dtype=np.int64), budget)
    assert sorted(itertools.chain(*(batch.tolist() for batch in plan))) == list(range(len(lengths)))
    for batch in plan:
        padded = len(batch) * max(lengths[row] for row in batch)
        assert padded <= budget or len(batch) == 1


def every_cut(n: int) -> list[list[tuple[int, int]]]:
    """All ways to cut n sorted rows into consecutive batches."""
    cuts = []
    for inner in itertools.product([False, True], repeat=max(n - 1, 0)):
        edges = [0, *(at + 1 for at, cut in enumerate(inner) if cut), n]
        cuts.append(list(itertools.pairwise(edges)))
    return cuts


@settings(max_examples=40)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(20, 200), st.integers(0, 60))
def test_plan_costs_as_little_as_the_best_of_all_cuts(lengths: list[int], budget: int, overhead: int) -> None:
    rising = sorted(lengths)

    def cost(cut: list[tuple[int, int]]) -> float:
        batches = [((end - start), rising[end - 1]) for start, end in cut]
        if any(rows * longest > budget and rows > 1 for rows, longest in batches):
            return float("inf")
        return sum(rows * longest + overhead for rows, longest in batches)

    plan = plan_batches(np.array(lengths), budget, overhead)
    ours = sum(len(batch) * max(lengths[row] for row in batch) + overhead for batch in plan)
    assert ours == min(cost(cut) for cut in every_cut(len(lengths)))


def test_equal_lengths_keep_their_order() -> None:
    plan = plan_batches(np.array([3, 3, 3, 3, 3]), 6)
    assert list(itertools.chain(*(batch.tolist() for batch in plan))) == [0, 1, 2, 3, 4]
