"""Rank correlation: scipy's Spearman and mid-ranks, a jackknife in a loop, and the level of the test."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xltransfer.analysis.rank_correlation import correlations, mid_ranks, rank_correlation

NAN = float("nan")


@given(st.lists(st.lists(st.integers(-3, 3), min_size=7, max_size=7), min_size=1, max_size=4))
def test_mid_ranks_are_scipys(rows: list[list[int]]) -> None:
    values = np.array(rows, dtype=np.float64)
    np.testing.assert_array_equal(mid_ranks(values), stats.rankdata(values, axis=1))


def test_correlations_are_numpys_and_nan_for_a_constant() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 3, 8))
    x[2] = 0.1
    found = correlations(x, y)
    assert found[:2] == pytest.approx([np.corrcoef(a, b)[0, 1] for a, b in zip(x[:2], y[:2], strict=True)])
    assert math.isnan(found[2])


def test_one_version_is_spearmans_rho_with_a_jackknife_interval() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=14)
    y = x + rng.normal(size=14)
    found = rank_correlation(x[None], y[None], rng=rng)
    assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic)
    without = np.array([stats.spearmanr(np.delete(x, i), np.delete(y, i)).statistic for i in range(14)])
    se = math.sqrt(13 / 14 * ((without - without.mean()) ** 2).sum())
    width = stats.t.ppf(0.975, 13) * se / (1.0 - found.rho**2)
    assert found.se == pytest.approx(se)
    assert found.low == pytest.approx(math.tanh(math.atanh(found.rho) - width))
    assert found.high == pytest.approx(math.tanh(math.atanh(found.rho) + width))


def test_versions_are_averaged() -> None:
    x, y = np.random.default_rng(2).normal(size=(2, 3, 9))
    found = rank_correlation(x, y, rng=np.random.default_rng(0))
    assert found.rho == pytest.approx(np.mean([stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]))


def test_few_entries_are_permuted_in_every_way() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([2.0, 1.0, 3.0, 5.0, 4.0])
    orders = [list(order) for order in itertools.permutations(range(5))]
    products = np.array([(x - 3.0) * (y[order] - 3.0) for order in orders])
    size = np.abs(products.sum(axis=1))
    assert rank_correlation(x[None], y[None], rng=np.random.default_rng(0)).p == pytest.approx(np.mean(size >= 7.9))
    t = size / products.std(axis=1).clip(1e-12)
    twice = rank_correlation(np.stack([x, x]), np.stack([y, y]), rng=np.random.default_rng(0))
    assert twice.p == pytest.approx(np.mean(t >= t[0] * (1.0 - 1e-9)))


def test_perfect_agreement_is_the_rarest_order() -> None:
    x = np.arange(6.0)[None]
    assert rank_correlation(x, x, rng=np.random.default_rng(0)).p == pytest.approx(2.0 / math.factorial(6))


def test_the_level_of_the_test_and_the_coverage_of_the_interval() -> None:
    rng = np.random.default_rng(3)
    truth = 6.0 / math.pi * math.asin(0.6 / 2.0)
    rejected, held = 0, 0
    for _ in range(300):
        x, noise = rng.normal(size=(2, 1, 20))
        rejected += rank_correlation(x, noise, rng=rng, permutations=199).p <= 0.05
        related = rank_correlation(x, 0.6 * x + 0.8 * noise, rng=rng, permutations=1)
        held += related.low <= truth <= related.high
    assert rejected / 300 <= 0.08
    assert held / 300 >= 0.92


def test_entries_missing_in_one_version_take_no_part() -> None:
    x, y = np.random.default_rng(4).normal(size=(2, 2, 10))
    x[1, 3] = NAN
    kept = np.delete(np.arange(10), 3)
    whole = rank_correlation(x, y, rng=np.random.default_rng(0))
    cut = rank_correlation(x[:, kept], y[:, kept], rng=np.random.default_rng(0))
    assert whole == cut and whole.n_entries == 9


def test_what_cannot_be_known_says_why() -> None:
    two = rank_correlation(np.ones((1, 2)), np.ones((1, 2)), rng=np.random.default_rng(0))
    assert math.isnan(two.rho) and two.columns()["why"] == "fewer than three transfer entries"
    same = rank_correlation(np.arange(6.0)[None], np.arange(6.0)[None], rng=np.random.default_rng(0))
    assert same.rho == pytest.approx(1.0) and math.isnan(same.low) and same.columns()["why"] == "nothing varies"
    constant = rank_correlation(np.ones((1, 6)), np.arange(6.0)[None], rng=np.random.default_rng(0))
    assert math.isnan(constant.rho) and math.isnan(constant.p)
