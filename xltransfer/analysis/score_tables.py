"""Replicate changes as arrays: transfer entries × replicates × targets, one array a task, metric and k.

Replicates and targets are crossed: one nudged model scores all targets. Everything that asks how sure an aggregate, a
rank or a correlation is reads these arrays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns, require_one_of
from xltransfer.analysis.scales import SCALES, Scale

STUDY: Final = ["base", "setting", "task", "metric", "steps"]
ENTRY: Final = ["transfer", "corpus"]
RECEIVER: Final = ["dataset", "target"]


@dataclass(frozen=True)
class ScoreTable:
    """The changes of one base, setting, task, metric and number of steps.

    Attributes
    ----------
    base, setting, task, metric, steps, scale
        What the values are.
    transfers
        Columns transfer, corpus; A rows.
    targets
        Columns dataset, target; T rows.
    values
        Shape [A, R, T], in the unit of the scale, averaged over adapter seeds; NaN where a cell was not measured, is
        not in the aggregates, or an entry has fewer than R replicates.
    self_transfer
        Shape [A, T]: the transfer language is the target language.
    """

    base: str
    setting: str
    task: str
    metric: str
    steps: int
    scale: Scale
    transfers: pd.DataFrame
    targets: pd.DataFrame
    values: NDArray[np.float64]
    self_transfer: NDArray[np.bool_]

    @property
    def key(self) -> dict[str, Any]:
        """What tells this table from the others, as columns of a result."""
        return {name: getattr(self, name) for name in STUDY}


def score_tables(changes: pd.DataFrame, scale: Scale = "ts", aggregated_only: bool = True) -> Iterator[ScoreTable]:
    """Yield one table per base, setting, task, metric and steps, in sorted order.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives.
    scale
        Which change to tabulate.
    aggregated_only
        Leave out targets that are at the floor, small or undefined.

    Raises
    ------
    ValueError
        A column is missing or the scale is unknown.

    Notes
    -----
    Adapter seeds share replicates and items; a replicate's value is the mean over the seeds that were scored. A cell
    that lacks a replicate which another target of the same entry has stays NaN there.
    """
    require_columns(
        changes, [*STUDY, *ENTRY, *RECEIVER, "replicate", "self_transfer", "aggregated", *SCALES], "changes"
    )
    require_one_of(scale, SCALES, "scale")
    rows = changes[changes["aggregated"]] if aggregated_only else changes
    for _, part in rows.groupby(STUDY, observed=True, sort=True):
        base, setting, task, metric, steps = part[STUDY].iloc[0]
        yield _table(part, scale, str(base), str(setting), str(task), str(metric), int(steps))


def _table(part: pd.DataFrame, scale: Scale, base: str, setting: str, task: str, metric: str, steps: int) -> ScoreTable:
    """Average the adapter seeds of one part and lay it out."""
    a, transfers = _coded(part, ENTRY)
    t, targets = _coded(part, RECEIVER)
    r, _ = _coded(part, ["replicate"])
    shape = (len(transfers), int(r.max()) + 1, len(targets))
    place = np.ravel_multi_index((a, r, t), shape)
    sums, sizes = (np.bincount(place, weights=w, minlength=int(np.prod(shape))) for w in (part[scale].to_numpy(), None))
    with np.errstate(invalid="ignore"):
        values = np.where(sizes > 0, sums / sizes, np.nan).reshape(shape)
    own = transfers["transfer"].to_numpy()[:, None] == targets["target"].to_numpy()[None, :]
    return ScoreTable(base, setting, task, metric, steps, scale, transfers, targets, values, own)


def _coded(part: pd.DataFrame, names: list[str]) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """Return a code per row for the combination of ``names``, and the combinations in sorted order."""
    codes: NDArray[np.intp] = part.groupby(names, observed=True, sort=True).ngroup().to_numpy().astype(np.intp)
    known = part[names].drop_duplicates().sort_values(names, ignore_index=True)
    return codes, known
