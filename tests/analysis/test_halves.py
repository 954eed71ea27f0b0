"""Halves of replicates: how many there are, that they are disjoint, and their means."""

import math

import numpy as np
import pytest

from xltransfer.analysis.halves import half_means, halves

NAN = float("nan")


@pytest.mark.parametrize(("replicates", "ways"), [(2, 1), (3, 3), (4, 3), (5, 15), (6, 10), (10, 126)])
def test_every_way_to_halve_comes_once(replicates: int, ways: int) -> None:
    first, second = halves(replicates, np.random.default_rng(0))
    assert not (first & second).any()
    assert set(first.sum(axis=1)) == set(second.sum(axis=1)) == {replicates // 2}
    pairs = {
        frozenset([tuple(np.flatnonzero(a)), tuple(np.flatnonzero(b))]) for a, b in zip(first, second, strict=True)
    }
    assert len(pairs) == len(first) == ways


@pytest.mark.parametrize("replicates", [0, 1])
def test_fewer_than_two_cannot_be_halved(replicates: int) -> None:
    assert halves(replicates, np.random.default_rng(0))[0].shape == (0, replicates)


def test_many_ways_are_drawn() -> None:
    assert math.comb(13, 6) * math.comb(7, 6) // 2 > 200
    first, second = halves(13, np.random.default_rng(0))
    assert first.shape == second.shape == (200, 13)
    assert not (first & second).any() and (first.sum(axis=1) == 6).all()
    assert 60 < first[:, 0].sum() < 125  # 200 · 6/13 = 92 expected
    np.testing.assert_array_equal(first, halves(13, np.random.default_rng(0))[0])


def test_means_over_what_is_there() -> None:
    values = np.array([[1.0, 3.0, 10.0], [NAN, 4.0, NAN]])
    half = np.array([[True, True, False], [False, False, True]])
    np.testing.assert_array_equal(half_means(values, half), [[2.0, 4.0], [10.0, NAN]])
