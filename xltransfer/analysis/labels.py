"""Which gold labels moved: the change of every part of speech, relation or entity type, beside its own noise.

A gain in accuracy may be the work of one label. Labels are many, so the p of each is also stated adjusted for all of
its task.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd

from xltransfer.analysis.aggregates import flag_columns
from xltransfer.analysis.aggregates import out_of_aggregates as default_flags
from xltransfer.analysis.cell_means import replicate_means
from xltransfer.analysis.changes import replicate_changes
from xltransfer.analysis.contrasts import Contrast, contrast_frame, entry_mean, target_mean
from xltransfer.analysis.frames import CELL, plain, require_columns, require_one_of
from xltransfer.analysis.multiplicity import holm
from xltransfer.analysis.pairing import entry_keys
from xltransfer.analysis.scales import SCALES, Scale
from xltransfer.analysis.score_tables import ENTRY, STUDY, ScoreTable, score_tables
from xltransfer.analysis.scores import Against

_KEYS: Final = ["base", "setting", "task", "metric", "label", "steps"]
_COUNTS: Final = ["reference", "n_transfers", "n_targets", "n_cells"]


def label_changes(
    measurements: pd.DataFrame,
    out_of_aggregates: pd.DataFrame | None = None,
    against: Against = "baseline",
    scale: Scale = "ts",
    by_transfer: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return how much the scores of each gold label changed.

    Parameters
    ----------
    measurements
        With the rows of single labels, whose metric is written ``accuracy[NOUN]``; other rows may be there too.
    out_of_aggregates
        As for :func:`.scores.transfer_scores`. Without it targets are judged from the rows that are not of labels.
    against
        What the nudged score is compared with, as for :func:`.scores.transfer_scores`.
    scale
        Which change. A label that is never right has no ts, but a delta.
    by_transfer
        A row for each transfer entry too.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric (without the label), label, steps, transfer, corpus (empty for the mean
        over transfer entries): reference (mean over the cells of the untouched model's or the control's score, metric's
        unit); n_transfers, n_targets, n_cells (with a finite change, not flagged); estimate (mean over entries of
        their mean over targets), se, df, low, high, p, scale, estimand, level, why; p_holm (Holm's, over the labels of
        one base, setting, task, metric, steps, transfer, corpus). No row for a label without such a cell.

    Raises
    ------
    ValueError
        A column is missing, an option is unknown, or no row is of a label.

    Notes
    -----
    Estimand new_targets, as for :func:`.progression.progression`: over entries the mean is for other transfer
    languages and targets, for one entry for other replicates and targets. Not every target has every label.

    References
    ----------
    Holm 1979.
    """
    require_columns(measurements, ["task", "metric"], "measurements")
    require_one_of(scale, SCALES, "scale")
    rows = plain(measurements)
    of_label = rows["metric"].str.contains("[", regex=False)
    if not of_label.any():
        raise ValueError("measurements hold no metric of a label such as 'accuracy[NOUN]'; read them with the labels")
    flags = default_flags(rows[~of_label]) if out_of_aggregates is None else out_of_aggregates
    changes = replicate_changes(rows[of_label], against, flags)
    # What counts is that the change asked for is defined: a label that is never right has no ts.
    out = changes[flag_columns(changes)].any(axis=1)
    changes["aggregated"] = np.isfinite(changes[scale].astype("float64")) & ~out
    references = _references(changes)
    keys, contrasts = [], []
    for table in score_tables(changes, scale):
        for key, contrast in _of_table(table, references, by_transfer):
            keys.append(key)
            contrasts.append(contrast)
    frame = contrast_frame(keys, contrasts, [*_KEYS, *ENTRY, *_COUNTS], scale, level)
    family = [name for name in [*_KEYS, *ENTRY] if name != "label"]
    frame["p_holm"] = frame.groupby(family, observed=True)["p"].transform(_holm)
    return frame.sort_values([*_KEYS, *ENTRY], ignore_index=True)


def _references(changes: pd.DataFrame) -> pd.DataFrame:
    """Return the mean reference of every counted cell: `STUDY`, `ENTRY` and reference."""
    rows = changes[changes["aggregated"]]
    return rows.groupby(CELL, dropna=False, observed=True)["reference"].mean().reset_index()


def _of_table(
    table: ScoreTable, references: pd.DataFrame, by_transfer: bool
) -> Iterator[tuple[dict[str, Any], Contrast]]:
    """Yield key and change of the mean over entries and, if wanted, of every entry."""
    name, _, label = table.metric.rstrip("]").partition("[")
    key = {**table.key, "metric": name, "label": label}
    own = references[(references[STUDY] == pd.Series(table.key)).all(axis=1)]
    cells = replicate_means(table.values)
    there = np.isfinite(cells)
    counts = {"n_transfers": int(there.any(axis=1).sum()), "n_targets": int(there.any(axis=0).sum())}
    whole = {**counts, "n_cells": int(there.sum()), "reference": own["reference"].mean()}
    yield {**key, "transfer": "", "corpus": "", **whole}, entry_mean(cells)
    if by_transfer:
        means = own.groupby(ENTRY, observed=True)["reference"].mean()
        for place, entry in enumerate(entry_keys(table.transfers)):
            size = int(there[place].sum())
            own_counts = {
                "n_transfers": 1,
                "n_targets": size,
                "n_cells": size,
                "reference": means[tuple(entry.values())],
            }
            yield {**key, **entry, **own_counts}, target_mean(table.values[place])


def _holm(p: "pd.Series[float]") -> "pd.Series[float]":
    """Return Holm's corrected p-values; NaN stays NaN and counts as no test."""
    tested = p.dropna()
    return pd.Series(holm(np.asarray(tested, dtype=np.float64)), index=tested.index, dtype="float64").reindex(p.index)
