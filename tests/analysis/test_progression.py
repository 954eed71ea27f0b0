"""Progression: levels and changes over k by hand, and how pairing by target narrows a change."""

import math

import numpy as np
import pandas as pd
import pytest
from changes_frame import changes_frame
from scipy import stats

from xltransfer.analysis.progression import progression, step_changes
from xltransfer.analysis.student import INTERVAL

NAN = float("nan")


def steps(**tables: np.ndarray) -> pd.DataFrame:
    """Changes after k1=..., k10=... steps."""
    return pd.concat([changes_frame(table, steps=int(k[1:])) for k, table in tables.items()], ignore_index=True)


def test_levels_of_every_entry_and_of_their_mean() -> None:
    values = np.random.default_rng(0).normal(size=(3, 2, 5))
    found = progression(steps(k1=values, k10=2.0 * values))
    assert found.columns.tolist()[:7] == ["base", "setting", "task", "metric", "transfer", "corpus", "steps"]
    assert found.columns.tolist()[7:] == INTERVAL
    assert found["transfer"].tolist() == ["", "", "a00", "a00", "a01", "a01", "a02", "a02"]
    level = found.set_index(["transfer", "steps"])["estimate"]
    assert level["a01", 1] == pytest.approx(values[1].mean())
    assert level["a01", 10] == pytest.approx(2.0 * values[1].mean())
    assert level["", 1] == pytest.approx(values.mean())
    assert found["estimand"].eq("new_targets").all()


def test_changes_are_between_neighbouring_steps() -> None:
    values = np.random.default_rng(1).normal(size=(2, 3, 4))
    found = step_changes(steps(k100=3.0 * values, k1=values, k10=-values)).set_index(
        ["transfer", "steps_before", "steps"]
    )
    assert found.index.tolist() == [(name, *k) for name in ("", "a00", "a01") for k in ((1, 10), (10, 100))]
    assert found.loc[("a00", 1, 10), "estimate"] == pytest.approx(-2.0 * values[0].mean())
    assert found.loc[("", 10, 100), "estimate"] == pytest.approx(4.0 * values.mean())


def test_a_change_is_paired_by_target() -> None:
    rng = np.random.default_rng(2)
    targets, gains = 20.0 * rng.normal(size=12), rng.normal(size=12)
    frame = steps(k1=np.tile(targets, (1, 3, 1)), k10=np.tile(targets + gains, (1, 3, 1)))
    level = progression(frame).query("transfer == 'a00'")
    change = step_changes(frame).query("transfer == 'a00'").iloc[0]
    reference = stats.ttest_rel(targets + gains, targets)
    assert (change["p"], change["df"]) == (pytest.approx(reference.pvalue), pytest.approx(11.0))
    assert change["se"] < 0.1 * level["se"].min()


def test_only_what_was_scored_after_both_steps_is_compared() -> None:
    first = np.random.default_rng(3).normal(size=(2, 2, 4))
    second = np.random.default_rng(4).normal(size=(2, 2, 4))
    second[0, :, 1] = NAN
    found = step_changes(steps(k1=first, k10=second)).set_index("transfer")["estimate"]
    kept = [0, 2, 3]
    assert found["a00"] == pytest.approx(second[0][:, kept].mean() - first[0][:, kept].mean())


def test_self_transfer_one_k_and_k0_alone() -> None:
    values = np.random.default_rng(5).normal(size=(1, 2, 3))
    frame = changes_frame(values, transfer=["b01"])
    without = progression(frame, include_self=False).set_index("transfer")
    assert without.loc["b01", "estimate"] == pytest.approx(values[0][:, [0, 2]].mean())
    assert without.loc["", "why"] == "one transfer entry"
    assert (
        step_changes(frame).empty and step_changes(frame).columns.tolist()[7:] == ["steps", *INTERVAL][0:1] + INTERVAL
    )
    still = progression(changes_frame(np.zeros((2, 3, 4)), steps=0, setting="zero_steps"))
    assert still["why"].eq("nothing varies").all() and still["estimate"].eq(0.0).all()
    single = progression(changes_frame(values[:, :1])).set_index("transfer")
    assert single.loc["a00", "why"] == "one replicate" and math.isnan(single.loc["a00", "low"])
