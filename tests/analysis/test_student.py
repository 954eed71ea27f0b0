"""The interval columns against scipy's t."""

import numpy as np
import pytest
from scipy import stats

from xltransfer.analysis.student import INTERVAL, t_intervals

NO_REASON = np.array([""], dtype=object)


def _one(estimate, variance, df, level=0.95, scale="ts", why=""):
    arrays = (np.array([value]) for value in (estimate, variance, df))
    return t_intervals(*arrays, np.array([why], dtype=object), scale, "new_sentences", level).iloc[0]


@pytest.mark.parametrize("df", [1.7, 9.0, 250.0, np.inf])
def test_interval_and_p_are_those_of_t(df):
    row = _one(-3.0, 4.0, df, 0.8)
    law = stats.norm if np.isinf(df) else stats.t(df)
    assert (row["low"], row["high"]) == pytest.approx((-3 + 2 * law.ppf(0.1), -3 + 2 * law.ppf(0.9)), rel=1e-6)
    assert row["p"] == pytest.approx(2 * law.cdf(-1.5))
    assert row.index.tolist() == INTERVAL


def test_tiny_p_values_do_not_vanish():
    assert 0 < _one(60.0, 1.0, 40.0)["p"] < 1e-35, "thousands of cells need them"


def test_nothing_varies():
    row = _one(0.0, 0.0, 5.0)
    assert (row["why"], row["p"]) == ("nothing varies", 1.0) and np.isnan(row["low"])
    assert np.isnan(_one(7.0, 1e-24, 5.0)["p"]), "7 percent without any spread cannot be tested"
    assert _one(0.0, (2e-9) ** 2, 5.0)["why"] == ""


def test_a_reason_leaves_the_estimate_alone():
    row = _one(2.0, np.nan, np.nan, why="one replicate")
    assert (row["estimate"], row["why"]) == (2.0, "one replicate")
    assert np.isnan(row[["se", "df", "low", "high", "p"]].astype(float)).all()


def test_errors():
    with pytest.raises(ValueError, match="estimand='new_words' is not among the known values: this_test_set"):
        t_intervals(np.zeros(1), np.ones(1), np.ones(1), NO_REASON, "ts", "new_words", 0.95)
    with pytest.raises(ValueError, match="level=1.0 is not between 0 and 1"):
        _one(0.0, 1.0, 3.0, level=1.0)
    with pytest.raises(ValueError, match="scale='log' is not among the known values"):
        _one(0.0, 1.0, 3.0, scale="log")
