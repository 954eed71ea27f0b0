"""Intervals of aggregates: estimates against the rankings, variances against loops and an analysis of variance."""

import cluster_tables as tables
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xltransfer.analysis import rank_target_languages, rank_transfer_languages
from xltransfer.analysis.aggregate_intervals import target_aggregates, transfer_aggregates
from xltransfer.analysis.frames import CELL
from xltransfer.analysis.interval_statistics import interval_statistics
from xltransfer.analysis.intervals import cell_intervals
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.scales import SCALES, change, slopes
from xltransfer.analysis.student import INTERVAL

LANGUAGES = pd.DataFrame({"code": ["est", "fin", "wol", "zul"], "family": ["u", "u", "w", "z"]})
CLUSTERS = {"est": range(0, 20), "fin": range(10, 40), "wol": range(100, 112), "zul": range(200, 225)}
TRANSFERS = ("fin", "tur", "wol")
LAS = metric_named("las")


class Study:
    """Random counts of three transfer entries on four targets, two of them parallel in part."""

    def __init__(self, seeds=(0,), replicates=3, clusters=CLUSTERS, seed=0):
        rng = np.random.default_rng(seed)
        self.targets = tables.targets_of(clusters)
        self.before = {s: tables.las(rng, self.targets, 1)[0] for s in seeds}
        self.after = {}
        for transfer in TRANSFERS:
            for s in seeds:
                total, right = self.before[s]["total"], self.before[s]["las"]
                shift = rng.normal(0, 0.03, (replicates, 1))
                won = rng.binomial(total - right, np.clip(0.1 + shift, 0, 1), (replicates, len(total)))
                lost = rng.binomial(right, 0.08, won.shape)
                self.after[transfer, s] = {"las": right + won - lost, "total": np.broadcast_to(total, won.shape)}

    def statistics(self, flags=tables.NO_FLAGS, languages=LANGUAGES, scored=None):
        entries = [
            tables.nudged(
                self.targets, counts, None if scored is None else scored.get(key), transfer=key[0], adapter_seed=key[1]
            )
            for key, counts in self.after.items()
        ]
        baselines = [tables.untouched(self.targets, counts, adapter_seed=s) for s, counts in self.before.items()]
        return interval_statistics(entries, baselines, flags, languages)

    def linearised(self, transfer, scale):
        """Return changes [replicate, target] and influences [replicate, cluster] times the loading, seeds averaged."""
        changes, influences = [], []
        for s, before in self.before.items():
            after = self.after[transfer, s]
            g, y = np.zeros((len(after["las"]), 4)), np.zeros(after["las"].shape)
            for t in range(4):
                part = slice(self.targets.starts[t], self.targets.starts[t + 1])
                total, right = before["total"][part], before["las"][part]
                reference = 100 * right.sum() / total.sum()
                scores = 100 * after["las"][:, part].sum(axis=1) / total.sum()
                g[:, t] = change(scale, scores, np.array(reference), LAS)
                slope, tilt = slopes(scale, scores.mean(), np.array(reference), LAS)
                base = (100 * right - reference * total) / total.sum()
                own = (100 * after["las"][:, part] - scores[:, None] * total) / total.sum()
                y[:, part] = (slope * (own - base) + tilt * base) / np.sqrt(1 - total / total.sum())
            changes.append(g)
            influences.append(y)
        return np.mean(changes, axis=0), np.mean(influences, axis=0)


def _measured(statistics):
    """Return cells as ``transfer_scores`` would, for the rankings."""
    cells = statistics.cells
    frame = cells[[*CELL, "self_transfer", "aggregated", "n_replicates"]].assign(ts=cells["estimate_ts"])
    return frame.assign(ts_sd=np.sqrt(cells["variance_ts"]))


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_estimates_are_those_of_the_rankings(include_self, seeds):
    flags = pd.DataFrame({"adapter_seed": [0], "task": "dep", "dataset": "ud", "target": ["zul"], "small": [True]})
    statistics = Study(seeds).statistics(flags.astype({"adapter_seed": "Int64"}))
    ts = _measured(statistics)
    expected = rank_transfer_languages(ts, include_self).set_index("transfer").sort_index()
    found = transfer_aggregates(statistics, include_self=include_self).set_index("transfer").sort_index()
    np.testing.assert_allclose(found["estimate"], expected["aggregated_transfer"], rtol=1e-13)
    assert found["n_targets"].tolist() == expected["n_targets"].tolist()
    expected = rank_target_languages(ts, include_self).set_index("target").sort_index()
    found = target_aggregates(statistics, include_self=include_self).set_index("target").sort_index()
    np.testing.assert_allclose(found["estimate"], expected["aggregated_target"], rtol=1e-13)
    assert found["n_transfers"].tolist() == expected["n_transfers"].tolist()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize(
    ("weighting", "weights"), [("macro", [0.25] * 4), ("family", [1 / 6, 1 / 6, 1 / 3, 1 / 3]), ("words", None)]
)
def test_fixed_targets_against_loops_over_clusters(scale, seeds, weighting, weights):
    study = Study(seeds)
    statistics = study.statistics()
    owner = np.repeat(np.arange(4), np.diff(study.targets.starts))
    if weights is None:
        weights = np.bincount(owner, weights=study.before[0]["total"])
        weights = weights / weights.sum()
    found = transfer_aggregates(statistics, scale, "new_sentences", weighting).set_index("transfer")
    for transfer in TRANSFERS:
        g, y = study.linearised(transfer, scale)
        aggregate = g @ weights
        item = rest = 0.0
        for code in np.unique(study.targets.cluster):
            summed = sum(weights[owner[i]] * y[:, i] for i in np.flatnonzero(study.targets.cluster == code))
            item += summed.mean() ** 2
            rest += np.square(summed - summed.mean()).sum() / 6
        replicate = aggregate.var(ddof=1) / 3
        row = found.loc[transfer]
        assert row["estimate"] == pytest.approx(aggregate.mean())
        assert row["se"] ** 2 == pytest.approx(max(replicate + item - rest, rest))
        assert (row["n_targets"], row["n_replicates"]) == (4, 3)


def test_this_test_set_is_the_t_interval_of_the_replicates_aggregates():
    study = Study(replicates=5)
    found = transfer_aggregates(study.statistics(), estimand="this_test_set").set_index("transfer")
    g, _ = study.linearised("tur", "ts")
    low, high = stats.t.interval(0.95, 4, g.mean(), stats.sem(g.mean(axis=1)))
    assert found.loc["tur", ["low", "high"]].tolist() == pytest.approx([low, high])


APART = {"est": range(0, 20), "fin": range(20, 50), "wol": range(100, 112), "zul": range(200, 225)}


def test_new_targets_are_the_two_way_analysis_of_variance_over_targets():
    study = Study(replicates=4, clusters=APART)
    found = transfer_aggregates(study.statistics()).set_index("transfer")
    assert set(found["estimand"]) == {"new_targets"}
    for transfer in TRANSFERS:
        g, _ = study.linearised(transfer, "ts")
        rest = g - g.mean(1, keepdims=True) - g.mean(0, keepdims=True) + g.mean()
        ms_rep, ms_target, ms_rest = 4 * g.mean(1).var(ddof=1), 4 * g.mean(0).var(ddof=1), (rest**2).sum() / 9
        assert found.loc[transfer, "se"] ** 2 == pytest.approx(max(ms_rep + ms_target - ms_rest, ms_rest) / 16)


def test_new_families_are_the_same_over_means_of_families():
    study = Study(replicates=4, clusters=APART)
    row = transfer_aggregates(study.statistics(), weighting="family").set_index("transfer").loc["tur"]
    g, _ = study.linearised("tur", "ts")
    g = np.column_stack([g[:, :2].mean(axis=1), g[:, 2], g[:, 3]])
    rest = g - g.mean(1, keepdims=True) - g.mean(0, keepdims=True) + g.mean()
    ms_rep, ms_family, ms_rest = 3 * g.mean(1).var(ddof=1), 4 * g.mean(0).var(ddof=1), (rest**2).sum() / 6
    assert row["estimate"] == pytest.approx(g.mean())
    assert row["se"] ** 2 == pytest.approx(max(ms_rep + ms_family - ms_rest, ms_rest) / 12)


@pytest.mark.parametrize("weighting", ["macro", "family"])
def test_new_targets_add_what_parallel_targets_vary_together(weighting):
    """Against loops over pairs of units and shared clusters; est and fin are one family and share clusters."""
    clusters = {"est": range(0, 20), "fin": range(10, 40), "wol": range(30, 50), "zul": range(200, 225)}
    study = Study(replicates=4, clusters=clusters)
    found = transfer_aggregates(study.statistics(), weighting=weighting).set_index("transfer")
    units = [0, 1, 2, 3] if weighting == "macro" else [0, 0, 1, 2]
    count = max(units) + 1
    weights = np.array([1 / count / units.count(u) for u in units])
    owner = np.repeat(np.arange(4), np.diff(study.targets.starts))
    for transfer in TRANSFERS:
        g, y = study.linearised(transfer, "ts")
        g = np.column_stack([g[:, [t for t in range(4) if units[t] == u]].mean(axis=1) for u in range(count)])
        left = g - g.mean(1, keepdims=True) - g.mean(0, keepdims=True) + g.mean()
        unit, rest = g.mean(0).var(ddof=1) / count, (left**2).sum() / (3 * (count - 1)) / g.size
        together = 0.0
        for i, one in enumerate(study.targets.cluster):
            for j, other in enumerate(study.targets.cluster):
                if one == other and units[owner[i]] != units[owner[j]]:
                    product = y[:, i].mean() * y[:, j].mean()
                    noise = ((y[:, i] - y[:, i].mean()) * (y[:, j] - y[:, j].mean())).sum() / 12
                    together += weights[owner[i]] * weights[owner[j]] * (product - noise)
        unit += max(together, 0.0) / (1 - 1 / count)
        variance = max(g.mean(axis=1).var(ddof=1) / 4 + unit - rest, rest)
        assert found.loc[transfer, "se"] ** 2 == pytest.approx(variance)


def test_the_same_test_set_four_times_is_worth_one():
    study = Study(replicates=4, clusters=dict.fromkeys(CLUSTERS, range(25)))
    for counts in (*study.before.values(), *study.after.values()):
        for name, values in counts.items():
            counts[name] = np.tile(values[..., :25], 4)
    statistics = study.statistics()
    cells = cell_intervals(statistics).query("target == 'wol'").set_index("transfer")
    found = transfer_aggregates(statistics, estimand="new_sentences").set_index("transfer")
    for name in ("estimate", "se", "df"):
        np.testing.assert_allclose(found[name], cells[name])
    found = transfer_aggregates(statistics).set_index("transfer")
    replicate = transfer_aggregates(statistics, estimand="this_test_set").set_index("transfer")["se"] ** 2
    # V_rep + V_item − V_res, and not below V_rep: there is no rest between targets.
    np.testing.assert_allclose(found["se"] ** 2, np.maximum(cells["se"] ** 2, replicate))


def test_without_self_the_own_target_is_gone():
    study = Study()
    g, _ = study.linearised("fin", "ts")
    row = transfer_aggregates(study.statistics(), include_self=False).set_index("transfer").loc["fin"]
    assert row["estimate"] == pytest.approx(g[:, [0, 2, 3]].mean()) and row["n_targets"] == 3


@pytest.mark.parametrize("scale", ["ts", "log_ratio"])
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize("include_self", [True, False])
def test_what_a_target_receives_against_loops(scale, seeds, include_self):
    study = Study(seeds)
    found = target_aggregates(study.statistics(), scale, include_self=include_self).set_index("target")
    fixed = target_aggregates(study.statistics(), scale, "this_test_set", include_self).set_index("target")
    for t, target in enumerate(CLUSTERS):
        part = slice(study.targets.starts[t], study.targets.starts[t + 1])
        counted = [transfer for transfer in TRANSFERS if include_self or transfer != target]
        tables_of = [study.linearised(transfer, scale) for transfer in counted]
        n = len(counted)
        between = [g[:, t].var(ddof=1) / 3 for g, _ in tables_of]
        replicate = sum(between) / n**2
        item = np.square(sum(y[:, part].mean(axis=0) for _, y in tables_of) / n).sum()
        rest = sum(np.square(y[:, part] - y[:, part].mean(axis=0)).sum() / 6 for _, y in tables_of) / n**2
        row = found.loc[target]
        assert row["estimate"] == pytest.approx(np.mean([g[:, t].mean() for g, _ in tables_of]))
        assert row["se"] ** 2 == pytest.approx(max(replicate + item - rest, rest))
        assert (row["n_transfers"], row["n_replicates"]) == (n, 3 * n)
        assert fixed.loc[target, "se"] ** 2 == pytest.approx(replicate)
        assert fixed.loc[target, "df"] == pytest.approx(sum(between) ** 2 / sum(v**2 / 2 for v in between))


def test_one_target_as_an_aggregate_is_its_cell():
    study = Study(clusters={"est": [0, 1, 2], "fin": [3, 4], "wol": range(50, 90), "zul": [5, 6]})
    flags = pd.DataFrame({"task": "dep", "dataset": "ud", "target": ["est", "fin", "zul"], "small": True})
    statistics = study.statistics(flags)
    cells = cell_intervals(statistics).query("target == 'wol'").set_index("transfer")
    found = transfer_aggregates(statistics, estimand="new_sentences").set_index("transfer")
    for name in ("estimate", "se", "df", "low", "p"):
        np.testing.assert_allclose(found[name], cells[name])
    assert set(transfer_aggregates(statistics)["why"]) == {"one target"}
    assert set(transfer_aggregates(statistics, weighting="family")["why"]) == {"one family"}


def test_missing_replicates_leave_balanced_targets_as_they_are():
    study = Study(replicates=4)
    scored = np.ones((4, 4), dtype=bool)
    scored[3, 0] = False
    statistics = study.statistics(scored={("tur", 0): scored})
    row = transfer_aggregates(statistics).set_index("transfer").loc["tur"]
    g, _ = study.linearised("tur", "ts")
    assert row["estimate"] == pytest.approx(np.mean([g[:3, 0].mean(), *g[:, 1:].mean(axis=0)]))
    assert row["why"] == "" and row["se"] > 0
    whole = transfer_aggregates(study.statistics()).set_index("transfer").loc["tur"]
    assert row["se"] == pytest.approx(whole["se"], rel=0.5)
    received = target_aggregates(statistics).set_index("target")
    complete = target_aggregates(study.statistics()).set_index("target")
    assert received.loc["est", "n_replicates"] == 11
    pd.testing.assert_frame_equal(received.drop(index="est"), complete.drop(index="est"))


def test_single_replicates_say_so():
    statistics = Study(replicates=1).statistics()
    for frame in (transfer_aggregates(statistics), target_aggregates(statistics)):
        assert set(frame["why"]) == {"one replicate"} and frame[["se", "p", "low"]].isna().all(axis=None)
        assert frame["estimate"].notna().all()


def test_an_entry_with_one_replicate_is_taken_to_vary_like_the_others():
    study = Study(replicates=4)
    study.after["wol", 0] = {name: values[:1] for name, values in study.after["wol", 0].items()}
    found = target_aggregates(study.statistics(), estimand="this_test_set").set_index("target")
    known = [study.linearised(transfer, "ts")[0][:, 0].var(ddof=1) / 4 for transfer in ("fin", "tur")]
    assert found.loc["est", "se"] ** 2 == pytest.approx(np.mean(known) * 3 / 9)


def test_nothing_in_the_aggregates():
    flags = pd.DataFrame({"task": "dep", "dataset": "ud", "target": list(CLUSTERS), "small": True})
    statistics = Study().statistics(flags)
    by_transfer, by_target = transfer_aggregates(statistics), target_aggregates(statistics)
    assert set(by_transfer["why"]) == {"no target"} and set(by_transfer["n_targets"]) == {0}
    assert set(by_target["why"]) == {"no transfer entry"} and by_target["estimate"].isna().all()


def test_columns_and_empty_runs():
    keys = ["base", "setting", "task", "metric", "steps"]
    for statistics in (Study().statistics(), interval_statistics([], [], tables.NO_FLAGS, LANGUAGES)):
        frame = transfer_aggregates(statistics)
        shown = ["weighting", "include_self", "n_targets", "n_replicates"]
        assert frame.columns.tolist() == [*keys, "transfer", "corpus", *shown, *INTERVAL]
        frame = target_aggregates(statistics)
        assert frame.columns.tolist() == [
            *keys,
            "dataset",
            "target",
            "include_self",
            "n_transfers",
            "n_replicates",
            *INTERVAL,
        ]


def test_errors():
    statistics = Study().statistics(languages=None)
    with pytest.raises(ValueError, match="weighting='family' needs families; give interval_statistics"):
        transfer_aggregates(statistics, weighting="family")
    with pytest.raises(
        ValueError, match="weighting='word' is not among the known values: macro, family, words.*did you"
    ):
        transfer_aggregates(statistics, weighting="word")
    with pytest.raises(ValueError, match="estimand='new_targets' is not defined for an aggregate of one target"):
        target_aggregates(statistics, estimand="new_targets")
