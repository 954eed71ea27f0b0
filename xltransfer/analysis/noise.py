"""The noise floor: how much a score moves when nothing but the arithmetic changes.

The untouched model is scored again with another batch composition and at another precision. A transfer score smaller
than what this gives is not worth a word. See protocols.md §1, "noise floor".
"""

from typing import Final

import pandas as pd

from xltransfer.analysis.frames import REFERENCE, plain, require_columns
from xltransfer.analysis.scores import baseline_scores, percent_change

NOISE: Final = ("noise_batching", "noise_precision")


def noise_floor(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return how far the repeated scorings of the untouched model lie from the baseline.

    Parameters
    ----------
    measurements
        Columns base, device, setting, adapter_seed, task, dataset, target, metric, score.

    Returns
    -------
    DataFrame
        One row per base, device, setting (noise_batching, noise_precision), task, metric: n_cells (pairs that can be
        compared), max_difference and mean_difference (absolute, in the metric's unit), max_ts and mean_ts (absolute,
        percent; NaN where every baseline is 0).
    """
    require_columns(measurements, ["setting", *REFERENCE, "score"], "measurements")
    measurements = plain(measurements)
    rows = measurements.loc[measurements["setting"].isin(NOISE), ["setting", *REFERENCE, "score"]]
    pairs = rows.merge(baseline_scores(measurements), how="left", on=REFERENCE, validate="many_to_one")
    pairs["difference"] = (pairs["score"] - pairs["reference"]).abs()
    pairs["change"] = percent_change(pairs).abs()
    grouped = pairs.groupby(["base", "device", "setting", "task", "metric"], observed=True)
    return grouped.agg(
        n_cells=("difference", "count"),
        max_difference=("difference", "max"),
        mean_difference=("difference", "mean"),
        max_ts=("change", "max"),
        mean_ts=("change", "mean"),
    ).reset_index()
