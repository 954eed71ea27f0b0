"""Quadratic forms in the moments against sums over clusters, one after another."""

import cluster_tables as tables
import numpy as np
import pytest

from xltransfer.analysis.cluster_moments import cluster_moments
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.shared_clusters import parallel_groups
from xltransfer.analysis.shifts import shift
from xltransfer.analysis.untouched import untouched

LAS = metric_named("las")
CLUSTERS = {"a": [0, 1, 2, 3], "b": [10, 11, 12], "c": [2, 3, 4, 5, 6], "d": [20, 21, 22, 23]}


def _shifts(rng, targets, seeds, devices):
    shifts = []
    for _ in range(seeds):
        drawn = [tables.las(rng, targets, 3) for _ in set(devices)]
        before = {name: np.stack([one[name] for one, _ in drawn]) for name in ("las", "total")}
        base = untouched(tables.untouched(targets, before, devices=tuple(dict.fromkeys(devices))), LAS)
        shifts.append(shift(tables.nudged(targets, drawn[0][1], devices=devices), base, LAS))
    return shifts


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("devices", [("cpu", "cpu", "cpu"), ("cpu", "cuda", "cpu")])
def test_variances_add_influences_of_a_cluster_before_squaring(seeds, devices):
    rng = np.random.default_rng(5)
    targets = tables.targets_of(CLUSTERS)
    shifts = _shifts(rng, targets, seeds, devices)
    factors = rng.normal(size=(2 * seeds, 4))
    moments = cluster_moments(shifts, targets.starts, parallel_groups(targets))
    items, rests = moments.variances(factors)

    owner = np.repeat(np.arange(4), np.diff(targets.starts))
    for at, members in ((0, (0, 2)), (1, (1,)), (3, (3,))):
        item, rest = 0.0, 0.0
        for code in {c for t in members for c in CLUSTERS["abcd"[t]]}:
            places = [i for i in np.flatnonzero(targets.cluster == code) if owner[i] in members]
            mean, left = 0.0, np.zeros(3)
            for i in places:
                for seed, one in enumerate(shifts):
                    for part in range(2):
                        factor = factors[2 * seed + part, owner[i]]
                        mean += factor * one.mean[part, i]
                        left += factor * one.rest[part, :, i] if part < len(one.rest) else 0.0
            item, rest = item + mean**2, rest + (left**2).sum()
        assert items[at] == pytest.approx(item)
        assert rests[at] == pytest.approx(rest)
    assert items[2] == rests[2] == 0.0, "inside the group of target 0"


def test_hand_worked_parallel_targets():
    """Influences +1, -1 on two targets with the same two clusters: a mean of both varies like one, not like half."""
    clusters = {"a": [0, 1], "b": [0, 1]}
    before = {"las": [5, 5] * 2, "total": [10, 10] * 2}
    after = {"las": [[6, 4] * 2] * 2, "total": [[10, 10] * 2] * 2}
    for shared, expected in ((True, 1.0), (False, 0.5)):
        targets = tables.targets_of(clusters if shared else {"a": [0, 1], "b": [2, 3]})
        base = untouched(tables.untouched(targets, before), LAS)
        moments = cluster_moments(
            [shift(tables.nudged(targets, after), base, LAS)], targets.starts, parallel_groups(targets)
        )
        # Influence of a cluster: (6 - 0.5 · 10) / 20 = 5 percent points; two of them, J/(J-1) = 2: 2 · 2 · 25.
        items, _ = moments.variances(np.array([[0.5, 0.5], [0.0, 0.0]]))
        assert items.sum() == pytest.approx(100.0 * expected)


def test_what_is_not_known_is_nothing():
    targets = tables.targets_of(CLUSTERS)
    before, after = tables.las(np.random.default_rng(0), targets, 3)
    scored = np.ones((3, 4), dtype=bool)
    scored[:, 2] = False
    base = untouched(tables.untouched(targets, before), LAS)
    moments = cluster_moments(
        [shift(tables.nudged(targets, after, scored), base, LAS)], targets.starts, parallel_groups(targets)
    )
    items, _ = moments.variances(np.array([[1.0, 1.0, 0.0, 1.0], [0.0] * 4]))
    assert np.isfinite(items).all() and items[0] == pytest.approx(moments.item[0, 0, 0])
