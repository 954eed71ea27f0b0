"""Weights of bootstrap draws: how many, shared by whom, and the same for a seed."""

import cluster_tables as tables
import numpy as np
import pytest
from scipy import stats

from xltransfer.analysis.resamples import Resamples


def test_each_draw_holds_as_many_as_there_are_and_draw_0_is_the_data():
    weights = Resamples(500, 1).replicates(("b", "fin", 10), 7)
    assert weights.shape == (7, 501)
    assert (weights.sum(axis=0) == 7).all() and (weights[:, 0] == 1).all()
    # Binomial(7, 1/7) for each.
    expected = 3500 * stats.binom.pmf([0, 1, 2, 3], 7, 1 / 7)
    found = np.bincount(weights[:, 1:].ravel())[:4]
    assert stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue > 1e-3


def test_the_same_seed_and_names_give_the_same_draws():
    one, other = Resamples(50, 3), Resamples(50, 3)
    np.testing.assert_array_equal(one.replicates(("b", "fin"), 5), other.replicates(("b", "fin"), 5))
    assert (one.replicates(("b", "fin"), 5) != one.replicates(("b", "zul"), 5)).any()
    assert (one.replicates(("b", "fin"), 5) != Resamples(50, 4).replicates(("b", "fin"), 5)).any()


def test_parallel_targets_draw_their_shared_clusters_together():
    targets = tables.targets_of({"a": [5, 6, 7], "b": [6, 7, 8, 9], "c": [20, 21]})
    weights = Resamples(200, 0).clusters(targets)
    np.testing.assert_array_equal(weights[1:3], weights[3:5])
    whole = np.vstack([weights[:3], weights[5:7]]).sum(axis=0)
    assert (whole == 5).all(), "five distinct clusters in the group of a and b"
    assert (weights[7:].sum(axis=0) == 2).all()
    assert abs(np.corrcoef(weights[0, 1:], weights[7, 1:])[0, 1]) < 0.3


def test_two_tasks_on_the_same_sentences_draw_the_same():
    clusters = {"a": range(30), "b": range(30, 70)}
    resamples = Resamples(20, 0)
    pos, dep = (resamples.clusters(tables.targets_of(clusters, task)) for task in ("pos", "dep"))
    np.testing.assert_array_equal(pos, dep)


@pytest.mark.parametrize("new_clusters", [True, False])
def test_what_is_not_drawn_is_there_once(new_clusters):
    resamples = Resamples(20, 0, new_units=not new_clusters, new_clusters=new_clusters)
    assert (resamples.clusters(tables.separate({"a": 9})) == 1).all() == (not new_clusters)
    assert (resamples.units("dep", 9) == 1).all() == new_clusters
