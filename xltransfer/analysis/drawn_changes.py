"""The change of every target in every bootstrap draw, recomputed from weighted sums of counts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xltransfer.analysis.influence import ratio
from xltransfer.analysis.resamples import Resamples
from xltransfer.analysis.run_context import RunContext, model_of
from xltransfer.analysis.scales import Scale, change
from xltransfer.metrics import Metric
from xltransfer.runs.cluster_counts import ClusterCounts

Array = NDArray[np.float64]


@dataclass
class DrawnChanges:
    """Draws for the transfer entries of a run, one scale.

    Attributes
    ----------
    context
        Baselines and flags.
    resamples
        What is in each draw; draw 0 is the data.
    scale
        Of the changes.
    """

    context: RunContext
    resamples: Resamples
    scale: Scale
    _references: dict[tuple[Any, ...], Array] = field(default_factory=dict)

    def changes(self, entry: ClusterCounts, metric: Metric) -> Array:
        """Return the mean change over the replicates of each draw, shape [target, draw]; NaN where undefined."""
        reference = self._paired(entry, metric)
        numbers, number = np.unique(entry.replicates, return_inverse=True)
        names = (entry.base, entry.setting, entry.transfer, entry.corpus, -1 if entry.steps is None else entry.steps)
        times = self.resamples.replicates(names, len(numbers))[number].astype(np.float64)
        changes = np.empty((len(entry.targets.names), times.shape[1]))
        for t, score in enumerate(self._scores(entry, metric)):
            there = entry.scored[:, t]
            each, weight = change(self.scale, score, reference[t], metric)[there], times[there]
            with np.errstate(invalid="ignore"):
                # A replicate that is not drawn may be undefined.
                changes[t] = np.where(weight > 0.0, weight * each, 0.0).sum(axis=0) / weight.sum(axis=0)
        return changes

    def usable(self, entry: ClusterCounts, metric: Metric, changes: Array) -> NDArray[np.bool_]:
        """Return which targets enter the aggregates: no flag, and ts is defined; shape [target]."""
        reference = self._paired(entry, metric)[:, :, 0]
        paired = ((np.isfinite(reference) & (reference != 0.0)) | ~entry.scored.T).all(axis=1)
        usable: NDArray[np.bool_] = ~self.context.flagged(entry) & np.isfinite(changes[:, 0]) & paired
        return usable

    def _paired(self, entry: ClusterCounts, metric: Metric) -> Array:
        """Return the score of the untouched model on the device of each row, shape [target, row, draw]."""
        key = (*model_of(entry), metric.name)
        baseline = self.context.baseline(entry)
        if key not in self._references:
            unpaired = np.full((1, self.resamples.draws + 1), np.nan)
            self._references[key] = np.stack([np.vstack([s, unpaired]) for s in self._scores(baseline, metric)])
        known = baseline.devices
        return self._references[key][:, [known.index(d) if d in known else len(known) for d in entry.devices]]

    def _scores(self, counts: ClusterCounts, metric: Metric) -> Iterator[Array]:
        """Yield for each target its scores in each draw, shape [row, draw]."""
        clusters = self.resamples.clusters(counts.targets)
        numerator, denominator = ratio(counts.counts, metric)
        unit = 100.0 if metric.unit == "percent" else 1.0
        for start, stop in pairwise(counts.targets.starts):
            times = clusters[start:stop].astype(np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                yield unit * (numerator[:, start:stop] @ times) / (denominator[:, start:stop] @ times)


def mean_of_defined(values: Array, weights: Array) -> Array:
    """Return the weighted mean over the first axis of what is defined; NaN where nothing is."""
    there = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: Array = np.where(there, weights * values, 0.0).sum(axis=0) / (weights * there).sum(axis=0)
    return mean
