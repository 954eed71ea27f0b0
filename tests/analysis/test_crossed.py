"""The crossed variance against an analysis of variance, and its degrees of freedom by hand and by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xltransfer.analysis.crossed import crossed_df, crossed_variance


def _parts(table):
    """Return the three parts for a table [replicate, item] of values with one mean."""
    replicates, items = table.shape
    rest = table - table.mean(1, keepdims=True) - table.mean(0, keepdims=True) + table.mean()
    return (
        table.mean(axis=1).var(ddof=1) / replicates,
        table.mean(axis=0).var(ddof=1) / items,
        (rest**2).sum() / ((replicates - 1) * (items - 1)) / table.size,
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_parts_are_the_mean_squares_of_the_two_way_table():
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng(0)
    table = rng.normal(size=(4, 1)) + 2 * rng.normal(size=(1, 7)) + rng.normal(size=(4, 7))
    r, j = np.indices(table.shape)
    rows = pd.DataFrame({"y": table.ravel(), "r": r.ravel().astype(str), "j": j.ravel().astype(str)})
    squares = anova_lm(ols("y ~ r + j", rows).fit())
    mean_squares = squares["sum_sq"] / squares["df"]
    expected = (mean_squares["r"] + mean_squares["j"] - mean_squares["Residual"]) / table.size
    assert crossed_variance(*_parts(table)) == pytest.approx(expected)


def test_floor_is_the_rest():
    assert crossed_variance(np.array(1.0), np.array(0.5), np.array(4.0)) == 4.0


def test_variance_of_the_mean_is_right_on_average():
    rng = np.random.default_rng(1)
    tables = rng.normal(0, 1, (4000, 4, 1)) + rng.normal(0, 2, (4000, 1, 20)) + rng.normal(0, 3, (4000, 4, 20))
    variances = [crossed_variance(*map(np.asarray, _parts(table))) for table in tables]
    # 1/4 + 4/20 + 9/80; a floor that is hardly ever reached.
    assert np.mean(variances) == pytest.approx(0.5625, rel=0.03)
    assert tables.mean(axis=(1, 2)).var() == pytest.approx(0.5625, rel=0.06)


def test_degrees_of_freedom_by_hand():
    # V = 5; replicates at 3 · (1 + 4 · 0.6 / 2) = 6.6, so 8.6 in place of 5.
    df = crossed_df(*(np.array(v) for v in (3.0, 2.5, 0.5, 2.0, 40.0, 80.0)))
    expected = 8.6**2 / (6.6**2 / 2 + 2.5**2 / 40 + 0.5**2 / 80)
    assert df == pytest.approx(expected)


def test_limits_are_students_own_degrees_of_freedom():
    def df(replicate, item):
        return float(crossed_df(*(np.array(v) for v in (replicate, item, 0.0, 4.0, 30.0, 120.0))))

    assert df(1.0, 1e-12) == pytest.approx(4.0)
    assert df(1e-12, 1.0) == pytest.approx(30.0)
    assert 4.0 < df(1.0, 1.0)
    assert float(crossed_df(*(np.array(v) for v in (1.0, 1.0, 1.9, 4.0, 30.0, 120.0)))) >= 4.0, "a difference"


def test_scale_does_not_matter_even_where_squares_vanish():
    parts = [np.array(v) for v in (3.0, 2.0, 0.5)]
    tiny = [1e-200 * part for part in parts]
    df = [np.array(v) for v in (2.0, 40.0, 80.0)]
    assert crossed_df(*tiny, *df) == pytest.approx(crossed_df(*parts, *df))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_three_replicates_cover_94_to_96_percent(share):
    """Normal replicates and items; plain Satterthwaite gives 95.0, 94.2, 92.7 and 92.5 here."""
    rng = np.random.default_rng(2)
    runs = 40_000
    replicate = share * rng.chisquare(2, runs) / 2
    item = (1 - share) * rng.chisquare(49, runs) / 49
    rest = np.zeros(runs)
    df = crossed_df(replicate, item, rest, np.array(2.0), np.array(49.0), np.array(98.0))
    t = rng.standard_normal(runs) / np.sqrt(crossed_variance(replicate, item, rest))
    covered = np.mean(np.abs(t) <= stats.t.ppf(0.975, df))
    assert 0.938 < covered < 0.960
