"""Scores of compositions of language adapters, [A], [AB], [ABC], [AA'] and the task adapter alone, as one frame.

From the measurements of an interaction study, where the members of a composition stand in the column ``transfer`` and
how they are fused in the column ``setting``. See protocols.md §2.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from xltransfer.analysis.frames import plain, require_columns, require_one_device, require_one_of
from xltransfer.analysis.influence import metrics_of
from xltransfer.analysis.untouched import untouched
from xltransfer.runs.cluster_counts import ClusterCounts

ALONE: Final = "baseline"
"""Setting of the task adapters without any language adapter."""
SINGLE: Final = "language_adapter"
"""Setting of one language adapter."""
FUSED: Final = "fusion_"
"""Begins the setting of several; behind it the kind of fusion."""
SETTINGS: Final = (ALONE, SINGLE, *(f"{FUSED}{kind}" for kind in ("trained", "untrained", "uniform")))
"""Settings that `composition_scores` reads, also for ``run.cluster_counts(SETTINGS)``."""

COMPOSITION_SCORES: Final = [
    "base", "task", "metric", "target", "dataset", "composition", "members", "fusion", "adapter_seed", "score",
    "standard_error", "n_items",
]  # fmt: skip
"""Columns of the frame."""

_READ: Final = [
    *("protocol", "base", "setting", "transfer", "adapter_seed", "task", "dataset", "target", "metric", "score"),
    *("n_items", "device"),
]
_CELL: Final = ["base", "setting", "transfer", "adapter_seed", "task", "dataset", "target", "metric", "device"]


def composition_scores(
    measurements: pd.DataFrame,
    counts: Iterable[ClusterCounts] | None = None,
    device: str | None = None,
) -> pd.DataFrame:
    """Return one row for each composition, target and metric.

    Parameters
    ----------
    measurements
        ``run.measurements()`` of an interaction study; rows of single gold labels, if any, keep their metric's name.
    counts
        ``run.cluster_counts(SETTINGS)``, for the standard errors; None leaves them NaN. Those of single gold labels
        are NaN.
    device
        Which kind of device, where the folder has scores of several: a difference is taken within one only.

    Returns
    -------
    DataFrame
        base, task, metric, target (language), dataset, composition (``T``, ``A``, ``A+B``, ``A+B+C`` or ``A+A'``),
        members (codes in the study's order, joined by ``+``; a second adapter is ``wol'``; empty for ``T``), fusion
        (``trained``, ``untrained``, ``uniform``; empty where nothing is fused), adapter_seed (of the task adapter),
        score, standard_error (over sentences, or the documents, premises or paragraphs that they stand in, by
        linearisation; in the score's unit) and n_items.

    Raises
    ------
    ValueError
        A column is missing, the rows are of another protocol, or are of several devices of which none is chosen.
    """
    require_columns(measurements, _READ, "measurements")
    rows = plain(measurements[_READ])
    rows = rows[rows["setting"].isin(SETTINGS)]
    others = sorted(set(rows["protocol"]) - {"interaction"})
    if others or rows.empty:
        said = f"of protocol {others[0]!r}" if others else "of no composition"
        raise ValueError(f"measurements holds scores {said}; expected those of a study of protocol interaction")
    rows = _on_one_device(rows, device)
    members = rows["transfer"].where(rows["setting"] != ALONE, "")
    rows = rows.assign(
        members=members,
        composition=members.map({each: composition_of(each) for each in members.unique()}),
        fusion=rows["setting"].map({each: each.removeprefix(FUSED) for each in SETTINGS if each.startswith(FUSED)}),
        standard_error=_standard_errors(rows, counts),
    )
    found = rows.assign(fusion=rows["fusion"].fillna("").astype("str"))[COMPOSITION_SCORES]
    keys = [name for name in COMPOSITION_SCORES if name not in ("score", "standard_error", "n_items")]
    return found.sort_values(keys, ignore_index=True)


def composition_of(members: str) -> str:
    """Return what a composition is called: ``A+B`` for ``wol+yor``, ``A+A'`` for ``wol+wol'``, ``T`` for no member."""
    codes = members.split("+") if members else []
    if len(codes) == 2 and codes[1] == f"{codes[0]}'":
        return "A+A'"
    return "+".join("ABC"[: len(codes)]) or "T"


def _on_one_device(rows: pd.DataFrame, device: str | None) -> pd.DataFrame:
    if device is not None:
        require_one_of(device, sorted(rows["device"].unique()), "device")
        return rows[rows["device"] == device]
    require_one_device(rows, "measurements", "choose one of them by device=")
    return rows


def _standard_errors(rows: pd.DataFrame, counts: Iterable[ClusterCounts] | None) -> "pd.Series[float]":
    """Return the standard error of each row's score."""
    if counts is None:
        return pd.Series(np.nan, index=rows.index)
    blocks = [block for entry in counts for block in _blocks(entry)]
    if not blocks:
        return pd.Series(np.nan, index=rows.index)
    table = pd.concat(blocks).set_index(_CELL)["standard_error"]
    wanted = rows[_CELL].assign(adapter_seed=rows["adapter_seed"].astype("Int64").fillna(-1).astype("int64"))
    return pd.Series(table.reindex(pd.MultiIndex.from_frame(wanted)).to_numpy(), index=rows.index)


def _blocks(entry: ClusterCounts) -> Iterable[pd.DataFrame]:
    """Yield standard errors of one composition's scores, a frame for each metric and device."""
    datasets, targets = zip(*entry.targets.names, strict=True)
    for metric in metrics_of(entry.counts):
        found = untouched(entry, metric)
        squares = (found.influence * found.loading) ** 2
        variance = np.add.reduceat(squares, entry.targets.starts[:-1], axis=-1)
        # One cluster says nothing about its spread.
        several = np.where(found.effective > 1, 1.0, np.nan)
        for row, device in enumerate(entry.devices):
            yield pd.DataFrame(
                {
                    "base": entry.base,
                    "setting": entry.setting,
                    "transfer": entry.transfer,
                    "adapter_seed": -1 if entry.adapter_seed is None else entry.adapter_seed,
                    "task": entry.targets.task,
                    "dataset": datasets,
                    "target": targets,
                    "metric": metric.name,
                    "device": device,
                    "standard_error": np.sqrt(variance[row]) * several,
                }
            )[entry.scored[row]]
