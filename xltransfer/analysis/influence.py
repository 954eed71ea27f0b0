"""What each cluster of items does to a score: the linearised contribution of a document, premise or sentence.

A score is a ratio of sums over clusters. To first order, leaving a cluster in with a little more weight moves it by
``(a_j − score · b_j) / B``; the sum over clusters is 0, and the spread is the score's sampling error. For F1,
a = 2tp and b = 2tp + fp + fn, so that one formula serves shares, means and F1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xltransfer.metrics import SHAPES, Metric

Array = NDArray[np.float64]

_KNOWN: Mapping[str, Metric] = {metric.name: metric for metrics in SHAPES.values() for metric in metrics}


@dataclass(frozen=True)
class Influence:
    """Scores of some models on the targets of a task, and what each cluster does to them.

    Attributes
    ----------
    score
        Shape [model, target], in the metric's unit; NaN where undefined or not scored.
    influence
        Shape [model, cluster], in the metric's unit; sums to 0 over each target.
    """

    score: Array
    influence: Array


def metrics_of(columns: Iterable[str]) -> tuple[Metric, ...]:
    """Return every metric whose count columns are all among ``columns``, each name once."""
    present = set(columns)
    return tuple(metric for metric in _KNOWN.values() if present.issuperset(metric.columns))


def ratio(counts: Mapping[str, Array], metric: Metric) -> tuple[Array, Array]:
    """Return numerator and denominator of the metric as a share, for each cluster."""
    a, *rest = (np.asarray(counts[column], dtype=np.float64) for column in metric.columns)
    if metric.form == "f1":
        return 2.0 * a, 2.0 * a + rest[0] + rest[1]
    return a, rest[0]


def influences(counts: Mapping[str, Array], metric: Metric, starts: NDArray[np.intp]) -> Influence:
    """Return scores and influences.

    Parameters
    ----------
    counts
        Count column -> [model, cluster]; NaN where not scored.
    metric
        Whose score.
    starts
        [target + 1]: the clusters of target t are ``starts[t]:starts[t + 1]``.

    References
    ----------
    Cochran, *Sampling Techniques*, 1977, §6.3 (variance of a ratio); Särndal, Swensson and Wretman, *Model Assisted
    Survey Sampling*, 1992, §5.5 (linearisation).
    """
    numerator, denominator = ratio(counts, metric)
    sums = {column: np.add.reduceat(counts[column], starts[:-1], axis=-1) for column in metric.columns}
    score = metric.score(sums)
    whole = np.add.reduceat(denominator, starts[:-1], axis=-1)
    unit = 100.0 if metric.unit == "percent" else 1.0
    sizes = np.diff(starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        each, scaled = np.repeat(score / whole, sizes, axis=-1), np.repeat(unit / whole, sizes, axis=-1)
        return Influence(score, numerator * scaled - denominator * each)
