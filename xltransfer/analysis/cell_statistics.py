"""What a cell's interval needs, on every scale and for every estimand: means, variances and cluster moments."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.cluster_moments import BASE, SHIFT, ClusterMoments
from xltransfer.analysis.frames import CELL
from xltransfer.analysis.run_context import own_target
from xltransfer.analysis.scales import SCALES, change
from xltransfer.analysis.shifts import Shift
from xltransfer.analysis.untouched import Untouched
from xltransfer.metrics import Metric
from xltransfer.runs.cluster_counts import ClusterCounts

Array = NDArray[np.float64]
Block = dict[str, Any]

CELL_STATISTICS: Final = [
    *CELL, "self_transfer", "aggregated", "reference", "score", "n_replicates", "n_clusters", "effective", "words",
    "decisions", *(f"{name}_{scale}" for scale in SCALES for name in ("estimate", "variance")),
    "item_shift", "item_cross", "item_base", "rest_shift", "rest_cross", "rest_base",
]  # fmt: skip
"""Columns of the cells' statistics; see :func:`.statistics.interval_statistics`."""


_KINDS: Final = {
    **dict.fromkeys(["steps", "adapter_seed"], "Int64"),
    **dict.fromkeys(["n_replicates", "n_clusters"], "int64"),
    **dict.fromkeys(["self_transfer", "aggregated"], "bool"),
}


def cell_block(
    entry: ClusterCounts,
    metric: Metric,
    base: Untouched,
    moved: Shift,
    moments: ClusterMoments,
    seed: int,
    flagged: NDArray[np.bool_],
) -> Block:
    """Return the statistics of one entry and metric on all targets of the task, column by column.

    Parameters
    ----------
    seed
        Which of the adapter seeds in ``moments`` the entry is.
    flagged
        Shape [target]: the target is out of the aggregates.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        reference, score = (over_replicates(values, moved.scored) for values in (moved.reference, moved.score))
    estimates: dict[str, Array] = {}
    for scale in SCALES:
        changes = change(scale, moved.score, moved.reference, metric)
        estimates[f"estimate_{scale}"] = over_replicates(changes, moved.scored)
        estimates[f"variance_{scale}"] = variance_over_replicates(changes, moved.scored)
    part = 2 * seed
    names = {"shift": (SHIFT, SHIFT), "cross": (SHIFT, BASE), "base": (BASE, BASE)}
    return _keys(entry, metric) | {
        "self_transfer": own_target(entry),
        "aggregated": np.isfinite(estimates["estimate_ts"]) & ~flagged,
        "reference": reference,
        "score": score,
        "n_replicates": moved.scored.sum(axis=0),
        "n_clusters": base.clusters,
        "effective": base.effective,
        "words": base.words,
        "decisions": base.decisions,
        **estimates,
        **{f"item_{name}": moments.item[part + p, part + q] for name, (p, q) in names.items()},
        **{f"rest_{name}": moments.rest[part + p, part + q] for name, (p, q) in names.items()},
    }


def on_scored(block: Block) -> Block:
    """Return the rows of the cells that are there."""
    there = block["n_replicates"] > 0
    return {name: values[there] for name, values in block.items()}


def over_replicates(values: Array, scored: NDArray[np.bool_]) -> Array:
    """Return the mean of ``values`` [replicate, target] where scored; NaN where one of these is, or none was scored."""
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(scored, values, 0.0).sum(axis=0) / scored.sum(axis=0)
    return mean


def variance_over_replicates(values: Array, scored: NDArray[np.bool_]) -> Array:
    """Return the variance (ddof 1) of ``values`` [replicate, target] where scored; NaN for fewer than two."""
    squares = np.where(scored, values - over_replicates(values, scored), 0.0) ** 2
    degrees = scored.sum(axis=0) - 1.0
    variance: Array = squares.sum(axis=0) / np.where(degrees > 0, degrees, np.nan)
    return variance


def cell_frame(blocks: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the blocks as one frame with the columns `CELL_STATISTICS`, sorted by cell."""
    columns = {name: [block[name] for block in blocks] for name in CELL_STATISTICS}
    frame = pd.DataFrame({name: np.concatenate(parts) if parts else [] for name, parts in columns.items()})
    kinds = dict.fromkeys(CELL_STATISTICS, "float64") | dict.fromkeys(CELL, "str") | _KINDS
    return frame.astype(kinds).sort_values(CELL, ignore_index=True)


def _keys(entry: ClusterCounts, metric: Metric) -> Block:
    """Return the columns `CELL`."""
    count = len(entry.targets.names)
    fixed = {name: getattr(entry, name) for name in ("base", "setting", "transfer", "corpus", "steps", "adapter_seed")}
    fixed |= {"task": entry.targets.task, "metric": metric.name}
    keys: Block = {name: np.full(count, value, dtype=object) for name, value in fixed.items()}
    datasets, targets = zip(*entry.targets.names, strict=True)
    return keys | {"dataset": np.array(datasets, dtype=object), "target": np.array(targets, dtype=object)}
