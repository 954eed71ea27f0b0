"""Contrasts of two-way tables: agreement with t tests where one side is silent, a loop by hand, and coverage."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from xltransfer.analysis.contrasts import (
    additive_residuals,
    contrast_frame,
    crossed_contrast,
    entry_mean,
    mean_weights,
    target_mean,
)

NAN = float("nan")


def frame_of(contrast) -> pd.Series:
    return contrast_frame([{}], [contrast], [], "ts", 0.95).iloc[0]


def test_mean_squares_of_a_table_worked_in_a_loop() -> None:
    y = np.random.default_rng(0).normal(size=(4, 7)) + np.arange(7) + 3.0 * np.arange(4)[:, None]
    rows, columns, grand = y.mean(axis=1), y.mean(axis=0), y.mean()
    ms_row = 7 * sum((m - grand) ** 2 for m in rows) / 3
    ms_column = 4 * sum((m - grand) ** 2 for m in columns) / 6
    ms_rest = sum((y[i, j] - rows[i] - columns[j] + grand) ** 2 for i in range(4) for j in range(7)) / 18
    found = target_mean(y)
    assert found.estimate == pytest.approx(grand)
    assert found.variance == pytest.approx((ms_row + ms_column - ms_rest) / 28)


def test_without_replicate_noise_it_is_the_t_test_over_targets() -> None:
    x = np.random.default_rng(1).normal(1.0, 2.0, size=9)
    row = frame_of(target_mean(np.tile(x, (5, 1))))
    reference = stats.ttest_1samp(x, 0.0)
    low, high = reference.confidence_interval()
    assert row["p"] == pytest.approx(reference.pvalue)
    assert (row["low"], row["high"], row["df"]) == (pytest.approx(low), pytest.approx(high), pytest.approx(8.0))


def test_two_groups_of_rows_over_silent_columns_vary_like_two_samples() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=6), rng.normal(size=11)
    values = np.concatenate([x, y])[:, None] + np.zeros(4)
    weights = np.concatenate([np.full((6, 4), -1 / 24), np.full((11, 4), 1 / 44)])
    found = crossed_contrast(values, weights, rows=np.repeat([0, 1], (6, 11)))
    assert found.estimate == pytest.approx(y.mean() - x.mean())
    assert found.variance == pytest.approx(x.var(ddof=1) / 6 + y.var(ddof=1) / 11)


def test_two_groups_of_columns_are_paired_by_row() -> None:
    rng = np.random.default_rng(3)
    level, shift = rng.normal(0.0, 50.0, size=8), rng.normal(size=8)
    values = np.stack([level, level, level + shift, level + shift, level + shift], axis=1)
    weights = np.tile([-1 / 16, -1 / 16, 1 / 24, 1 / 24, 1 / 24], (8, 1))
    found = crossed_contrast(values, weights, columns=np.array([0, 0, 1, 1, 1]))
    assert found.estimate == pytest.approx(shift.mean())
    assert math.sqrt(found.variance) == pytest.approx(stats.sem(shift))


def test_additive_residuals_of_a_table_with_holes_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(5, 6))
    values[[0, 1, 1, 4], [0, 3, 4, 5]] = NAN
    long = pd.DataFrame({"y": values.ravel(), "r": np.repeat(range(5), 6), "c": np.tile(range(6), 5)}).dropna()
    fitted = smf.ols("y ~ C(r) + C(c)", long).fit()
    found = additive_residuals(values)
    np.testing.assert_allclose(found[np.isfinite(values)], fitted.resid, atol=1e-9)
    assert np.isnan(found[0, 0])


def test_weights_average_the_rows_that_there_are() -> None:
    values = np.array([[1.0, NAN, 3.0], [10.0, 20.0, 30.0], [NAN, NAN, NAN]])
    weights, there = mean_weights(values), np.isfinite(values)
    assert (weights[~there] == 0.0).all()
    assert weights[there] @ values[there] == pytest.approx((2.0 + 20.0) / 2)
    assert entry_mean(values).estimate == pytest.approx(11.0)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.full((3, 4), NAN), "undefined baseline"),
        (np.arange(4.0)[None], "one replicate"),
        (np.arange(4.0)[:, None], "one target"),
        (np.full((3, 4), 0.1), "nothing varies"),
    ],
)
def test_no_interval_says_why(values: np.ndarray, why: str) -> None:
    row = frame_of(target_mean(values))
    assert row["why"] == why
    assert row[["se", "df", "low", "high"]].isna().all()
    assert entry_mean(np.arange(4.0)[None]).why == "one transfer entry"


def test_coverage_with_holes_in_the_table() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(500):
        values = rng.normal(size=(6, 1)) + rng.normal(size=12) + rng.normal(size=(6, 12))
        values[rng.random((6, 12)) < 0.1] = NAN
        row = frame_of(entry_mean(values))
        covered += row["low"] <= 0.0 <= row["high"]
    assert 0.925 <= covered / 500 <= 0.985
