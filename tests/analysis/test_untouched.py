"""What is known of the test sets from the untouched model: sizes of clusters, and what corrects for them."""

import cluster_tables as tables
import numpy as np
import pytest

from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.untouched import untouched

LAS, F1 = metric_named("las"), metric_named("f1")


def test_equal_clusters_have_the_usual_correction():
    targets = tables.separate({"fin": 4, "wol": 10})
    base = untouched(tables.untouched(targets, {"las": np.ones(14), "total": np.full(14, 3)}), LAS)
    np.testing.assert_allclose(base.loading**2, [4 / 3] * 4 + [10 / 9] * 10)
    np.testing.assert_allclose(base.effective, [4, 10])
    assert base.clusters.tolist() == [4, 10]
    assert base.words.tolist() == base.decisions.tolist() == [12, 30]


def test_unequal_clusters_by_hand():
    targets = tables.separate({"fin": 3})
    base = untouched(tables.untouched(targets, {"las": [1, 1, 0], "total": [8, 2, 0]}), LAS)
    np.testing.assert_allclose(base.size, [0.8, 0.2, 0.0])
    np.testing.assert_allclose(base.loading**2, [5.0, 1.25, 1.0])
    assert base.effective == pytest.approx(1 / 0.68)


def test_correction_is_unbiased_where_variance_goes_with_size():
    """Errors of words, independent: Σ influence² with the loading is the variance of the score; without, 11 % less."""
    rng = np.random.default_rng(0)
    total = np.array([1, 2, 3, 5, 8, 13, 21, 34])
    correct = rng.binomial(total, 0.6, (20_000, 8))
    targets = tables.separate({f"t{i:05d}": 8 for i in range(20_000)})
    base = untouched(tables.untouched(targets, {"las": correct.ravel(), "total": np.tile(total, 20_000)}), LAS)
    squares = (base.loading * base.influence[0]) ** 2
    assert squares.reshape(-1, 8).sum(axis=1).mean() == pytest.approx(1e4 * 0.24 / total.sum(), rel=0.02)


def test_one_cluster_and_nothing_scored():
    targets = tables.separate({"fin": 1, "wol": 2})
    base = untouched(tables.untouched(targets, {"las": [1, 0, 0], "total": [4, 0, 0]}), LAS)
    assert base.loading[0] == 0.0 and base.effective[0] == 1.0
    assert np.isnan(base.effective[1]) and np.isnan(base.score[0, 1])


def test_size_means_words_where_they_are_counted():
    spans = {"tp": [3, 0, 0, 1], "fp": [0, 0, 1, 0], "fn": [1, 0, 0, 0]}
    targets = tables.separate({"fin": 4})
    by_spans = untouched(tables.untouched(targets, spans), F1)
    by_words = untouched(tables.untouched(targets, {**spans, "total": [20, 30, 20, 30]}), F1)
    assert by_spans.effective == pytest.approx(100 / (49 + 1 + 4))
    np.testing.assert_allclose(by_words.loading, by_spans.loading)
    assert by_words.effective == pytest.approx(3.0), "not 1 / 0.26 = 3.8: one sentence has no span"


def test_f1_counts_spans_and_has_no_words_without_total():
    targets = tables.separate({"fin": 2})
    base = untouched(tables.untouched(targets, {"tp": [1, 2], "fp": [1, 0], "fn": [0, 3]}), F1)
    assert base.decisions.tolist() == [5.0], "4 predicted and 6 gold spans"
    assert np.isnan(base.words).all()


def test_devices_are_averaged_over_those_that_scored():
    targets = tables.separate({"fin": 2, "wol": 2})
    counts = {"las": [[1, 1, 1, 1], [1, 1, 1, 1]], "total": [[2, 6, 4, 4], [2, 6, 4, 4]]}
    scored = [[True, True], [True, False]]
    base = untouched(tables.untouched(targets, counts, devices=("cpu", "cuda"), scored=scored), LAS)
    np.testing.assert_allclose(base.size, [0.25, 0.75, 0.5, 0.5])
    assert np.isnan(base.score[1, 1]) and base.score[1, 0] == 25.0
