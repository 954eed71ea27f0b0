"""The bootstrap against explicit resampling with the same draws, and against the crossed interval."""

import cluster_tables as tables
import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.aggregate_intervals import target_aggregates, transfer_aggregates
from xltransfer.analysis.interval_statistics import interval_statistics
from xltransfer.analysis.intervals import cell_intervals
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.percentiles import percentile_intervals
from xltransfer.analysis.pigeonhole import pigeonhole
from xltransfer.analysis.resamples import Resamples
from xltransfer.analysis.scales import SCALES, change
from xltransfer.analysis.student import INTERVAL

CLUSTERS = {"fin": range(0, 12), "wol": range(8, 24), "zul": range(30, 40)}
LANGUAGES = pd.DataFrame({"code": ["fin", "wol", "zul"], "family": ["u", "n", "n"]})


def _study(make=tables.las, replicates=4, task="dep", clusters=CLUSTERS, seed=0):
    rng = np.random.default_rng(seed)
    targets = tables.targets_of(clusters, task)
    before, _ = make(rng, targets, 1)
    entries = [
        tables.nudged(targets, make(np.random.default_rng(seed), targets, replicates)[1], transfer=name)
        for seed, name in enumerate(("fin", "tur"))
    ]
    return tables.untouched(targets, before), entries


def _resampled(baseline, entry, metric, draws, seed):
    """Return changes [target, draw] from lists of what was drawn, each thing written out as often as it was."""
    resamples = Resamples(draws, seed)
    names = (entry.base, entry.setting, entry.transfer, entry.corpus, entry.steps)
    times, clusters = resamples.replicates(names, len(entry.replicates)), resamples.clusters(entry.targets)
    changes = np.empty((len(entry.targets.names), draws + 1))
    for d in range(draws + 1):
        rows = np.repeat(np.arange(len(times)), times[:, d])
        for t in range(len(changes)):
            part = np.arange(entry.targets.starts[t], entry.targets.starts[t + 1])
            places = np.repeat(part, clusters[part, d])
            score = metric.score({k: v[rows][:, places].sum(axis=1) for k, v in entry.counts.items()})
            reference = metric.score({k: v[0, places].sum() for k, v in baseline.counts.items()})
            changes[t, d] = change("ts", score, reference, metric).mean()
    return changes


@pytest.mark.parametrize(("make", "task", "name"), [(tables.las, "dep", "las"), (tables.f1, "ner", "f1")])
def test_products_of_weights_and_counts_are_explicit_resampling(make, task, name):
    baseline, entries = _study(make, task=task)
    found = pigeonhole(entries, [baseline], tables.NO_FLAGS, LANGUAGES, draws=60, seed=5, cells=True)
    drawn = {entry.transfer: _resampled(baseline, entry, metric_named(name), 60, 5) for entry in entries}
    for transfer, changes in drawn.items():
        cells = found.cells[found.cells["transfer"] == transfer].set_index("target")
        for t, target in enumerate(CLUSTERS):
            row = cells.loc[target]
            low, high = np.percentile(changes[t, 1:], [2.5, 97.5])
            assert (row["estimate"], row["se"]) == pytest.approx((changes[t, 0], changes[t, 1:].std(ddof=1)))
            assert (row["low"], row["high"]) == pytest.approx((low, high))
    received = found.targets.query("include_self").set_index("target")
    both = np.mean(list(drawn.values()), axis=0)
    np.testing.assert_allclose(received["se"], both[:, 1:].std(axis=1, ddof=1))
    np.testing.assert_allclose(received["estimate"], both[:, 0])
    times = Resamples(60, 5).units(task, 3)
    for transfer, changes in drawn.items():
        rows = found.transfers[(found.transfers["transfer"] == transfer) & found.transfers["include_self"]]
        row = rows.set_index("weighting").loc["macro"]
        aggregate = [np.repeat(changes[:, d], times[:, d]).mean() for d in range(61)]
        assert row["estimate"] == pytest.approx(aggregate[0])
        assert row["low"] == pytest.approx(np.percentile(aggregate[1:], 2.5))
        row = rows.set_index("weighting").loc["family"]
        # fin alone, wol and zul together: two families are drawn.
        by_family = np.stack([changes[0], changes[1:].mean(axis=0)])
        families = Resamples(60, 5).units(task, 2)
        aggregate = [np.repeat(by_family[:, d], families[:, d]).mean() for d in range(61)]
        assert row["se"] == pytest.approx(np.std(aggregate[1:], ddof=1))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("include_self", [True, False])
def test_estimates_are_those_of_the_crossed_intervals(scale, include_self):
    baseline, entries = _study()
    statistics = interval_statistics(entries, [baseline], tables.NO_FLAGS, LANGUAGES)
    found = pigeonhole(entries, [baseline], tables.NO_FLAGS, LANGUAGES, scale, draws=5, cells=True)
    np.testing.assert_allclose(found.cells["estimate"], cell_intervals(statistics, scale)["estimate"])
    for weighting in ("macro", "family", "words"):
        expected = transfer_aggregates(statistics, scale, weighting=weighting, include_self=include_self)
        rows = found.transfers.query("weighting == @weighting and include_self == @include_self")
        np.testing.assert_allclose(rows["estimate"], expected["estimate"])
        assert rows["n_targets"].tolist() == expected["n_targets"].tolist()
    expected = target_aggregates(statistics, scale, include_self=include_self)
    rows = found.targets.query("include_self == @include_self")
    np.testing.assert_allclose(rows["estimate"], expected["estimate"])
    assert rows["n_transfers"].tolist() == expected["n_transfers"].tolist()


def test_many_replicates_and_clusters_agree_with_the_crossed_interval():
    """Without interaction to speak of, and with ten replicates, the two must come close."""
    clusters = {"fin": range(300), "wol": range(300, 700), "zul": range(700, 1000)}
    baseline, entries = _study(replicates=10, clusters=clusters)
    statistics = interval_statistics(entries, [baseline], tables.NO_FLAGS)
    found = pigeonhole(entries, [baseline], tables.NO_FLAGS, estimand="new_sentences", draws=600, cells=True)
    ratio = found.cells["se"].to_numpy() / cell_intervals(statistics)["se"].to_numpy()
    assert 0.9 < ratio.mean() < 1.25
    fixed = pigeonhole(entries, [baseline], tables.NO_FLAGS, estimand="this_test_set", draws=600, cells=True)
    ratio = fixed.cells["se"].to_numpy() / cell_intervals(statistics, estimand="this_test_set")["se"].to_numpy()
    np.testing.assert_allclose(ratio, np.sqrt(9 / 10), atol=0.12)


def test_seed_decides_and_metrics_are_chosen():
    baseline, entries = _study()
    one, same, other = (
        pigeonhole(entries, [baseline], tables.NO_FLAGS, draws=20, seed=seed, metrics=["las"]).transfers
        for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, same)
    assert (one["se"] != other["se"]).all() and set(one["metric"]) == {"las"}
    assert pigeonhole(entries, [baseline], tables.NO_FLAGS, draws=20, metrics=["uas"]).transfers.empty


def test_columns_and_estimands():
    baseline, entries = _study()
    found = pigeonhole(entries, [baseline], tables.NO_FLAGS, draws=20, cells=True)
    for frame in (found.cells, found.transfers, found.targets):
        assert frame.columns.tolist()[-10:] == INTERVAL
        assert frame[["df", "p"]].isna().all(axis=None)
    assert set(found.transfers["estimand"]) == {"new_targets"}
    assert set(found.cells["estimand"]) == set(found.targets["estimand"]) == {"new_sentences"}


def test_no_interval_says_why():
    baseline, entries = _study(replicates=1)
    found = pigeonhole(entries, [baseline], tables.NO_FLAGS, draws=20, cells=True)
    for frame in (found.cells, found.transfers, found.targets):
        assert set(frame["why"]) == {"one replicate"} and frame[["se", "low", "high"]].isna().all(axis=None)
    flags = pd.DataFrame({"task": "dep", "dataset": "ud", "target": ["wol", "zul"], "small": True})
    baseline, entries = _study()
    found = pigeonhole(entries, [baseline], flags, draws=20)
    why = found.transfers.set_index(["transfer", "include_self"])["why"].to_dict()
    assert why == {
        ("fin", True): "one target",
        ("fin", False): "no target",
        ("tur", True): "one target",
        ("tur", False): "one target",
    }
    still = tables.nudged(entries[0].targets, {k: np.repeat(v, 3, axis=0) for k, v in baseline.counts.items()})
    found = pigeonhole([still], [baseline], tables.NO_FLAGS, draws=20, cells=True)
    assert set(found.cells["why"]) == {"nothing varies"}


def test_draws_without_a_baseline_are_left_out():
    draws = np.array([[1.0, np.nan, 1.0, 3.0], [1.0, np.nan, np.nan, 2.0]])
    found = percentile_intervals(draws, np.array(["", ""], dtype=object), "ts", "new_targets", 0.5)
    assert found["se"].tolist() == pytest.approx([np.sqrt(2), np.nan], nan_ok=True)
    assert found["why"].tolist() == ["", "undefined draws"]
    assert (found.loc[0, "low"], found.loc[0, "high"]) == (1.5, 2.5)


def test_errors():
    baseline, entries = _study()
    with pytest.raises(ValueError, match="draws=1 is less than 2; 1000 is usual"):
        pigeonhole(entries, [baseline], tables.NO_FLAGS, draws=1)
    with pytest.raises(ValueError, match="estimand='new_words' is not among"):
        pigeonhole(entries, [baseline], tables.NO_FLAGS, estimand="new_words")
