"""The changes that a transfer entry makes on one scale, averaged over the task adapter's seeds.

Seeds share the nudged models and the items, so they are averaged before anything else: as in :mod:`.ranking`, a target
counts once, however many seeds scored it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xltransfer.analysis.cell_statistics import over_replicates
from xltransfer.analysis.scales import Scale, change, slopes
from xltransfer.analysis.shifts import Shift
from xltransfer.metrics import Metric

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Changes:
    """The changes of an entry on one scale, averaged over adapter seeds.

    Attributes
    ----------
    mean
        Shape [target]: mean over replicates; NaN where no seed is used.
    deviation
        Shape [replicate, target]: each replicate's deviation from the mean, 0 where it was not scored.
    factors
        Shape [part, target]: how much shift and base of each seed move the mean; 0 where the seed is not used.
    """

    mean: Array
    deviation: Array
    factors: Array


def seed_means(scale: Scale, metric: Metric, shifts: Sequence[Shift], usable: Sequence[Flags]) -> Changes:
    """Return the changes on ``scale`` as means over the adapter seeds that are ``usable`` and defined.

    Parameters
    ----------
    scale, metric
        Which change.
    shifts, usable
        One for each adapter seed; ``usable`` [target] says which cells are in the aggregates.
    """
    changes = [change(scale, shift.score, shift.reference, metric) for shift in shifts]
    means = np.stack([over_replicates(values, shift.scored) for values, shift in zip(changes, shifts, strict=True)])
    used = np.stack(usable) & np.isfinite(means)
    seeds = used.sum(axis=0)
    with np.errstate(invalid="ignore"):
        weight = used / np.where(seeds > 0, seeds, np.nan)
    deviation = np.zeros_like(changes[0])
    factors = np.zeros((2 * len(shifts), means.shape[1]))
    for seed, shift in enumerate(shifts):
        own = np.where(used[seed], weight[seed], 0.0)
        count = shift.scored.sum(axis=0)
        left = np.where(shift.scored & used[seed], changes[seed] - means[seed], 0.0)
        # A replicate that only some targets have moves their means by more.
        deviation += own * left * (len(left) / np.maximum(count, 1))
        score, reference = (over_replicates(v, shift.scored) for v in (shift.score, shift.reference))
        slope, tilt = slopes(scale, score, reference, metric)
        factors[2 * seed], factors[2 * seed + 1] = (own * np.where(used[seed], v, 0.0) for v in (slope, tilt))
    mean = np.where(seeds > 0, np.where(used, means, 0.0).sum(axis=0) / np.maximum(seeds, 1), np.nan)
    return Changes(mean, deviation, factors)
