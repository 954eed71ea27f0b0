"""Percent positive: the mean of the ranking's column, its null, and what the interval covers."""

import numpy as np
import pytest
from changes_frame import ts_frame
from scipy import stats

from xltransfer.analysis.percent_positive import percent_positive
from xltransfer.analysis.ranking import rank_transfer_languages

NAN = float("nan")


def test_it_is_the_mean_of_the_rankings_columns() -> None:
    values = np.random.default_rng(0).integers(-2, 3, size=(7, 9)).astype(np.float64)
    values[2, 4:] = NAN
    ranking = rank_transfer_languages(ts_frame(values))
    (row,) = percent_positive(ts_frame(values)).to_dict("records")
    assert row["estimate"] == pytest.approx(ranking["percent_positive"].mean())
    assert row["percent_if_no_effect"] == pytest.approx(ranking["percent_positive_if_no_effect"].mean())
    assert row["excess"] == pytest.approx(row["estimate"] - row["percent_if_no_effect"])
    assert row["percent_tie"] == pytest.approx(100.0 - 2.0 * row["percent_if_no_effect"])
    assert (row["n_transfers"], row["n_targets"], row["n_cells"]) == (7, 9, 58)


def test_entries_that_agree_leave_a_t_test_over_targets() -> None:
    signs = np.array([1.0, 1.0, -1.0, 1.0, 0.0, 1.0, 1.0])
    (row,) = percent_positive(ts_frame(np.tile(signs, (5, 1)))).to_dict("records")
    share, excess = stats.ttest_1samp(100.0 * (signs > 0), 0.0), stats.ttest_1samp(50.0 * signs, 0.0)
    assert row["se"] == pytest.approx(stats.sem(100.0 * (signs > 0)))
    assert row["p"] == pytest.approx(excess.pvalue)
    assert row["low"] == pytest.approx(share.confidence_interval().low)
    assert row["high"] == 100.0  # the t interval goes beyond, a percentage does not


def test_without_an_effect_the_interval_holds_what_chance_gives() -> None:
    rng = np.random.default_rng(1)
    held, rejected = 0, 0
    for _ in range(120):
        shared = rng.normal(size=15) + rng.normal(size=(8, 1))
        (row,) = percent_positive(ts_frame(shared + rng.normal(size=(8, 15)))).to_dict("records")
        held += row["low"] <= row["percent_if_no_effect"] <= row["high"]
        rejected += row["p"] <= 0.05
    assert 0.92 <= held / 120 <= 0.99
    assert rejected / 120 <= 0.09


def test_one_entry_and_no_variation_say_why() -> None:
    assert percent_positive(ts_frame(np.array([[1.0, -1.0]])))["why"].tolist() == ["one transfer entry"]
    still = percent_positive(ts_frame(np.full((3, 4), -1.0))).iloc[0]
    assert (still["estimate"], still["why"]) == (0.0, "nothing varies")
