"""The coverage study in small, and that its world is what it says."""

import numpy as np
import pandas as pd
import pytest
from coverage import BOOTSTRAPS, FORMULAS, Setting, measure, replicate_sd, summary
from coverage_world import KINDS, World, percent_per_shift, without_effect

from xltransfer.analysis.metric_names import metric_named

SETTINGS = [
    Setting("accuracy", 50, 3, 0.2),
    Setting("accuracy", 300, 5, 0.0),
    Setting("las", 50, 10, 0.8),
    Setting("las", 300, 3, 0.8),
    Setting("f1", 50, 5, 0.2),
    Setting("f1", 300, 3, 0.0),
]


@pytest.fixture(scope="module")
def table():
    return pd.DataFrame([measure(setting, 400, 0, 0, seed=1) for setting in SETTINGS])


def test_default_interval_covers_95_percent_and_its_test_is_wrong_in_5(table):
    # 400 cells a row leave 1.1 points of standard error, 2,400 in all 0.45; true rates are 94 to 97.
    assert table["crossed"].between(93 - 3.3, 97 + 2.6).all(), table
    assert table["type_1"].between(3 - 2.6, 6 + 3.6).all(), table
    assert 95 - 1.5 < table["crossed"].mean() < 95 + 1.8
    assert 5 - 1.9 < table["type_1"].mean() < 5 + 1.4


def test_simpler_intervals_fall_short_where_their_source_of_variance_is_not_the_only_one(table):
    rows = table.set_index(["kind", "items"])
    assert rows.loc[("accuracy", 300), "this_test_set"] < 85, "no replicate variance, but sentences vary"
    assert rows.loc[("f1", 300), "this_test_set"] < 92
    assert rows.loc[("las", 300), "items_only"] < 75, "replicates hold four fifths of the variance"
    assert rows.loc[("las", 50), "items_only"] < 75


def test_bootstraps_are_compared_too():
    row = measure(Setting("las", 50, 10, 0.0), 60, 60, 80)
    assert [name for name in row if name in (*FORMULAS, *BOOTSTRAPS)] == [*FORMULAS, *BOOTSTRAPS]
    assert row["nested"] < 80, "items drawn anew for each replicate average out, as if there were ten times as many"
    assert row["pigeonhole"] > 80


@pytest.mark.parametrize("name", ["accuracy", "las", "f1"])
def test_true_change_is_that_of_a_very_large_test_set(name):
    world = World(KINDS[name], 0.03, 0.05)
    drawn = world.draw(1, 4000, 400, np.random.default_rng(0))
    metric = metric_named(KINDS[name].metric)
    before = metric.score({column: values.sum() for column, values in drawn.untouched.items()})
    after = metric.score({column: values.sum(axis=-1) for column, values in drawn.nudged.items()})[:, 0]
    changes = 100 * (after - before) / before
    error = np.sqrt(changes.var() / 400 + 1.0**2)  # the items' part is about 1 at 4,000 sentences of the worst kind
    assert world.true_change == pytest.approx(changes.mean(), abs=3 * error)
    assert world.replicate_variance == pytest.approx(changes.var(), rel=0.25)
    assert world.true_change > 2.5


@pytest.mark.parametrize("name", list(KINDS))
def test_null_worlds_have_no_true_change(name):
    assert without_effect(KINDS[name], 0.1).true_change == pytest.approx(0.0, abs=1e-8)
    assert percent_per_shift(KINDS[name]) > 0


def test_counts_are_possible():
    drawn = World(KINDS["f1"], 0.1, 0.3).draw(20, 50, 3, np.random.default_rng(1))
    gold = drawn.untouched["tp"] + drawn.untouched["fn"]
    assert (drawn.nudged["tp"] + drawn.nudged["fn"] == gold).all()
    for side in (drawn.untouched, drawn.nudged):
        assert all((values >= 0).all() for values in side.values())
    drawn = World(KINDS["las"], -0.2, 0.3).draw(20, 50, 3, np.random.default_rng(1))
    assert (drawn.nudged["las"] <= drawn.nudged["total"]).all() and (drawn.nudged["las"] >= 0).all()


def test_replicates_get_the_share_that_was_asked_for():
    setting = Setting("las", 100, 5, 0.8)
    assert measure(setting, 800, 0, 0)["realised"] == pytest.approx(0.8, abs=0.08)
    assert replicate_sd(Setting("las", 100, 5, 0.0)) == 0.0


def test_same_seed_same_row_and_summary_in_words():
    rows = [measure(Setting("accuracy", 50, 3, 0.2), 50, 0, 0, seed) for seed in (3, 3, 4)]
    assert rows[0] == rows[1] != rows[2]
    rows = [{"crossed": 94.0, "share": 0.0, "type_1": 6.5}, {"crossed": 96.5, "share": 0.8, "type_1": 2.5}]
    # Two standard errors of 2,000 cells are 0.97 points.
    assert summary(pd.DataFrame(rows), 2000) == (
        "The default interval covers 94.0 to 96.5 %, and 96.5 to 96.5 % where replicates hold 20 % of the variance or "
        "more. Its test is wrong in 4.5 % of all cells without effect, 2.5 to 6.5 % in single rows. "
        "2 of 2 rows are outside 4 to 6 %, 1 of them by more than two standard errors."
    )
