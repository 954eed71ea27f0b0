"""Largest recipients: by hand, with ties, and against n_max of the ranking."""

import math

import numpy as np
from changes_frame import ts_frame

from xltransfer.analysis.max_recipients import max_recipients
from xltransfer.analysis.ranking import rank_target_languages

NAN = float("nan")


def test_largest_and_runner_up() -> None:
    found = max_recipients(ts_frame(np.array([[1.0, 5.0, 3.0], [-4.0, -2.0, NAN]])))
    assert found["target"].tolist() == ["b01", "b01"]
    assert found["ts"].tolist() == [5.0, -2.0]
    assert found["runner_up"].tolist() == [3.0, -4.0]
    assert found["gap"].tolist() == [2.0, 2.0]
    assert found["n_targets"].tolist() == [3, 2]


def test_all_tied_targets_have_a_row() -> None:
    found = max_recipients(ts_frame(np.array([[5.0, 1.0, 5.0 - 1e-12, 2.0]])))
    assert found["target"].tolist() == ["b00", "b02"]
    assert found["n_tied"].tolist() == [2, 2] and found["runner_up"].tolist() == [2.0, 2.0]
    alone = max_recipients(ts_frame(np.array([[1.0, 1.0]])))
    assert len(alone) == 2 and alone["runner_up"].isna().all() and math.isnan(alone["gap"].iloc[0])


def test_a_language_may_be_its_own_recipient() -> None:
    frame = ts_frame(np.array([[9.0, 1.0]]), transfer=["b00"])
    assert max_recipients(frame)["target"].tolist() == ["b00"]
    assert max_recipients(frame, include_self=False)["target"].tolist() == ["b01"]


def test_counts_are_those_of_the_ranking_of_targets() -> None:
    frame = ts_frame(np.random.default_rng(0).integers(-3, 4, size=(12, 5)).astype(np.float64))
    counted = max_recipients(frame)["target"].value_counts()
    ranked = rank_target_languages(frame).set_index("target")["n_max"]
    assert counted.reindex(ranked.index, fill_value=0).tolist() == ranked.tolist()
