"""Cells: stored types, and counts that do not fit are refused at the border."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_work import cell

from xltransfer.runs.cells import smallest_type


@given(st.lists(st.integers(0, 2**63), min_size=1))
def test_smallest_type_holds_the_values_and_no_smaller_one_would(values: list[int]) -> None:
    stored = smallest_type(np.array(values, dtype=np.uint64))
    assert stored.tolist() == values
    if stored.dtype.itemsize > 1:
        assert max(values) >= 2 ** (8 * stored.dtype.itemsize // 2)


@pytest.mark.parametrize(("largest", "name"), [(255, "uint8"), (256, "uint16"), (65536, "uint32"), (2**32, "uint64")])
def test_type_changes_exactly_at_the_bounds(largest: int, name: str) -> None:
    assert smallest_type([0, largest]).dtype == name


def test_floats_are_stored_as_float32_and_truth_values_as_counts() -> None:
    assert smallest_type([0.1]).dtype == np.float32
    assert smallest_type([True, False]).tolist() == [1, 0]
    assert smallest_type(np.array([], dtype=int)).dtype == np.uint8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": "poss"}, r"cell pos/ud/wol \(nudged\): task shape 'poss' is unknown; did you mean 'pos'"),
        ({"shape": "dep"}, "a dep cell lacks the count columns las, uas"),
        ({"n_items": 5}, r"correct has shape \[4\], expected \[5\]"),
        ({"label_counts": {"correct": (("NOUN",), np.zeros((2, 4), int))}}, r"correct per label has shape \[2, 4\]"),
    ],
)
def test_counts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cell(**changes)


@pytest.mark.parametrize(
    ("values", "message"),
    [([1, -1, 0, 0], "correct: a count is -1"), (["a", "b", "c", "d"], "correct: counts have type <U1")],
)
def test_values_that_are_not_counts_are_refused(values: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cell(counts=dict(cell().counts) | {"correct": np.array(values)})
