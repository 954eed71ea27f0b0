"""The change that every single replicate made, on four scales: the rows that all statistics beyond a mean start from.

Percent change is how the papers state transfer, but a poor scale to test on (Vickers 2001): a point gained on a weak
target counts for more than one gained on a strong target. So the plain difference, the log ratio and the difference of
log odds stand beside it. See protocols.md §6.
"""

from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
from scipy.special import logit

from xltransfer.analysis.aggregates import flag_columns
from xltransfer.analysis.aggregates import out_of_aggregates as default_flags
from xltransfer.analysis.frames import CELL, REFERENCE, TRANSFER, plain, require_columns
from xltransfer.analysis.metric_names import direction, is_percent
from xltransfer.analysis.scores import Against, flagged, paired_scores

Scale = Literal["ts", "delta", "log_ratio", "logit_delta"]

SCALES: Final[tuple[Scale, ...]] = get_args(Scale)


def replicate_changes(
    measurements: pd.DataFrame, against: Against = "baseline", out_of_aggregates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what every replicate changed in every cell.

    Parameters
    ----------
    measurements, against, out_of_aggregates
        As for :func:`.scores.transfer_scores`.

    Returns
    -------
    DataFrame
        One row per cell and replicate: base, setting, transfer, corpus, steps, adapter_seed, task, dataset, target,
        metric, device, replicate; reference and score (metric's unit); ts (percent), delta (metric's unit), log_ratio
        (natural log), logit_delta (natural log odds; NaN for metrics in nats); self_transfer; the flags; aggregated
        (no flag, and ts finite). All scales are positive for an improvement and NaN where undefined.

    Raises
    ------
    ValueError
        As :func:`.scores.transfer_scores`.
    """
    require_columns(measurements, [*REFERENCE, *TRANSFER, "setting", "replicate", "score", "n_scored"], "measurements")
    measurements = plain(measurements)
    pairs = paired_scores(measurements, against).rename(columns={"change": "ts"})
    pairs = pairs.assign(**_other_scales(pairs), self_transfer=pairs["transfer"] == pairs["target"])
    flags = default_flags(measurements) if out_of_aggregates is None else out_of_aggregates
    changes = flagged(pairs, flags)
    out = changes[flag_columns(changes)].any(axis=1)
    changes["aggregated"] = np.isfinite(changes["ts"].astype("float64")) & ~out
    return changes.sort_values([*CELL, "replicate"], ignore_index=True)


def _other_scales(pairs: pd.DataFrame) -> dict[str, "pd.Series[float]"]:
    """Return the scales beside ts of every row."""
    names = pairs["metric"].unique()
    sign = pairs["metric"].map({name: direction(name) for name in names}).astype("float64")
    percent = pairs["metric"].map({name: is_percent(name) for name in names}).astype(bool)
    score, reference = pairs["score"].astype("float64"), pairs["reference"].astype("float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = sign * (np.log(score) - np.log(reference))
        logit_delta = sign * pd.Series(logit(score / 100.0) - logit(reference / 100.0), index=pairs.index)
    finite = np.isfinite
    return {
        "delta": sign * (score - reference),
        # A score of 0 or of 100 % has no finite logarithm or log odds: undefined, not infinite.
        "log_ratio": log_ratio.where(finite(log_ratio)),
        "logit_delta": logit_delta.where(percent & finite(logit_delta)),
    }
