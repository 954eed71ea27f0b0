"""What every single replicate changed, on four scales: the rows that all statistics beyond a mean start from."""

import numpy as np
import pandas as pd

from xltransfer.analysis.aggregates import flag_columns
from xltransfer.analysis.aggregates import out_of_aggregates as default_flags
from xltransfer.analysis.frames import CELL, REFERENCE, TRANSFER, plain, require_columns
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.scales import SCALES, Scale, change
from xltransfer.analysis.scores import Against, flagged, paired_scores


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
    others: tuple[Scale, ...] = tuple(scale for scale in SCALES if scale != "ts")
    found = {scale: np.full(len(pairs), np.nan) for scale in others}
    for name, rows in pairs.groupby("metric", observed=True).indices.items():
        score, reference = (pairs[column].to_numpy(dtype=np.float64)[rows] for column in ("score", "reference"))
        for scale in others:
            found[scale][rows] = change(scale, score, reference, metric_named(str(name)))
    return {scale: pd.Series(values, index=pairs.index) for scale, values in found.items()}
