"""Second moments of the cluster influences of a transfer entry, and the variance that they give any weighted sum.

A cell, an aggregate and a scale differ only in how much each target's shift and base count. So their variances are
quadratic forms in one set of moments per entry and metric, with cross terms between targets that share clusters and
between task adapter seeds, which all share them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from xltransfer.analysis.shared_clusters import Parallel
from xltransfer.analysis.shifts import Shift

Array = NDArray[np.float64]
Index = NDArray[np.intp]

SHIFT, BASE = 0, 1
"""The two parts of each adapter seed; part p of seed s is number 2 s + p."""


@dataclass(frozen=True)
class ClusterMoments:
    """Moments of an entry with S adapter seeds; a part is the shift or the base of one seed.

    Attributes
    ----------
    item, rest
        Shape [part, part, target]: sums of products over the clusters of a target; of the means over replicates, and
        of what they leave (summed over replicates, so that it is a variance of the mean).
    groups
        Targets that share clusters.
    group_item, group_rest
        For each group, shape [part · target, part · target]: the same sums over its distinct clusters, across targets.
    """

    item: Array
    rest: Array
    groups: tuple[Parallel, ...]
    group_item: tuple[Array, ...]
    group_rest: tuple[Array, ...]

    def variances(self, factors: Array) -> tuple[Array, Array]:
        """Return the variance between items, and that of the rest, of a weighted sum of influences.

        Parameters
        ----------
        factors
            Shape [part, target]; 0 for what does not count.

        Returns
        -------
        tuple
            Each of shape [target]: what the target adds on its own, or, in the place of its first target, a whole
            group; the places of the group's other targets are 0.
        """
        return self._blocks(factors, self.item, self.group_item), self._blocks(factors, self.rest, self.group_rest)

    def between_units(self, factors: Array, units: Index) -> tuple[float, float]:
        """Return the part of both variances that comes of clusters which targets of different units share.

        Parameters
        ----------
        factors
            Shape [part, target].
        units
            Shape [target]: number of the unit that a target belongs to.
        """
        item, rest = 0.0, 0.0
        for group, items, rests in zip(self.groups, self.group_item, self.group_rest, strict=True):
            flat = factors[:, group.targets].ravel()
            unit = np.tile(units[group.targets], len(factors))
            apart = unit[:, None] != unit[None, :]
            item += float(flat @ np.where(apart, items, 0.0) @ flat)
            rest += float(flat @ np.where(apart, rests, 0.0) @ flat)
        return item, rest

    def rest_of_each(self, factors: Array) -> Array:
        """Return the variance of the rest for every target by itself, shape [target]; ``factors`` [part, target]."""
        return _forms(factors, self.rest)

    def _blocks(self, factors: Array, alone: Array, together: tuple[Array, ...]) -> Array:
        """Return the quadratic forms in one kind of moments."""
        blocks = _forms(factors, alone)
        for group, products in zip(self.groups, together, strict=True):
            flat = factors[:, group.targets].ravel()
            blocks[group.targets] = 0.0
            blocks[group.targets[0]] = max(0.0, float(flat @ products @ flat))
        return blocks


def _forms(factors: Array, moments: Array) -> Array:
    """Return the quadratic form of each target, shape [target]."""
    forms: Array = np.einsum("pt,pqt,qt->t", factors, moments, factors)
    return np.maximum(forms, 0.0)  # rounding can leave a square below 0


def cluster_moments(shifts: Sequence[Shift], starts: Index, groups: tuple[Parallel, ...]) -> ClusterMoments:
    """Return the moments of one transfer entry from the shifts of its adapter seeds.

    Targets that are not scored, or without a baseline, have moments of 0 here: their factors must be 0 or NaN.
    """
    mean = np.concatenate([shift.mean for shift in shifts])
    varying = _varying(shifts)
    rest = np.concatenate([shift.rest for shift in shifts])
    parts, targets = len(mean), len(starts) - 1
    item = np.zeros((parts, parts, targets))
    for p, q in combinations_with_replacement(range(parts), 2):
        item[p, q] = item[q, p] = np.add.reduceat(mean[p] * mean[q], starts[:-1])
    left = np.zeros_like(item)
    for (i, p), (j, q) in combinations_with_replacement(list(enumerate(varying)), 2):
        left[p, q] = left[q, p] = np.add.reduceat(np.einsum("rc,rc->c", rest[i], rest[j]), starts[:-1])
    return ClusterMoments(
        item=_known(item),
        rest=_known(left),
        groups=groups,
        group_item=tuple(_gram(group.side_by_side(mean, starts), range(parts), parts) for group in groups),
        group_rest=tuple(_gram_of_rest(group.side_by_side(rest, starts), varying, parts) for group in groups),
    )


def _varying(shifts: Sequence[Shift]) -> list[int]:
    """Return the numbers of the parts that vary with the replicate: all shifts, and bases of several devices."""
    return [2 * seed + part for seed, shift in enumerate(shifts) for part in range(len(shift.rest))]


def _gram_of_rest(rest: Array, varying: Sequence[int], parts: int) -> Array:
    """Return the products of ``rest`` [varying part, replicate, target, cluster], summed over replicates as well."""
    return _gram(rest.transpose(0, 2, 1, 3).reshape(rest.shape[0], rest.shape[2], -1), varying, parts)


def _gram(values: Array, numbers: Sequence[int], parts: int) -> Array:
    """Return the products of ``values`` [part, target, cluster] over clusters, with 0 for parts not in ``numbers``."""
    present, targets, _ = values.shape
    flat = values.reshape(present * targets, -1)
    whole = np.zeros((parts, targets, parts, targets))
    whole[np.ix_(list(numbers), range(targets), list(numbers), range(targets))] = (flat @ flat.T).reshape(
        present, targets, present, targets
    )
    return _known(whole.reshape(parts * targets, parts * targets))


def _known(moments: Array) -> Array:
    """Return the moments with 0 where they are not known."""
    return np.where(np.isfinite(moments), moments, 0.0)
