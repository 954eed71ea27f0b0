"""A transfer entry beside its baseline: pairing by device, replicates that are missing or in two rows."""

import cluster_tables as tables
import numpy as np
import pytest

from xltransfer.analysis.influence import influences
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.shifts import aligned, shift
from xltransfer.analysis.untouched import untouched

LAS = metric_named("las")
TARGETS = tables.separate({"fin": 5, "wol": 8})
BEFORE, AFTER = tables.las(np.random.default_rng(0), TARGETS, 4)
OTHER = {"las": np.maximum(BEFORE["las"] - 1, 0), "total": BEFORE["total"]}


def _influence(counts):
    return influences({k: np.atleast_2d(v).astype(float) for k, v in counts.items()}, LAS, TARGETS.starts).influence


def test_mean_and_rest_put_the_influences_back_together():
    base = untouched(tables.untouched(TARGETS, BEFORE), LAS)
    found = shift(tables.nudged(TARGETS, AFTER), base, LAS)
    assert found.rest.shape == (1, 4, 13), "one baseline for all replicates"
    together = (found.mean[0] + found.rest[0] * np.sqrt(4 * 3)) / base.loading
    np.testing.assert_allclose(together, _influence(AFTER) - _influence(BEFORE), atol=1e-12)
    np.testing.assert_allclose(found.mean[1] / base.loading, _influence(BEFORE)[0])


def test_each_replicate_meets_the_baseline_of_its_device():
    both = {name: np.stack([BEFORE[name], OTHER[name]]) for name in BEFORE}
    base = untouched(tables.untouched(TARGETS, both, devices=("cpu", "cuda")), LAS)
    entry = tables.nudged(TARGETS, AFTER, devices=("cuda", "cpu", "cuda", "cpu"))
    found = shift(entry, base, LAS)
    np.testing.assert_allclose(found.reference, base.score[[1, 0, 1, 0]])
    own = _influence(both)[[1, 0, 1, 0]]
    together = (found.mean[:, None] + found.rest * np.sqrt(4 * 3)) / base.loading
    np.testing.assert_allclose(together, np.stack([_influence(AFTER) - own, own]), atol=1e-12)


def test_a_device_without_baseline_leaves_its_replicates_undefined():
    base = untouched(tables.untouched(TARGETS, BEFORE), LAS)
    found = shift(tables.nudged(TARGETS, AFTER, devices=("cpu", "cpu", "tpu", "cpu")), base, LAS)
    assert np.isnan(found.reference[2]).all() and np.isfinite(found.reference[[0, 1, 3]]).all()


def test_a_missing_replicate_is_left_out_of_its_target_only():
    base = untouched(tables.untouched(TARGETS, BEFORE), LAS)
    scored = np.ones((4, 2), dtype=bool)
    scored[3, 1] = False
    found = shift(tables.nudged(TARGETS, AFTER, scored), base, LAS)
    three = shift(tables.nudged(TARGETS, {name: rows[:3] for name, rows in AFTER.items()}), base, LAS)
    four = shift(tables.nudged(TARGETS, AFTER), base, LAS)
    np.testing.assert_allclose(found.mean[:, 5:], three.mean[:, 5:])
    np.testing.assert_allclose(found.rest[0, :3, 5:], three.rest[0, :, 5:])
    assert (found.rest[0, 3, 5:] == 0).all()
    np.testing.assert_allclose(found.rest[0, :, :5], four.rest[0, :, :5])


def test_a_replicate_on_two_devices_is_one_replicate():
    base = untouched(
        tables.untouched(TARGETS, {k: np.stack([v, v]) for k, v in BEFORE.items()}, devices=("cpu", "cuda")), LAS
    )
    whole = shift(tables.nudged(TARGETS, AFTER, devices=("cpu",) * 4), base, LAS)
    rows = [0, 0, 1, 2, 3]
    scored = np.array([[True, False], [False, True], [True, True], [True, True], [True, True]])
    split = tables.nudged(
        TARGETS,
        {k: v[rows] for k, v in AFTER.items()},
        scored,
        replicates=np.array(rows),
        devices=("cpu", "cuda", "cpu", "cpu", "cpu"),
    )
    found = shift(split, base, LAS)
    for name in ("score", "reference", "scored"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    np.testing.assert_allclose(found.mean, whole.mean)
    np.testing.assert_allclose(found.rest[0], whole.rest[0], atol=1e-12)
    with pytest.raises(ValueError, match="two devices have scored the same replicate on the same target"):
        twice = tables.nudged(TARGETS, AFTER, replicates=np.array([0, 0, 1, 2]), devices=("cpu", "cuda", "cpu", "cpu"))
        shift(twice, base, LAS)


def test_adapter_seeds_get_the_same_rows():
    one = tables.nudged(TARGETS, {k: v[:3] for k, v in AFTER.items()}, replicates=np.array([0, 1, 4]))
    other = tables.nudged(TARGETS, {k: v[:2] for k, v in AFTER.items()}, replicates=np.array([1, 2]), adapter_seed=1)
    first, second = aligned([one, other])
    assert first.replicates.tolist() == second.replicates.tolist() == [0, 1, 2, 4]
    assert first.scored[:, 0].tolist() == [True, True, False, True]
    assert second.scored[:, 0].tolist() == [False, True, True, False]
    np.testing.assert_array_equal(second.counts["las"][1:3], AFTER["las"][:2])
    assert np.isnan(second.counts["las"][0]).all()
    assert aligned([one])[0] is one
