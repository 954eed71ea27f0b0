"""The transfer score: by how many percent a nudge on one language's text changes the score of another language.

Nothing here is rounded, dropped or filled: a cell whose reference is zero or missing has a row with NaN. Which cells
enter the aggregates is decided in :mod:`.aggregates` and only marked here. Source: faisal2024 §2 and App. E, H.
"""

from typing import Literal

import numpy as np
import pandas as pd

from xltransfer.analysis.aggregates import FLAGS, flag_columns
from xltransfer.analysis.aggregates import out_of_aggregates as default_flags
from xltransfer.analysis.frames import (
    CELL,
    REFERENCE,
    TARGET,
    TRANSFER,
    plain,
    require_columns,
    require_one_of,
    strict_mean,
)
from xltransfer.analysis.metric_names import direction

Against = Literal["baseline", "random_sign", "shuffled_text"]

NUDGED = ("nudge", "zero_steps", "shuffled_text", "random_sign")
"""Settings that have a transfer language; the others score the untouched model or none."""


def transfer_scores(
    measurements: pd.DataFrame, against: Against = "baseline", out_of_aggregates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the transfer score ts of every cell, in percent.

    ``ts(a→b) = 100 · (mean_r score(b; nudged on a, replicate r) − reference(b)) / reference(b)``,
    with the sign turned for metrics where lower is better, so that positive is always an improvement.

    Parameters
    ----------
    measurements
        Columns base, device, setting, transfer, corpus, steps, replicate, adapter_seed, task, dataset, target, metric,
        score, n_scored. Any row order.
    against
        What the nudged score is compared with. ``baseline``: the untouched model. ``random_sign``, ``shuffled_text``:
        the mean over the replicates of that control with the same transfer, corpus, steps and adapter seed; cells for
        which the control was not run are NaN.
    out_of_aggregates
        What :func:`.aggregates.out_of_aggregates` gives: base, adapter_seed, task, dataset, target (base and
        adapter_seed may be absent) and boolean columns; a cell with any of them true is left out. Without it, the
        floor is decided from the measurements alone (conservatively) and no target counts as small.

    Returns
    -------
    DataFrame
        One row per base, setting, transfer, corpus, steps, adapter_seed, task, dataset, target, metric, sorted by
        them: n_replicates; reference and score (metric's unit, means over replicates); ts (percent; NaN where the
        reference of any replicate is zero or missing); ts_sd (percent, ddof=1 over replicates with the reference held
        fixed, NaN for one replicate); self_transfer; at_floor; small; aggregated (no flag, and ts finite). Settings
        are nudge and, against the baseline, also the controls.

    Raises
    ------
    ValueError
        A column is missing, ``against`` or a metric is unknown, a reference has two different scores, or a replicate
        appears twice in a cell.

    Notes
    -----
    A replicate is compared only with the reference of its own device, task adapter and base. ts is the mean of the
    replicates' own percent changes; where all ran on one kind of device that is the formula above.

    References
    ----------
    faisal2024, §2 "transfer score"; the formula in print is a fraction, the tables are percent.
    """
    require_columns(measurements, [*REFERENCE, *TRANSFER, "setting", "replicate", "score", "n_scored"], "measurements")
    require_one_of(against, ("baseline", "random_sign", "shuffled_text"), "against")
    measurements = plain(measurements)
    cells = plain(_cells(paired_scores(_coded(measurements), against)))
    cells["self_transfer"] = cells["transfer"] == cells["target"]
    flags = default_flags(measurements) if out_of_aggregates is None else out_of_aggregates
    cells = flagged(cells, flags)
    names = flag_columns(cells)
    cells["aggregated"] = np.isfinite(cells["ts"].astype("float64")) & ~cells[names].any(axis=1)
    return cells


def baseline_scores(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return the keys of a baseline score and ``reference``, the untouched model's score."""
    rows = measurements.loc[measurements["setting"] == "baseline", [*REFERENCE, "score"]].drop_duplicates()
    twice = rows.duplicated(REFERENCE)
    if twice.any():
        named = rows.loc[twice, REFERENCE].iloc[0].to_dict()
        raise ValueError(f"measurements hold two different baseline scores for {named}; keep those of one run")
    return rows.rename(columns={"score": "reference"})


def paired_scores(measurements: pd.DataFrame, against: Against) -> pd.DataFrame:
    """Return each nudged row with its ``reference`` and its own ``change`` in percent, positive for an improvement."""
    if against == "baseline":
        keys = REFERENCE
        reference = baseline_scores(measurements)
        wanted = measurements["setting"].isin(NUDGED)
    else:
        keys = [*REFERENCE, *TRANSFER]
        control = measurements[measurements["setting"] == against]
        reference = strict_mean(control, keys, ["score"]).reset_index().rename(columns={"score": "reference"})
        wanted = measurements["setting"] == "nudge"
    rows = measurements.loc[wanted, list(dict.fromkeys([*CELL, "device", "replicate", "score"]))]
    pairs = rows.merge(reference, how="left", on=keys, validate="many_to_one")
    pairs["change"] = percent_change(pairs)
    return pairs


def percent_change(pairs: pd.DataFrame) -> "pd.Series[float]":
    """Return ``100 · (score − reference) / reference`` signed so that positive is better; NaN for a zero reference."""
    signs = {name: direction(name) for name in pairs["metric"].unique()}
    sign = pairs["metric"].map(signs).astype("float64")
    reference = pairs["reference"].astype("float64")
    # The difference comes first: equal scores then give exactly 0, which the zero_steps control relies on.
    difference = sign * (pairs["score"] - reference)
    return 100.0 * difference / reference.where(reference != 0.0)


def _coded(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with categories for text: each text is looked at once, and not in every join and grouping."""
    texts = ["base", "device", "setting", "transfer", "corpus", *TARGET, "metric"]
    return measurements.astype(dict.fromkeys(texts, "category"))


def _cells(pairs: pd.DataFrame) -> pd.DataFrame:
    """Average the replicates of each cell."""
    twice = pairs.duplicated([*CELL, "replicate"])
    if twice.any():
        named = pairs.loc[twice, [*CELL, "replicate"]].iloc[0].to_dict()
        raise ValueError(f"measurements hold a replicate twice: {named}; keep one of the two rows")
    grouped = pairs.groupby(CELL, dropna=False, observed=True)["change"]
    cells = strict_mean(pairs, CELL, ["reference", "score", "change"]).rename(columns={"change": "ts"})
    cells.insert(0, "n_replicates", grouped.size())
    cells["ts_sd"] = grouped.std(ddof=1).where(cells["ts"].notna())
    return cells.reset_index()


def flagged(cells: pd.DataFrame, flags: pd.DataFrame) -> pd.DataFrame:
    """Attach the flags of each cell's target; a target without flags has none of them."""
    require_columns(flags, TARGET, "out_of_aggregates")
    keys = [key for key in ("base", "adapter_seed", *TARGET) if key in flags.columns]
    names = flag_columns(flags)
    # A cell may hold replicates from several devices; it is out as soon as one device's baseline says so.
    marked = flags.groupby(keys, dropna=False, observed=True)[names].any().reset_index()
    joined = cells.merge(marked, how="left", on=keys, validate="many_to_one")
    for name in dict.fromkeys([*FLAGS, *names]):
        joined[name] = joined[name].eq(True).astype(bool) if name in joined else False
    return joined
