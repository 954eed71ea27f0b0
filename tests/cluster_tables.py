"""Small tables of counts per cluster, as a run streams them, so that a test shows only the numbers it is about."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xltransfer.runs.cluster_counts import ClusterCounts, Targets

NO_FLAGS = pd.DataFrame({"task": ["dep"], "dataset": ["ud"], "target": ["none"], "small": [True]})


def targets_of(clusters: Mapping[str, Sequence[int]], task: str = "dep", dataset: str = "ud") -> Targets:
    """Return test sets from target -> codes of its clusters, one item in each."""
    names = tuple((dataset, target) for target in sorted(clusters))
    codes = [np.asarray(clusters[target], dtype=np.intp) for _, target in names]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in codes])]).astype(np.intp)
    flat = np.concatenate(codes)
    return Targets(task, names, starts, flat, np.ones(len(flat), dtype=np.intp))


def separate(sizes: Mapping[str, int], task: str = "dep") -> Targets:
    """Return test sets from target -> number of clusters, none of them shared."""
    ends = np.cumsum(list(sizes.values()))
    return targets_of({name: range(end - sizes[name], end) for name, end in zip(sizes, ends, strict=True)}, task)


def nudged(targets: Targets, counts: Mapping[str, Any], scored: Any = None, **more: Any) -> ClusterCounts:
    """Return a transfer entry from count column -> [replicate, cluster]."""
    counts = {name: np.asarray(values, dtype=np.float64) for name, values in counts.items()}
    rows = len(next(iter(counts.values())))
    there = (
        np.ones((rows, len(targets.names)), dtype=np.bool_) if scored is None else np.asarray(scored, dtype=np.bool_)
    )
    present = np.repeat(there, np.diff(targets.starts), axis=1)
    fields: dict[str, Any] = {
        "base": "b",
        "setting": "nudge",
        "transfer": "fin",
        "corpus": "text",
        "steps": 10,
        "adapter_seed": 0,
        "targets": targets,
        "replicates": np.arange(rows),
        "devices": ("cpu",) * rows,
        "scored": there,
        "counts": {name: np.where(present, values, np.nan) for name, values in counts.items()},
    }
    return ClusterCounts(**(fields | more))


def untouched(
    targets: Targets, counts: Mapping[str, Any], devices: tuple[str, ...] = ("cpu",), **more: Any
) -> ClusterCounts:
    """Return a baseline from count column -> [cluster], or [device, cluster]."""
    rows = {name: np.atleast_2d(values) for name, values in counts.items()}
    own = {"setting": "baseline", "transfer": "", "corpus": "", "steps": None}
    return nudged(targets, rows, devices=devices, replicates=np.full(len(devices), -1), **(own | more))


def las(rng: np.random.Generator, targets: Targets, replicates: int, words: Any = None) -> tuple[dict, dict]:
    """Return random counts of the untouched model and of the replicates: las and total."""
    count = len(targets.cluster)
    total = rng.integers(5, 30, count) if words is None else np.broadcast_to(words, count)
    before = rng.binomial(total, 0.6)
    up, down = rng.binomial(total - before, 0.15), rng.binomial(before, 0.1)
    after = np.stack([before + rng.binomial(up, 0.7) - rng.binomial(down, 0.6) for _ in range(replicates)])
    return {"las": before, "total": total}, {"las": after, "total": np.broadcast_to(total, after.shape)}


def f1(rng: np.random.Generator, targets: Targets, replicates: int) -> tuple[dict, dict]:
    """Return random counts of the untouched model and of the replicates: tp, fp and fn."""
    count = len(targets.cluster)
    gold = 1 + rng.poisson(2, count)
    before, wrong = rng.binomial(gold, 0.6), rng.poisson(1.0, count)
    after = np.stack([before - rng.binomial(before, 0.2) for _ in range(replicates)])
    fp = np.stack([wrong + rng.poisson(0.2, count) for _ in range(replicates)])
    return {"tp": before, "fp": wrong, "fn": gold - before}, {"tp": after, "fp": fp, "fn": gold - after}
