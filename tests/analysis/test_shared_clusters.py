"""Which targets share clusters, against a table worked by hand and a search over pairs."""

import cluster_tables as tables
import numpy as np

from xltransfer.analysis.shared_clusters import groups, parallel_groups


def test_chains_of_shared_clusters_are_one_group():
    targets = tables.targets_of({"a": [1, 2], "b": [7], "c": [2, 5], "d": [5, 9, 11], "e": [20]})
    assert [members.tolist() for members in groups(targets)] == [[0, 2, 3], [1], [4]]
    (group,) = parallel_groups(targets)
    assert group.targets.tolist() == [0, 2, 3]
    assert group.size == 5, "clusters 1, 2, 5, 9, 11"
    laid_out = group.side_by_side(np.arange(9.0), targets.starts)
    assert laid_out.tolist() == [[0, 1, 0, 0, 0], [0, 3, 4, 0, 0], [0, 0, 5, 6, 7]]


def test_random_sharing_against_a_search_over_pairs():
    rng = np.random.default_rng(3)
    for _ in range(30):
        clusters = {f"t{i}": rng.choice(25, rng.integers(1, 5), replace=False) for i in range(8)}
        sets = [set(codes.tolist()) for codes in clusters.values()]
        reach = np.array([[bool(one & other) for other in sets] for one in sets])
        for _ in range(8):
            reach = (reach.astype(int) @ reach.astype(int)) > 0
        expected = sorted({tuple(np.flatnonzero(row)) for row in reach})
        assert [tuple(members) for members in groups(tables.targets_of(clusters))] == expected
