"""Counts from a frame of items: by hand, and equal to what a folder streams."""

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.item_counts import cluster_counts
from xltransfer.data.parallel import parallel_name
from xltransfer.runs.open import open_run

MEASUREMENTS = pd.DataFrame({"unit": ["base", "u0", "u1"], "base": "b", "device": ["cpu", "cpu", "cuda"]})


def _items(unit, replicate, target, clusters, correct, **more):
    rows = {
        "unit": unit, "setting": "nudge", "transfer": "fin", "corpus": "text", "steps": 10, "replicate": replicate,
        "adapter_seed": 0, "task": "pos", "dataset": "ud", "target": target, "options": "{}",
        "item": [f"{target}-{i}" for i in range(len(clusters))], "cluster": clusters, "correct": correct, "total": 10,
    }  # fmt: skip
    return pd.DataFrame(rows | more)


def _frame(*parts):
    whole = {"steps": "Int64", "replicate": "Int64", "adapter_seed": "Int64", "correct": "Int64"}
    return pd.concat(parts, ignore_index=True).astype(whole)


BASELINE = {"setting": "baseline", "transfer": "", "corpus": "", "steps": None}


def test_by_hand():
    items = _frame(
        _items("u1", 1, "zul", ["q", "p", "q"], [5, 6, 7]),
        _items("u0", 0, "fin", ["d", "d"], [1, 2]),
        _items("u0", 0, "zul", ["q", "p", "q"], [2, 3, 4]),
        _items("base", None, "zul", ["q", "p", "q"], [9, 9, 9], **BASELINE),
    )
    (entry,) = cluster_counts(items, MEASUREMENTS)
    assert (entry.base, entry.setting, entry.transfer, entry.corpus, entry.steps, entry.adapter_seed) == (
        "b", "nudge", "fin", "text", 10, 0,
    )  # fmt: skip
    assert entry.targets.names == (("ud", "fin"), ("ud", "zul"))
    assert entry.targets.starts.tolist() == [0, 1, 3]
    assert entry.targets.items.tolist() == [2, 2, 1], "clusters in the order of their first items"
    assert entry.replicates.tolist() == [0, 1] and entry.devices == ("cpu", "cuda")
    assert entry.scored.tolist() == [[True, True], [False, True]]
    np.testing.assert_array_equal(entry.counts["correct"], [[3, 6, 3], [np.nan, 12, 6]])
    np.testing.assert_array_equal(entry.counts["total"], [[20, 20, 10], [np.nan, 20, 10]])
    (baseline,) = cluster_counts(items, MEASUREMENTS, settings=("baseline",))
    assert baseline.steps is None and baseline.replicates.tolist() == [-1]
    assert baseline.scored.tolist() == [[False, True]]


def test_parallel_sets_with_gaps_share_their_clusters():
    q = [parallel_name("qa", f"q{i}") for i in range(4)]
    items = _frame(
        _items("u0", 0, "eng", [q[0], q[0], q[0], q[3]], [1, 2, 4, 8], item=q),
        _items("u0", 0, "fin", [q[1], q[1], q[3]], [16, 32, 64], item=q[1:]),
    )
    (entry,) = cluster_counts(items, MEASUREMENTS)
    assert entry.targets.cluster.tolist() == [0, 1, 0, 1] and entry.targets.items.tolist() == [3, 1, 2, 1]
    np.testing.assert_array_equal(entry.counts["correct"], [[7, 8, 48, 64]])
    # Where the other language has two of them in one cluster, they are one here too, and their counts are added.
    merged = _frame(
        _items("u0", 0, "eng", [q[0], q[0], q[2], q[3]], [1, 2, 4, 8], item=q),
        _items("u0", 0, "fin", [q[1], q[1], q[3]], [16, 32, 64], item=q[1:]),
    )
    (entry,) = cluster_counts(merged, MEASUREMENTS)
    assert entry.targets.cluster.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(entry.counts["correct"], [[7, 8, 48, 64]])


@pytest.mark.parametrize("settings", [("nudge",), ("baseline",), ("zero_steps", "random_sign")])
def test_a_frame_and_a_folder_give_the_same(mini_study, settings):
    run = open_run(mini_study.folder)
    streamed = list(run.cluster_counts(settings=settings))
    made = list(cluster_counts(run.items(), run.measurements(), settings))
    assert len(made) == len(streamed) > 0
    for one, other in zip(made, streamed, strict=True):
        for name in ("base", "setting", "transfer", "corpus", "steps", "adapter_seed", "devices"):
            assert getattr(one, name) == getattr(other, name)
        assert (one.targets.task, one.targets.names) == (other.targets.task, other.targets.names)
        for name in ("starts", "items", "cluster"):
            np.testing.assert_array_equal(getattr(one.targets, name), getattr(other.targets, name))
        np.testing.assert_array_equal(one.replicates, other.replicates)
        np.testing.assert_array_equal(one.scored, other.scored)
        assert one.counts.keys() == other.counts.keys()
        for name, values in one.counts.items():
            np.testing.assert_allclose(values, other.counts[name], rtol=1e-12)


def test_errors():
    items = _frame(_items("u0", 0, "zul", ["q"], [5]), _items("u0", 0, "zul", ["q"], [5]))
    with pytest.raises(ValueError, match="items hold an item twice in a cell: .*'target': 'zul'"):
        list(cluster_counts(items, MEASUREMENTS))
    with pytest.raises(ValueError, match="items lacks the columns cluster"):
        list(cluster_counts(items.drop(columns="cluster"), MEASUREMENTS))
    with pytest.raises(ValueError, match="measurements lacks the columns device"):
        list(cluster_counts(items, MEASUREMENTS.drop(columns="device")))
