"""The controls beside the nudge: what zero steps, random signs and shuffled text do to the scores.

``zero_steps`` must change nothing, to the last bit. The other two ask whether a transfer score needs the language's
text at all, or only a perturbation of that size (random signs) or its lexicon (shuffled text). See protocols.md §1.
"""

from typing import Final

import numpy as np
import pandas as pd

from xltransfer.analysis.frames import TARGET, TRANSFER, plain
from xltransfer.analysis.scores import paired_scores, transfer_scores

CONTROLS: Final = ("random_sign", "shuffled_text")

_ROW: Final = ["base", "setting", "task", "metric", *TRANSFER]
_PAIR: Final = ["base", "task", "metric", *TRANSFER, "adapter_seed", "dataset", "target"]


def controls(measurements: pd.DataFrame, out_of_aggregates: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what each control did, beside the nudge that it controls.

    Parameters
    ----------
    measurements, out_of_aggregates
        As for :func:`.scores.transfer_scores`.

    Returns
    -------
    DataFrame
        One row per base, setting (zero_steps, random_sign, shuffled_text), task, metric, transfer, corpus, steps:
        n_cells (cells with a defined ts) and max_abs_ts (percent) over all of them, aggregated or not; exact (every
        replicate's score is its baseline to the last bit, which ``zero_steps`` must be); aggregated_ts (percent, mean
        over the targets in the aggregates). For the targets that the nudge was scored on too: n_targets, nudge_ts,
        difference (nudge − control, paired by target) and difference_se (standard error over targets, adapter seeds
        averaged first). Missing where there is no nudge to compare with, as for zero_steps.
    """
    measurements = plain(measurements)
    ts = transfer_scores(measurements, out_of_aggregates=out_of_aggregates)
    own = ts[ts["setting"] != "nudge"]
    grouped = own.assign(size=own["ts"].abs()).groupby(_ROW, dropna=False, observed=True)
    table = grouped.agg(n_cells=("ts", "count"), max_abs_ts=("size", "max"))
    table["exact"] = _exact(measurements).reindex(table.index)
    kept = own[own["aggregated"]].groupby(_ROW, dropna=False, observed=True)["ts"].mean()
    table["aggregated_ts"] = kept.reindex(table.index)
    return table.reset_index().merge(_against_nudge(ts[ts["aggregated"]]), how="left", on=_ROW)


def _exact(measurements: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether every score of a row equals its baseline bit for bit; a cell with a baseline of 0 takes part."""
    pairs = paired_scores(measurements, "baseline")
    undefined = pairs["score"].isna() & pairs["reference"].isna()
    same = (pairs["score"] == pairs["reference"]) | undefined
    return same.groupby([pairs[key] for key in _ROW], dropna=False, observed=True).all()


def _against_nudge(ts: pd.DataFrame) -> pd.DataFrame:
    """Pair each control with the nudge of the same transfer entry, steps, adapter seed and target."""
    nudge = ts.loc[ts["setting"] == "nudge", [*_PAIR, "ts"]].rename(columns={"ts": "nudge_ts"})
    control = ts.loc[ts["setting"].isin(CONTROLS), ["setting", *_PAIR, "ts"]]
    pairs = control.merge(nudge, on=_PAIR, validate="many_to_one")
    pairs["difference"] = pairs["nudge_ts"] - pairs["ts"]
    keys = [*_ROW, *[key for key in TARGET if key not in _ROW]]
    targets = pairs.groupby(keys, dropna=False, observed=True)[["nudge_ts", "difference"]].mean().reset_index()
    grouped = targets.groupby(_ROW, dropna=False, observed=True)
    table = grouped.agg(
        n_targets=("difference", "size"),
        nudge_ts=("nudge_ts", "mean"),
        difference=("difference", "mean"),
        difference_se=("difference", "std"),
    )
    table["difference_se"] = table["difference_se"] / np.sqrt(table["n_targets"])
    return table.reset_index()
