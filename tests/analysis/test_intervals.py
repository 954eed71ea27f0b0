"""Intervals of cells: against an analysis of variance, the jackknife, and cells that cannot have one."""

import cluster_tables as tables
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xltransfer.analysis.frames import CELL
from xltransfer.analysis.interval_statistics import interval_statistics
from xltransfer.analysis.intervals import cell_intervals
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.scales import SCALES, change, slopes
from xltransfer.analysis.student import INTERVAL


def _statistics(targets, before, after, **more):
    devices = more.pop("baseline_devices", ("cpu",))
    baseline = tables.untouched(targets, before, devices=devices)
    return interval_statistics([tables.nudged(targets, after, **more)], [baseline], tables.NO_FLAGS)


def _table(before, after, metric, scale):
    """Return z [replicate, cluster] of the linearised change of one target, from the definition, in loops."""

    def ratio(counts):
        if metric.form == "f1":
            return 2.0 * counts["tp"], 2.0 * counts["tp"] + counts["fp"] + counts["fn"]
        return counts[metric.columns[0]] * 1.0, counts[metric.columns[1]] * 1.0

    unit = 100.0 if metric.unit == "percent" else 1.0
    a0, b0 = ratio({k: np.asarray(v) for k, v in before.items()})
    reference = unit * a0.sum() / b0.sum()
    base = (unit * a0 - reference * b0) / b0.sum()
    scores, influences = [], []
    for r in range(len(next(iter(after.values())))):
        a, b = ratio({k: np.asarray(v)[r] for k, v in after.items()})
        scores.append(unit * a.sum() / b.sum())
        influences.append((unit * a - scores[-1] * b) / b.sum())
    slope, tilt = slopes(scale, np.mean(scores), np.array(reference), metric)
    y = slope * (np.array(influences) - base) + tilt * base
    g = change(scale, np.array(scores), np.array(reference), metric)
    return g[:, None] + y.shape[1] * y


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ["las", "f1"])
def test_equal_clusters_give_the_two_way_analysis_of_variance(scale, name):
    rng = np.random.default_rng(1)
    targets = tables.separate({"wol": 25}, "ner" if name == "f1" else "dep")
    if name == "las":
        before, after = tables.las(rng, targets, 4, words=20)
    else:
        # Clusters of equal size: 2 tp + fp + fn is 10 in the baseline.
        tp = rng.binomial(4, 0.6, 25)
        fp = rng.binomial(10 - 4 - tp, 0.5)
        before = {"tp": tp, "fp": fp, "fn": 10 - 2 * tp - fp}
        gain = rng.binomial(before["fn"], 0.3, (4, 25))
        after = {"tp": tp + gain, "fp": fp + rng.poisson(0.3, (4, 25)), "fn": before["fn"] - gain}
    row = cell_intervals(_statistics(targets, before, after), scale).iloc[0]
    z = _table(before, after, metric_named(name), scale)
    rest = z - z.mean(1, keepdims=True) - z.mean(0, keepdims=True) + z.mean()
    ms_rep, ms_item = 25 * z.mean(axis=1).var(ddof=1), 4 * z.mean(axis=0).var(ddof=1)
    ms_rest = (rest**2).sum() / (3 * 24)
    assert row["estimate"] == pytest.approx(z.mean())
    assert row["se"] ** 2 == pytest.approx(max(ms_rep + ms_item - ms_rest, ms_rest) / 100)
    half = stats.t.ppf(0.975, row["df"]) * row["se"]
    assert (row["low"], row["high"]) == pytest.approx((z.mean() - half, z.mean() + half))
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(z.mean()) / row["se"], row["df"]))


def test_items_part_agrees_with_the_jackknife_over_unequal_clusters():
    rng = np.random.default_rng(2)
    targets = tables.separate({"wol": 150})
    before, after = tables.las(rng, targets, 1)
    # Equal replicates leave the items alone.
    after = {name: np.repeat(values, 5, axis=0) for name, values in after.items()}
    row = cell_intervals(_statistics(targets, before, after)).iloc[0]

    def ts(without):
        keep = np.delete(np.arange(150), without)
        new, old = (
            100 * c["las"][..., keep].sum() / c["total"][..., keep].sum()
            for c in ({k: v[0] for k, v in after.items()}, before)
        )
        return 100 * (new - old) / old

    dropped = np.array([ts(j) for j in range(150)])
    assert row["estimate"] == pytest.approx(ts([]))
    assert row["se"] == pytest.approx(np.sqrt(149 / 150 * np.square(dropped - dropped.mean()).sum()), rel=0.02)
    share = before["total"] / before["total"].sum()
    assert row["df"] == pytest.approx(1 / (share**2).sum() - 1)


def test_this_test_set_is_the_t_interval_over_replicates():
    targets = tables.separate({"wol": 40})
    before, after = tables.las(np.random.default_rng(3), targets, 6)
    row = cell_intervals(_statistics(targets, before, after), estimand="this_test_set", level=0.9).iloc[0]
    reference = 100 * before["las"].sum() / before["total"].sum()
    ts = 100 * (100 * after["las"].sum(axis=1) / before["total"].sum() - reference) / reference
    low, high = stats.t.interval(0.9, 5, ts.mean(), stats.sem(ts))
    assert (row["low"], row["high"], row["df"]) == pytest.approx((low, high, 5))
    assert row["p"] == pytest.approx(stats.ttest_1samp(ts, 0).pvalue)
    assert row["level"] == 0.9


def test_replicates_of_two_devices_are_paired_with_their_own_baseline():
    """Shifting one device's scores and baseline alike leaves the difference, and its interval, as it was."""
    targets = tables.separate({"wol": 60})
    before, after = tables.las(np.random.default_rng(4), targets, 4, words=30)
    one = cell_intervals(_statistics(targets, before, after), "delta").iloc[0]
    more = np.array([0, 0, 1, 1])[:, None]
    other = cell_intervals(
        _statistics(
            targets,
            {"las": np.stack([before["las"], before["las"] + 1]), "total": np.stack([before["total"]] * 2)},
            {"las": after["las"] + more, "total": after["total"]},
            devices=("cpu", "cpu", "cuda", "cuda"),
            baseline_devices=("cpu", "cuda"),
        ),
        "delta",
    ).iloc[0]
    for name in ("estimate", "se", "df", "p"):
        assert other[name] == pytest.approx(one[name])


def _row(frame):
    return frame.iloc[0]


def test_cells_without_an_interval_say_why():
    rng = np.random.default_rng(5)
    targets = tables.separate({"fin": 1, "wol": 30})
    before, after = tables.las(rng, targets, 3)
    lone, usual = (row for _, row in cell_intervals(_statistics(targets, before, after)).iterrows())
    assert (lone["why"], usual["why"]) == ("one cluster", "")
    assert np.isnan(lone[["se", "df", "low", "high", "p"]].astype(float)).all() and np.isfinite(lone["estimate"])
    first = {name: values[:1] for name, values in after.items()}
    single = cell_intervals(_statistics(targets, before, first))
    assert set(single["why"]) == {"one replicate"} and single[["se", "p", "low"]].isna().all(axis=None)
    assert set(cell_intervals(_statistics(targets, before, first), estimand="this_test_set")["why"]) == {
        "one replicate"
    }
    assert _row(cell_intervals(_statistics(targets, before, after), estimand="this_test_set"))["why"] == ""


def test_nothing_varies_is_no_interval_and_p_of_one():
    targets = tables.separate({"wol": 30})
    before, _ = tables.las(np.random.default_rng(6), targets, 1)
    after = {name: np.stack([values] * 3) for name, values in before.items()}
    for scale in SCALES:
        for estimand in ("new_sentences", "this_test_set"):
            row = _row(cell_intervals(_statistics(targets, before, after), scale, estimand))
            assert (row["estimate"], row["why"], row["p"]) == (0.0, "nothing varies", 1.0)
            assert np.isnan(row[["se", "df", "low", "high"]].astype(float)).all()


def test_a_baseline_of_nothing_leaves_the_difference():
    targets = tables.separate({"wol": 30})
    before, after = tables.las(np.random.default_rng(7), targets, 3)
    before = {"las": 0 * before["las"], "total": before["total"]}
    statistics = _statistics(targets, before, after)
    ts, delta = (_row(cell_intervals(statistics, scale)) for scale in ("ts", "delta"))
    assert ts["why"] == "undefined baseline" and np.isnan(ts["estimate"]) and not ts["aggregated"]
    scores = 100 * after["las"].sum(axis=1) / before["total"].sum()
    assert delta["estimate"] == pytest.approx(scores.mean()) and delta["se"] > 0
    assert np.isnan(_row(cell_intervals(statistics, "logit_delta"))["estimate"])


def test_a_score_of_nothing_has_no_logarithm():
    targets = tables.separate({"wol": 30})
    before, after = tables.las(np.random.default_rng(8), targets, 3)
    after["las"][1] = 0
    rows = {scale: _row(cell_intervals(_statistics(targets, before, after), scale)) for scale in SCALES}
    assert {scale: row["why"] for scale, row in rows.items()} == {
        "ts": "", "delta": "", "log_ratio": "undefined score", "logit_delta": "undefined score",
    }  # fmt: skip


def test_nll_is_better_when_lower_and_has_no_odds():
    targets = tables.separate({"wol": 50}, "mlm")
    rng = np.random.default_rng(9)
    before = {"nll": rng.gamma(20, 1, 50), "total": np.full(50, 10)}
    after = {"nll": before["nll"] * 0.9 * rng.uniform(0.9, 1.1, (4, 50)), "total": np.full((4, 50), 10)}
    statistics = _statistics(targets, before, after)
    row = _row(cell_intervals(statistics))
    assert row["estimate"] == pytest.approx(10, abs=1.5) and row["low"] > 0
    assert _row(cell_intervals(statistics, "logit_delta"))["why"] == "undefined baseline"


def test_columns_and_order():
    targets = tables.separate({"zul": 9, "fin": 9})
    before, after = tables.las(np.random.default_rng(10), targets, 3)
    frame = cell_intervals(_statistics(targets, before, after, adapter_seed=None))
    shown = ["self_transfer", "aggregated", "reference", "score", "n_replicates", "n_clusters"]
    assert frame.columns.tolist() == [*CELL, *shown, *INTERVAL]
    assert frame["target"].tolist() == ["fin", "zul"] and frame["self_transfer"].tolist() == [True, False]
    assert str(frame["steps"].dtype) == str(frame["adapter_seed"].dtype) == "Int64"
    assert frame["adapter_seed"].isna().all()
    assert (frame["n_replicates"] == 3).all() and (frame["n_clusters"] == 9).all()


def test_no_entries_give_no_cells():
    statistics = interval_statistics([], [], tables.NO_FLAGS)
    assert cell_intervals(statistics).empty
    pd.testing.assert_index_equal(cell_intervals(statistics).columns[-10:], pd.Index(INTERVAL))


def test_errors():
    statistics = interval_statistics([], [], tables.NO_FLAGS)
    with pytest.raises(ValueError, match="estimand='new_targets' is not defined for a cell, which has one target"):
        cell_intervals(statistics, estimand="new_targets")
    with pytest.raises(ValueError, match="scale='percent' is not among the known values: ts, delta"):
        cell_intervals(statistics, "percent")
    with pytest.raises(ValueError, match="level=95 is not between 0 and 1; write 0.95 for 95 %"):
        cell_intervals(statistics, level=95)
