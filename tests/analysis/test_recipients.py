"""Recipients: the edges of the groups, ties, chance by scipy's binomial, and targets that say nothing."""

import math

import numpy as np
import pandas as pd
import pytest
from changes_frame import ts_frame
from scipy import stats

from xltransfer.analysis.recipients import recipients


def of_signs(*columns: list[float]):
    return recipients(ts_frame(np.array(columns).T)).set_index("target")


def test_groups_at_their_edges() -> None:
    def gains(count: int, of: int = 20) -> list[float]:
        return [1.0] * count + [-1.0] * (of - count)

    found = of_signs(gains(0), gains(1), gains(18), gains(19), gains(20))
    assert found["percent_positive"].tolist() == [0.0, 5.0, 90.0, 95.0, 100.0]
    # Table 19 says "(90-99]" and "more than 90 %": exactly 90 % is outside.
    assert found["group"].tolist() == ["never", "", "", "90-99", "universal"]


def test_the_38_languages_of_the_paper() -> None:
    found = of_signs([1.0] * 34 + [-1.0] * 4, [1.0] * 35 + [-1.0] * 3, [1.0] * 37 + [0.0])
    assert found["group"].tolist() == ["", "90-99", "90-99"]


def test_ties_are_neither_and_lower_what_chance_gives() -> None:
    row = of_signs([2.0, 0.0, 1e-12, -1.0]).iloc[0]
    assert (row["percent_positive"], row["percent_tie"], row["percent_if_no_effect"]) == (25.0, 50.0, 25.0)
    assert row["p_universal"] == pytest.approx(stats.binom.pmf(4, 4, 0.25))
    assert row["p_never"] == pytest.approx(stats.binom.pmf(0, 4, 0.25))


def test_seeds_are_averaged_and_self_transfer_can_go() -> None:
    values = np.array([[[3.0], [1.0]], [[-1.0], [-2.0]]])  # seeds × entries × targets
    frame = ts_frame(values, transfer=["b00", "zho"])
    assert recipients(frame)["percent_positive"].tolist() == [50.0]
    alone = recipients(frame, include_self=False).iloc[0]
    assert (alone["n_transfers"], alone["percent_positive"]) == (1, 0.0)


def test_a_target_outside_the_aggregates_is_shown_without_numbers() -> None:
    frame = ts_frame(np.array([[1.0, 2.0], [3.0, 4.0]]))
    frame.loc[frame["target"] == "b01", "aggregated"] = False
    row = recipients(frame).set_index("target").loc["b01"]
    assert (row["n_transfers"], row["group"]) == (0, "")
    assert all(math.isnan(row[name]) for name in ("percent_positive", "percent_if_no_effect", "p_universal"))


def test_steps_are_apart_and_columns_are_needed() -> None:
    one = ts_frame(np.array([[1.0]]))
    found = recipients(pd.concat([one, one.assign(steps=1, ts=-1.0)], ignore_index=True))
    assert found[["steps", "percent_positive"]].to_numpy().tolist() == [[1, 0.0], [10, 100.0]]
    with pytest.raises(ValueError, match="ts lacks the columns aggregated"):
        recipients(one.drop(columns="aggregated"))
