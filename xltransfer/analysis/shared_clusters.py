"""Which targets of a task share clusters: parallel test sets, where one premise or paragraph stands in many languages.

Sampling errors of such targets are correlated and add up before they are squared. Targets that share nothing, the
usual case, need no more than a sum each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xltransfer.runs.cluster_counts import Targets

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Parallel:
    """Targets that are connected by shared clusters.

    Attributes
    ----------
    targets
        Their numbers.
    places
        For each of them, where each of its clusters stands among the distinct clusters of the group.
    size
        Number of distinct clusters.
    """

    targets: Index
    places: tuple[Index, ...]
    size: int

    def side_by_side(self, values: Array, starts: Index) -> Array:
        """Return ``values`` [..., cluster] as [..., target, distinct cluster], 0 where a target lacks a cluster."""
        laid_out = np.zeros((*values.shape[:-1], len(self.targets), self.size))
        for row, (target, place) in enumerate(zip(self.targets, self.places, strict=True)):
            laid_out[..., row, place] = values[..., starts[target] : starts[target + 1]]
        return laid_out


def groups(targets: Targets) -> Iterator[Index]:
    """Yield the numbers of the targets that share clusters, group by group in the order of their first targets."""
    count = len(targets.names)
    owner = np.repeat(np.arange(count), np.diff(targets.starts))
    codes = np.unique(targets.cluster, return_inverse=True)[1] + count
    nodes = int(codes.max()) + 1
    edges = coo_array((np.ones(len(codes)), (owner, codes)), shape=(nodes, nodes))
    label = connected_components(edges, directed=False)[1][:count]
    first = np.unique(label, return_index=True)[1]
    for target in np.sort(first):
        yield np.flatnonzero(label == label[target]).astype(np.intp)


def parallel_groups(targets: Targets) -> tuple[Parallel, ...]:
    """Return the groups of two or more targets."""
    found = []
    for members in groups(targets):
        if len(members) > 1:
            codes = [targets.cluster[targets.starts[t] : targets.starts[t + 1]] for t in members]
            known = np.unique(np.concatenate(codes))
            found.append(Parallel(members, tuple(np.searchsorted(known, c) for c in codes), len(known)))
    return tuple(found)
