"""What the untouched model scored on a task, and how large each cluster of its test sets is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xltransfer.analysis.influence import influences, ratio
from xltransfer.metrics import Metric
from xltransfer.runs.cluster_counts import ClusterCounts

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Untouched:
    """The untouched model on the targets of a task, for one metric and adapter seed.

    Attributes
    ----------
    devices
        Kinds of device that scored it; each has a row.
    score, influence
        Shapes [device, target] and [device, cluster], as :class:`.influence.Influence`.
    loading
        Shape [cluster]: factor that makes up for a cluster's pull on the score it is compared with, 1/sqrt(1 − its
        share of the target's decisions); 0 for a cluster that makes all decisions.
    size
        Shape [cluster]: share of the target's words (of its decisions, where words are not counted).
    effective
        Shape [target]: how many clusters of equal size would be as good, 1/Σ size², but no more than have decisions.
    clusters, decisions, words
        Shape [target]: clusters that hold items; what the metric divides by (for F1 the mean of gold and predicted
        spans); words, pairs or masked positions, NaN where they are not counted.
    """

    devices: tuple[str, ...]
    score: Array
    influence: Array
    loading: Array
    size: Array
    effective: Array
    clusters: Array
    decisions: Array
    words: Array


def untouched(baseline: ClusterCounts, metric: Metric) -> Untouched:
    """Return one metric of a baseline.

    Notes
    -----
    With clusters of equal size, the loading turns Σ influence² into J/(J−1) Σ influence². With unequal sizes it keeps
    the sum unbiased where a cluster's error variance goes with its size (the HC2 correction of a regression through the
    origin), and 1/Σ size² − 1 are then the degrees of freedom of that sum. Size means words there, not spans: how many
    spans a sentence holds is partly chance, which makes sentences look more unequal than they are.

    References
    ----------
    MacKinnon and White 1985 (HC2); Bell and McCaffrey 2002 and Imbens and Kolesár 2016 (degrees of freedom).
    """
    starts = baseline.targets.starts
    scored = influences(baseline.counts, metric, starts)
    _, denominator = ratio(baseline.counts, metric)
    share = _over_devices(_parts(denominator, starts))
    lone = share >= 1.0 - 1e-12
    size = share if "total" not in baseline.counts else _over_devices(_parts(baseline.counts["total"], starts))
    decisions = _over_devices(np.add.reduceat(denominator, starts[:-1], axis=-1))
    deciding = np.add.reduceat((share > 0.0).astype(np.float64), starts[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        # A cluster that makes all decisions has an influence of 0, up to rounding.
        loading = np.where(lone, 0.0, 1.0 / np.sqrt(1.0 - np.where(lone, 0.0, share)))
        effective = np.minimum(1.0 / np.add.reduceat(size**2, starts[:-1]), deciding)
    return Untouched(
        devices=baseline.devices,
        score=scored.score,
        influence=scored.influence,
        loading=loading,
        size=size,
        effective=effective,
        clusters=np.add.reduceat((baseline.targets.items > 0).astype(np.float64), starts[:-1]),
        decisions=decisions / (2.0 if metric.form == "f1" else 1.0),
        words=words(baseline),
    )


def _parts(values: Array, starts: NDArray[np.intp]) -> Array:
    """Return ``values`` [device, cluster] as shares of their targets' sums."""
    whole = np.add.reduceat(values, starts[:-1], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts: Array = values / np.repeat(whole, np.diff(starts), axis=-1)
    return parts


def words(baseline: ClusterCounts) -> Array:
    """Return the words (pairs, masked positions) of each target, NaN where a task does not count them."""
    starts = baseline.targets.starts
    if "total" not in baseline.counts:
        return np.full(len(starts) - 1, np.nan)
    return _over_devices(np.add.reduceat(baseline.counts["total"], starts[:-1], axis=-1))


def _over_devices(values: Array) -> Array:
    """Return the mean over the devices that scored, NaN where none did."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(there, values, 0.0).sum(axis=0) / there.sum(axis=0)
    return mean
