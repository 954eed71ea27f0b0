"""A transfer entry beside the untouched model: scores of its replicates, and what each cluster does to their change.

Per cluster there are two numbers: its *shift*, the influence on the nudged score less that on the untouched one, and
its *base*, the influence on the untouched score. Whatever the scale, a change moves by slope · shift + tilt · base
(:func:`.scales.slopes`), so both are kept as a mean over replicates and as what is left of each replicate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xltransfer.analysis.influence import influences
from xltransfer.analysis.untouched import Untouched
from xltransfer.metrics import Metric
from xltransfer.runs.cluster_counts import ClusterCounts

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """One transfer entry and adapter seed on all targets of a task, for one metric.

    Attributes
    ----------
    score, reference
        Shape [replicate, target], metric's unit; the reference is that of the replicate's own device.
    scored
        Shape [replicate, target]: the cell is there.
    mean
        Shape [2, cluster]: shift and base, averaged over the replicates and times the cluster's loading.
    rest
        Shape [2, replicate, cluster], or [1, ...] where all replicates have the same base: what the mean leaves, times
        the loading and over sqrt(R (R − 1)), so that a sum of squares over replicates is a variance of the mean.
    """

    score: Array
    reference: Array
    scored: NDArray[np.bool_]
    mean: Array
    rest: Array


def aligned(seeds: Sequence[ClusterCounts]) -> list[ClusterCounts]:
    """Return the adapter seeds of an entry with a row for each replicate and device that any of them has."""
    rows = sorted({row for seed in seeds for row in _rows(seed)})
    return [_on_rows(seed, rows) for seed in seeds]


def _rows(counts: ClusterCounts) -> list[tuple[int, str]]:
    """Return replicate and device of each row."""
    return list(zip(counts.replicates.tolist(), counts.devices, strict=True))


def _on_rows(counts: ClusterCounts, wanted: list[tuple[int, str]]) -> ClusterCounts:
    """Return ``counts`` with the ``wanted`` rows; those that it lacks are not scored."""
    own = _rows(counts)
    if own == wanted:
        return counts
    at = np.array([own.index(row) if row in own else -1 for row in wanted])
    there = (at >= 0)[:, None]
    return replace(
        counts,
        replicates=np.array([replicate for replicate, _ in wanted], dtype=np.int64),
        devices=tuple(device for _, device in wanted),
        scored=counts.scored[at] & there,
        counts={name: np.where(there, values[at], np.nan) for name, values in counts.counts.items()},
    )


def shift(entry: ClusterCounts, base: Untouched, metric: Metric) -> Shift:
    """Return scores and cluster influences of ``entry`` beside those of the untouched model.

    Raises
    ------
    ValueError
        Two devices have scored the same replicate on the same target.
    """
    starts = entry.targets.starts
    sizes = np.diff(starts)
    nudged = influences(entry.counts, metric, starts)
    reference, influence = _paired(base, entry.devices)
    difference = nudged.influence - influence
    score, scored = nudged.score, entry.scored
    if not scored.all():
        present = np.repeat(scored, sizes, axis=1)
        difference, influence = np.where(present, difference, 0.0), np.where(present, influence, 0.0)
    if len(set(entry.replicates.tolist())) < len(entry.replicates):
        first = np.flatnonzero(np.diff(entry.replicates, prepend=entry.replicates[0] - 1))
        score, reference, scored = _one_row_each(score, reference, scored, first)
        difference, influence = (np.add.reduceat(values, first, axis=0) for values in (difference, influence))
    return _summed_up(score, reference, scored, difference, influence, base.loading, sizes)


def _paired(base: Untouched, devices: tuple[str, ...]) -> tuple[Array, Array]:
    """Return reference and influence for each row's device, one row of influence where all have the same.

    A device that did not score the untouched model gives NaN.
    """
    unpaired = len(base.devices)
    row = [base.devices.index(device) if device in base.devices else unpaired for device in devices]
    score = np.vstack([base.score, np.full((1, base.score.shape[1]), np.nan)])[row]
    row = row[:1] if len(set(row)) == 1 else row
    return score, np.vstack([base.influence, np.full((1, base.influence.shape[1]), np.nan)])[row]


def _one_row_each(
    score: Array, reference: Array, scored: NDArray[np.bool_], first: NDArray[np.intp]
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Join the rows of a replicate that several devices have scored, each on targets of its own."""
    times = np.add.reduceat(scored.astype(np.int64), first, axis=0)
    if (times > 1).any():
        raise ValueError("two devices have scored the same replicate on the same target; keep one of the two")
    score, reference = (np.add.reduceat(np.where(scored, v, 0.0), first, axis=0) for v in (score, reference))
    there = times == 1
    return np.where(there, score, np.nan), np.where(there, reference, np.nan), there


def _summed_up(
    score: Array,
    reference: Array,
    scored: NDArray[np.bool_],
    difference: Array,
    influence: Array,
    loading: Array,
    sizes: NDArray[np.intp],
) -> Shift:
    """Split shift [replicate, cluster] and base ([replicate, cluster], or one row) into means and what they leave."""
    count = scored.sum(axis=0).astype(np.float64)
    present = True if scored.all() else np.repeat(scored, sizes, axis=1)
    varying = [difference, influence] if len(influence) == len(difference) else [difference]
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.repeat(1.0 / count, sizes)
        spread = loading * np.repeat(np.where(count > 1, 1.0 / np.sqrt(count * (count - 1.0)), 0.0), sizes)
        means = [values.sum(axis=0) * each for values in varying]
        rest = [np.where(present, values - mean, 0.0) * spread for values, mean in zip(varying, means, strict=True)]
    if len(varying) == 1:
        means.append(influence[0])
    return Shift(score, reference, scored, np.stack(means) * loading, np.stack(rest))
