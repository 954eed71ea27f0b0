"""How sure a difference between two compositions is: both score the same sentences, so it is taken pair by pair.

Two compositions that differ in a few decisions have scores that are far less certain than their difference. The item
standard error of the difference is the unit of the dead zone of :func:`.interference.interference`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.composition_scores import FUSED, composition_of
from xltransfer.analysis.influence import influences, metrics_of, ratio
from xltransfer.analysis.interference import Control, reference_of
from xltransfer.analysis.interference_frame import SIZES, languages_of
from xltransfer.metrics import Metric
from xltransfer.runs.cluster_counts import ClusterCounts

Array = NDArray[np.float64]

_COLUMNS: Final = [
    "base", "task", "metric", "dataset", "target", "adapter_seed", "fusion", "members", "control", "standard_error"
]  # fmt: skip

_Cell = tuple[Any, ...]


@dataclass(frozen=True)
class _Scored:
    """What the clusters of one test set do to one score, and the factor for each cluster's pull, both [cluster]."""

    influence: Array
    loading: Array


def paired_errors(
    compositions: Iterable[ClusterCounts], references: Iterable[ClusterCounts], control: Control = "same"
) -> pd.DataFrame:
    """Return the item standard error of every difference between a composition and what it is compared with.

    Parameters
    ----------
    compositions
        ``run.cluster_counts(["fusion_trained"])`` of an interaction run, or of whatever kinds of fusion it has.
    references
        ``run.cluster_counts(["language_adapter"])`` for ``control="same"``; for ``second_adapter`` the kinds of fusion
        once more.
    control
        What compositions are compared with, as in :func:`.interference.interference`.

    Returns
    -------
    DataFrame
        One row per base, task, metric, dataset, target (a member), adapter_seed (missing for a task without adapter),
        fusion and members: control; standard_error (in the metric's unit; over documents, premises or paragraphs where
        sentences stand in such, NaN for a single one). Only where both were scored on the same kind of device.

    Raises
    ------
    ValueError
        There is no reference of that kind, or two kinds of device scored the same difference.

    Notes
    -----
    With u and v the influences of a cluster on the two scores, √Σ (loading · (u − v))², where the loading
    1/√(1 − share of the decisions) makes up for the cluster's own part in the score (HC2, see :mod:`.untouched`).
    """
    wanted = reference_of(control)
    known: dict[_Cell, _Scored] = {}
    for entry in references:
        if composition_of(entry.transfer) == wanted:
            known |= dict(_cells(entry, control))
    if not known:
        raise ValueError(f"references hold no counts of the composition {wanted}, which control={control!r} needs")
    rows = [
        row for entry in compositions if composition_of(entry.transfer) in SIZES for row in _rows(entry, known, control)
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS).astype({"adapter_seed": "Int64"})
    twice = table.duplicated(_COLUMNS[:-1])
    if twice.any():
        named = {name: str(value) for name, value in table.loc[twice, _COLUMNS[:-1]].iloc[0].items()}
        raise ValueError(f"compositions and references of two kinds of device give an error for {named}; read one kind")
    return table.sort_values(_COLUMNS[:-1], ignore_index=True)


def _rows(entry: ClusterCounts, known: dict[_Cell, _Scored], control: Control) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one composition."""
    for cell, scored in _cells(entry, control):
        base, task, metric, dataset, target, seed, *_ = cell
        if cell in known:
            differences = (scored.influence - known[cell].influence) * known[cell].loading
            # One cluster says nothing about its spread.
            error = float(np.sqrt((differences**2).sum())) if np.count_nonzero(known[cell].loading) > 1 else np.nan
            fusion = entry.setting.removeprefix(FUSED)
            yield base, task, metric, dataset, target, seed, fusion, entry.transfer, control, error


def _cells(entry: ClusterCounts, control: Control) -> Iterator[tuple[_Cell, _Scored]]:
    """Yield the scores of one composition on its members' test sets, under what identifies the reference of each."""
    members, starts = languages_of(entry.transfer), entry.targets.starts
    # One adapter is not fused; two are compared with others under their own kind of fusion.
    kind = entry.setting if control == "second_adapter" else ""
    for number, (dataset, target) in enumerate(entry.targets.names):
        for row in np.flatnonzero(entry.scored[:, number]) if target in members else ():
            there = slice(starts[number], starts[number + 1])
            counts = {name: values[row : row + 1, there] for name, values in entry.counts.items()}
            for metric in metrics_of(counts):
                cell = (entry.base, entry.targets.task, metric.name, dataset, target, entry.adapter_seed)
                yield (*cell, entry.devices[row], kind), _scored(counts, metric)


def _scored(counts: dict[str, Array], metric: Metric) -> _Scored:
    """Return the influences and loadings of one test set."""
    whole = np.array([0, next(iter(counts.values())).shape[1]], dtype=np.intp)
    decisions = ratio(counts, metric)[1][0]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = decisions / decisions.sum()
        # A cluster that makes all decisions has no others to vary against; one that makes none has no say.
        loading = np.where((share > 0.0) & (share < 1.0), 1.0 / np.sqrt(1.0 - share), 0.0)
    return _Scored(influences(counts, metric, whole).influence[0], loading)
