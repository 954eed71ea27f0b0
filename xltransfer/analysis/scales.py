"""The four scales of a change, and how fast each moves with the two scores that it compares.

Percent change is how the papers state transfer, but a poor scale to test on (Vickers 2001): a point gained on a weak
target counts for more than one gained on a strong target. So the plain difference, the log ratio and the difference of
log odds stand beside it (protocols.md §6). The derivatives carry an uncertainty from a score to its change.
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from xltransfer.analysis.frames import TIE
from xltransfer.metrics import Metric

Array = NDArray[np.float64]

Scale = Literal["ts", "delta", "log_ratio", "logit_delta"]

SCALES: Final[tuple[Scale, ...]] = get_args(Scale)

STILL: Final[Mapping[Scale, float]] = {"ts": TIE, "delta": TIE, "log_ratio": TIE / 100.0, "logit_delta": TIE / 100.0}
"""Differences up to this size, in the unit of the scale, are rounding and no change."""


def change(scale: Scale, score: Array, reference: Array, metric: Metric) -> Array:
    """Return the change from ``reference`` to ``score``, positive for an improvement, NaN where undefined.

    Parameters
    ----------
    scale
        ``ts``: percent of the reference; ``delta``: the metric's unit; ``log_ratio``: natural log; ``logit_delta``:
        natural log odds, NaN for a metric in nats.
    score, reference
        In the metric's unit, any shapes that broadcast.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "ts":
            changed = sign * 100.0 * (score - reference) / reference
        elif scale == "delta":
            changed = sign * (score - reference)
        elif scale == "log_ratio":
            changed = sign * (np.log(score) - np.log(reference))
        else:
            changed = sign * (logit(score / 100.0) - logit(reference / 100.0))
    defined = np.isfinite(changed) & ((scale != "logit_delta") | (metric.unit == "percent"))
    return np.where(defined, changed, np.nan)


def slopes(scale: Scale, score: Array, reference: Array, metric: Metric) -> tuple[Array, Array]:
    """Return how the change moves with the two scores: its slope and its tilt.

    To first order, ``change + slope · (Δscore − Δreference) + tilt · Δreference`` is the change of
    ``score + Δscore`` against ``reference + Δreference``. In this form what both scores share drops out where nothing
    changed: the tilt is 0 where ``score`` equals ``reference``, and everywhere on the scale ``delta``.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "ts":
            slope = sign * 100.0 / reference
            tilt = slope * (reference - score) / reference
        elif scale == "delta":
            slope = sign * np.ones_like(score * reference)
            tilt = np.zeros_like(slope)
        elif scale == "log_ratio":
            slope = sign / score
            tilt = slope * (reference - score) / reference
        else:
            # The derivative of the logit of p percent is 100 / (p (100 − p)).
            slope = sign * 100.0 / (score * (100.0 - score))
            tilt = slope * (reference - score) * (100.0 - reference - score) / (reference * (100.0 - reference))
    return slope, tilt
