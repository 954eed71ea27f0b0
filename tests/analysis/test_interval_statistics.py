"""The pass over a run: what it keeps, what it does not depend on, and what it refuses."""

import cluster_tables as tables
import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis import out_of_aggregates, transfer_scores
from xltransfer.analysis.aggregate_intervals import target_aggregates, transfer_aggregates
from xltransfer.analysis.frames import CELL
from xltransfer.analysis.interval_statistics import interval_statistics
from xltransfer.analysis.intervals import cell_intervals
from xltransfer.runs.open import open_run

SIZES = {"fin": 12, "wol": 20}


def _entries(rng, targets, transfers=("fin", "zul"), **more):
    before, _ = tables.las(rng, targets, 1)
    entries = [tables.nudged(targets, tables.las(rng, targets, 3)[1], transfer=name, **more) for name in transfers]
    return tables.untouched(targets, before), entries


def test_cells_of_a_real_run_are_those_of_its_measurements(mini_study):
    run = open_run(mini_study.folder)
    measurements = run.measurements(labels=False)
    flags = out_of_aggregates(measurements, run.items(settings=("baseline", "trivial")))
    ts = transfer_scores(measurements, out_of_aggregates=flags).query("setting == 'nudge'").reset_index(drop=True)
    statistics = interval_statistics(run.cluster_counts(), run.cluster_counts(settings=("baseline",)), flags)
    cells = cell_intervals(statistics)
    shown = [*CELL, "reference", "score", "self_transfer", "aggregated", "n_replicates"]
    pd.testing.assert_frame_equal(cells[shown], ts[shown], check_dtype=False)
    np.testing.assert_allclose(cells["estimate"], ts["ts"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.sqrt(statistics.cells["variance_ts"]), ts["ts_sd"], rtol=1e-9, atol=1e-12)


def test_entries_of_other_tasks_and_languages_change_nothing():
    targets, other = tables.separate(SIZES), tables.separate(SIZES, "pos")
    rng = np.random.default_rng(0)
    baseline, entries = _entries(rng, targets)
    more = tables.untouched(other, {"correct": np.ones(32), "total": np.full(32, 3)})
    extra = tables.nudged(other, {"correct": np.ones((2, 32)), "total": np.full((2, 32), 3)})
    alone = interval_statistics(entries[:1], [baseline], tables.NO_FLAGS)
    together = interval_statistics([*entries, extra], [more, baseline], tables.NO_FLAGS)
    for name in ("cells", "transfers"):
        frame = getattr(together, name).query("task == 'dep' and transfer == 'fin'").reset_index(drop=True)
        pd.testing.assert_frame_equal(frame, getattr(alone, name))


def test_order_of_entries_does_not_matter():
    targets = tables.separate(SIZES)
    baseline, entries = _entries(np.random.default_rng(1), targets)
    one, other = (interval_statistics(order, [baseline], tables.NO_FLAGS) for order in (entries, entries[::-1]))
    for name in ("cells", "transfers", "targets"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_flags_keep_targets_out_of_aggregates_and_not_out_of_cells():
    targets = tables.separate(SIZES)
    baseline, entries = _entries(np.random.default_rng(2), targets)
    flags = pd.DataFrame({"base": "b", "task": "dep", "dataset": "ud", "target": ["wol"], "unknown_tokens": [True]})
    statistics = interval_statistics(entries, [baseline], flags)
    cells = cell_intervals(statistics)
    assert cells.groupby("target")["aggregated"].all().to_dict() == {"fin": True, "wol": False}
    assert cells["se"].notna().all()
    assert (transfer_aggregates(statistics)["n_targets"] == 1).all()
    assert target_aggregates(statistics).set_index("target")["n_transfers"].to_dict() == {"fin": 2, "wol": 0}


def test_without_a_baseline_changes_are_undefined():
    targets = tables.separate(SIZES)
    _, entries = _entries(np.random.default_rng(3), targets)
    cells = cell_intervals(interval_statistics(entries, [], tables.NO_FLAGS), "delta")
    assert (
        set(cells["why"]) == {"undefined baseline"} and cells["estimate"].isna().all() and cells["score"].notna().all()
    )


def test_targets_that_were_not_scored_have_no_cell():
    targets = tables.separate(SIZES)
    before, after = tables.las(np.random.default_rng(4), targets, 3)
    scored = np.array([[True, False]] * 3)
    statistics = interval_statistics(
        [tables.nudged(targets, after, scored)], [tables.untouched(targets, before)], tables.NO_FLAGS
    )
    assert statistics.cells["target"].tolist() == ["fin"]
    assert transfer_aggregates(statistics)["n_targets"].tolist() == [1]


def test_errors():
    targets = tables.separate(SIZES)
    baseline, entries = _entries(np.random.default_rng(5), targets)
    with pytest.raises(ValueError, match="baselines hold .'b', 'dep', 0. twice; expected one for each base"):
        interval_statistics(entries, [baseline, baseline], tables.NO_FLAGS)
    other, _ = _entries(np.random.default_rng(5), tables.separate({"fin": 12, "wol": 21}))
    with pytest.raises(ValueError, match="have other targets than entries; use those of one run"):
        interval_statistics(entries, [other], tables.NO_FLAGS)
    languages = pd.DataFrame({"code": ["fin"], "family": ["u"]})
    with pytest.raises(ValueError, match="languages has no row for the target 'wol'"):
        interval_statistics(entries, [baseline], tables.NO_FLAGS, languages)
