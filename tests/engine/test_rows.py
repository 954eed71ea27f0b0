"""Linear maps per row against a loop over single rows, in both of the ways that the products are made."""

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from xltransfer.engine import rows

TIGHT = {"atol": 1e-12, "rtol": 1e-12}
COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def maps(number: int, bias: bool = True) -> list[nn.Linear]:
    torch.manual_seed(number)
    return [nn.Linear(3, 5, bias=bias).double() for _ in range(number)]


def batch(counts: Sequence[int], width: int = 3) -> Tensor:
    torch.manual_seed(7)
    return torch.randn(sum(counts), 2, width, dtype=torch.float64, requires_grad=True)


def row_by_row(x: Tensor, counts: Sequence[int], functions: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    """Apply to each row alone the function whose turn it is."""
    owners = [function for function, count in zip(functions, counts, strict=True) for _ in range(count)]
    return torch.cat([owner(x[row : row + 1]) for row, owner in enumerate(owners)])


def assert_same(got: Tensor, expected: Tensor, inputs: Sequence[Tensor]) -> None:
    torch.testing.assert_close(got, expected, **TIGHT)
    weigh = torch.linspace(-1, 2, got.numel(), dtype=got.dtype).reshape(got.shape)
    for ours, theirs in zip(
        torch.autograd.grad((got * weigh).sum(), inputs),
        torch.autograd.grad((expected * weigh).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, **TIGHT)


@settings(deadline=None)
@given(COUNTS, st.booleans())
def test_linear_gives_each_row_its_own_map(counts: list[int], bias: bool) -> None:
    own, x = maps(len(counts), bias), batch(counts)
    parameters = [parameter for each in own for parameter in each.parameters()]
    assert_same(rows.linear(x, counts, own), row_by_row(x, counts, own), [x, *parameters])


@settings(deadline=None)
@given(COUNTS)
def test_product_gives_each_row_its_own_matrix(counts: list[int]) -> None:
    matrices = [each.weight.t() for each in maps(len(counts))]
    x = batch(counts)
    expected = row_by_row(x, counts, [lambda part, m=matrix: part @ m for matrix in matrices])
    assert_same(rows.product(x, counts, matrices), expected, [x, *matrices])


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 4))
def test_stacked_and_one_by_one_are_the_same_product(compositions: int, count: int) -> None:
    counts = [count] * compositions
    matrices = [each.weight.t() for each in maps(compositions)]
    x = batch(counts)
    one_by_one = rows._one_by_one(x, counts, matrices)
    assert_same(rows._stacked(x, matrices), one_by_one, [x, *matrices])


@settings(deadline=None)
@given(COUNTS)
def test_each_gives_each_row_its_own_module(counts: list[int]) -> None:
    torch.manual_seed(0)
    modules = [nn.LayerNorm(3).double() for _ in counts]
    for module in modules:
        nn.init.normal_(module.weight)
    x = batch(counts)
    assert_same(rows.each(x, counts, modules), row_by_row(x, counts, modules), [x])


@settings(deadline=None)
@given(COUNTS)
def test_spread_gives_each_row_its_own_value(counts: list[int]) -> None:
    values = [torch.full((4,), float(number)) for number in range(len(counts))]
    got = rows.spread(values, counts).expand(sum(counts), 1, 4)
    owners = [number for number, count in enumerate(counts) for _ in range(count)]
    assert got[:, 0, 0].tolist() == owners


def test_value_of_all_rows_is_not_copied() -> None:
    value = torch.zeros(4)
    assert rows.spread([value, value], [2, 3]).shape == (1, 1, 4)


@pytest.mark.parametrize("counts", [(2, 2), (1, 3)])
def test_map_of_all_rows_is_applied_at_once(counts: tuple[int, ...]) -> None:
    (only,), x = maps(1), batch(counts)
    assert torch.equal(rows.linear(x, counts, [only, only]), only(x))
    assert torch.equal(rows.each(x, counts, [only, only]), only(x))


def test_equal_maps_that_are_not_the_same_are_told_apart() -> None:
    # Two adapters with equal weights train apart.
    one, other = maps(1) + maps(1)
    assert torch.equal(one.weight, other.weight)
    assert not rows.is_one([one, other]) and rows.is_one([one, one])
