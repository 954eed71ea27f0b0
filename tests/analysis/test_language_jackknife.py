"""Means over pairs of languages with one language left out at a time: a plain loop, scipy's t, and the edges."""

import itertools

import numpy as np
import pytest
from scipy import stats

from xltransfer.analysis.language_jackknife import over_languages

PAIRS = list(itertools.combinations("abcde", 2))


def test_variance_and_interval_are_those_of_a_plain_loop() -> None:
    values = np.random.default_rng(5).normal(size=(len(PAIRS), 2))
    found = over_languages(values, PAIRS)
    for column in (0, 1):
        without = []
        for language in "abcde":
            kept = [value for value, pair in zip(values[:, column], PAIRS, strict=True) if language not in pair]
            without.append(sum(kept) / len(kept))
        centre = sum(without) / 5
        variance = 4 / 5 * sum((each - centre) ** 2 for each in without)
        assert found.mean[column] == pytest.approx(values[:, column].mean())
        assert found.variance[column] == pytest.approx(variance)
        row = found.intervals("delta", 0.9).iloc[column]
        half = stats.t.ppf(0.95, 4) * variance**0.5
        assert (row["low"], row["high"]) == pytest.approx((row["estimate"] - half, row["estimate"] + half))
        assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["estimate"]) / variance**0.5, 4))


def test_a_language_in_every_cell_is_held_fixed() -> None:
    threes = [("x", *pair) for pair in PAIRS]
    values = np.arange(10.0)[:, None] ** 2
    with_it, without_it = over_languages(values, threes), over_languages(values, PAIRS)
    assert with_it.variance == pytest.approx(without_it.variance)
    assert (with_it.languages, with_it.df) == (6, 4)


def test_too_few_languages_have_no_variance_but_a_mean() -> None:
    found = over_languages(np.array([[1.0], [2.0]]), [("a", "b"), ("b", "a")])
    assert found.mean.tolist() == [1.5] and np.isnan(found.variance).all()
    assert found.intervals("delta", 0.95)["why"].tolist() == ["fewer than 3 languages to leave out"]
    nothing = over_languages(np.empty((0, 1)), [])
    assert np.isnan(nothing.mean).all() and nothing.languages == 0


def test_nothing_varies() -> None:
    row = over_languages(np.full((10, 1), 2.5), PAIRS).intervals("delta", 0.95).iloc[0]
    assert (row["estimate"], row["why"]) == (2.5, "nothing varies") and np.isnan(row["low"])
