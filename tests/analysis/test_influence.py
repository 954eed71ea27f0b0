"""Influences of clusters against numeric derivatives and the jackknife."""

import cluster_tables as tables
import numpy as np
import pytest

from xltransfer.analysis.influence import influences, metrics_of
from xltransfer.analysis.metric_names import metric_named

SIZES = {"fin": 12, "wol": 30}


def _f1(counts, weights):
    tp, fp, fn = (float((counts[name] * weights).sum()) for name in ("tp", "fp", "fn"))
    return 100 * 2 * tp / (2 * tp + fp + fn)


def test_f1_is_differentiated_rightly():
    targets = tables.separate(SIZES, "ner")
    counts, _ = tables.f1(np.random.default_rng(0), targets, 1)
    found = influences(
        {k: np.atleast_2d(v).astype(float) for k, v in counts.items()}, metric_named("f1"), targets.starts
    )
    for t, (start, stop) in enumerate([(0, 12), (12, 42)]):
        part = {name: values[start:stop] for name, values in counts.items()}
        ones = np.ones(stop - start)
        assert found.score[0, t] == pytest.approx(_f1(part, ones))
        for j in range(stop - start):
            step = 1e-5 * np.eye(stop - start)[j]
            slope = (_f1(part, ones + step) - _f1(part, ones - step)) / 2e-5
            assert found.influence[0, start + j] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("name", ["las", "nll"])
def test_influences_sum_to_nothing_and_agree_with_the_jackknife(name):
    rng = np.random.default_rng(1)
    targets = tables.separate({"fin": 300})
    counts = {"total": rng.integers(3, 40, (1, 300)).astype(float)}
    counts[name] = rng.gamma(2.0, counts["total"]) if name == "nll" else rng.binomial(counts["total"].astype(int), 0.6)
    metric = metric_named(name)
    found = influences(counts, metric, targets.starts)
    assert found.influence.sum() == pytest.approx(0.0, abs=1e-9)
    without = [metric.score({k: np.delete(v[0], j).sum() for k, v in counts.items()}) for j in range(300)]
    jackknife = 299 / 300 * np.square(np.array(without) - np.mean(without)).sum()
    assert 300 / 299 * (found.influence**2).sum() == pytest.approx(jackknife, rel=0.02)


def test_nothing_to_divide_by_is_undefined():
    found = influences(
        {"las": np.zeros((1, 2)), "total": np.array([[0.0, 0.0]])}, metric_named("las"), np.array([0, 2])
    )
    assert np.isnan(found.score).all() and np.isnan(found.influence).all()


def test_metrics_follow_from_count_columns():
    assert [m.name for m in metrics_of(["las", "uas", "total", "nll", "subwords"])] == ["nll", "las", "uas"]
    assert [m.name for m in metrics_of(["tp", "fp", "fn"])] == ["f1"]
    assert metrics_of(["total"]) == ()
