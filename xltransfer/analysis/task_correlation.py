"""Do the same transfer languages help in two tasks?

One nudged model is scored on all tasks, so the aggregates of two tasks share its luck, and correlate by it. Disjoint
replicates do not: the one task's ranking comes from one half of them, the other's from the other. See protocols.md §6
and faisal2024 Table 21.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.equal_replicates import equal_replicates
from xltransfer.analysis.frames import require_columns, require_one_of
from xltransfer.analysis.halves import half_means, halves
from xltransfer.analysis.metric_names import main_metric
from xltransfer.analysis.rank_correlation import correlations, mid_ranks, rank_correlation
from xltransfer.analysis.reliability import icc, stepped
from xltransfer.analysis.scales import SCALES, Scale
from xltransfer.analysis.score_tables import ENTRY, RECEIVER
from xltransfer.analysis.student import INTERVAL
from xltransfer.randomness import stream

Targets = Literal["common", "pair", "all"]

LEAST_RELIABILITY: Final = 0.2
"""Lower bound of the reliability above which a correlation is corrected for it."""

_STUDY: Final = ["base", "setting", "steps"]
_RESULT: Final = [
    *_STUDY, "task_x", "metric_x", "task_y", "metric_y", "naive", "n_transfers", "n_targets", "n_replicates",
    "reliability_x", "reliability_y", "corrected", *INTERVAL,
]  # fmt: skip

Array = NDArray[np.float64]


def task_correlation(
    changes: pd.DataFrame,
    seed: int,
    metrics: Mapping[str, str] | None = None,
    targets: Targets = "common",
    scale: Scale = "ts",
    level: float = 0.95,
) -> pd.DataFrame:
    """Return Spearman's correlation between the transfer rankings of every two tasks.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives; rows that are not ``aggregated`` are not read.
    seed
        Draws halves and permutations where there are too many to try them all.
    metrics
        Task -> metric to rank by; only these tasks are compared, as far as ``changes`` has them. Default: every task by
        its main metric.
    targets
        ``common``: aggregates over the languages that all tasks have as targets, as in the paper; ``pair``: over those
        that the two have in common; ``all``: each task's own.
    scale
        Which change.
    level
        Of the interval.

    Returns
    -------
    DataFrame
        One row per base, setting, steps and unordered pair of tasks (task_x, metric_x, task_y, metric_y): naive (from
        all replicates, shared by the two sides); n_transfers; n_targets (languages, the fewer where ``targets`` is
        ``all``); n_replicates (the number that keeps most, where entries have different numbers); reliability_x,
        reliability_y (of the aggregate over half of the replicates); corrected, estimate/√(reliability_x ·
        reliability_y), within −1 to 1 and only where the lower bounds of both reliabilities are above
        `LEAST_RELIABILITY`; then estimate (mean over the splits into disjoint halves, both ways round), se,
        df, low, high, p, scale, estimand (``this_test_set``), level, why: no common targets, one replicate, fewer than
        three transfer entries.

    Raises
    ------
    ValueError
        A column is missing, a metric does not occur in its task, or an option is unknown.

    Notes
    -----
    The estimate is attenuated: halves are noisier than the whole. It is the honest one of the two, and ``corrected``
    says what it would be without noise. p permutes transfer entries; the interval leaves out one at a time. Both are
    for these targets. Two tasks on the same sentences (pos, dep) still share the sentences' luck.

    References
    ----------
    faisal2024, §4.2, Table 21; Spearman 1904 (correction for attenuation).
    """
    needed = [*_STUDY, "task", "metric", *ENTRY, *RECEIVER, "replicate", "aggregated", *SCALES]
    require_columns(changes, needed, "changes")
    require_one_of(scale, SCALES, "scale")
    require_one_of(targets, get_args(Targets), "targets")
    chosen = _chosen(changes, metrics)
    rows = changes[changes["metric"] == changes["task"].map(chosen)]
    records = []
    for key, part in rows.groupby(_STUDY, observed=True, sort=True):
        own = dict(zip(_STUDY, key, strict=True))
        for x, y, first, second in _sides(part, targets, scale):
            rng = stream(seed, "task_correlation", *(str(value) for value in key), x, y)
            tasks = {"task_x": x, "metric_x": chosen[x], "task_y": y, "metric_y": chosen[y]}
            given = {"scale": scale, "estimand": "this_test_set", "level": level}
            records.append({**own, **tasks, **_compared(first, second, rng, level), **given})
    return pd.DataFrame(records, columns=_RESULT)


def _chosen(changes: pd.DataFrame, metrics: Mapping[str, str] | None) -> dict[str, str]:
    """Return the metric of each task."""
    present = {
        str(task): list(names) for task, names in changes.groupby("task", observed=True)["metric"].unique().items()
    }
    if metrics is None:
        return {task: main_metric(names).name for task, names in present.items()}
    chosen = {task: name for task, name in metrics.items() if task in present}
    for task, name in chosen.items():
        require_one_of(name, sorted(present[task]), f"metrics[{task!r}]")
    return chosen


@dataclass(frozen=True)
class _Side:
    """Aggregates of one task, shape [entry, replicate], over how many languages."""

    values: Array
    languages: int


def _sides(rows: pd.DataFrame, targets: Targets, scale: Scale) -> Iterator[tuple[str, str, _Side, _Side]]:
    """Yield every pair of tasks with their aggregates, entries and replicates in one order."""
    parts = {str(task): part[part["aggregated"]] for task, part in rows.groupby("task", observed=True, sort=True)}
    known = {task: set(part["target"]) for task, part in parts.items()}
    # A task of which nothing can be aggregated has nothing in common with the others, and takes nothing from them.
    everywhere = set.intersection(*([languages for languages in known.values() if languages] or [set()]))
    for x, y in itertools.combinations(parts, 2):
        kept = {
            "common": [everywhere & known[x], everywhere & known[y]],
            "pair": [known[x] & known[y]] * 2,
            "all": [known[x], known[y]],
        }[targets]
        tables = [_aggregates(parts[task], own, scale) for task, own in zip((x, y), kept, strict=True)]
        first, second = (table.to_numpy(dtype=np.float64) for table in tables[0].align(tables[1], join="outer"))
        measured = np.isfinite(first).any(axis=1) & np.isfinite(second).any(axis=1)
        yield x, y, _Side(first[measured], len(kept[0])), _Side(second[measured], len(kept[1]))


def _aggregates(rows: pd.DataFrame, languages: set[str], scale: Scale) -> pd.DataFrame:
    """Return the mean over targets, a row per transfer entry and a column per replicate."""
    rows = rows[rows["target"].isin(languages)]
    cells = rows.groupby([*ENTRY, "replicate", *RECEIVER], observed=True)[scale].mean()
    return cells.groupby(level=[*ENTRY, "replicate"]).mean().unstack("replicate")


def _compared(x: _Side, y: _Side, rng: np.random.Generator, level: float) -> dict[str, Any]:
    """Return the columns of one pair of tasks."""
    entries, replicates = x.values.shape
    shown = {"n_transfers": entries, "n_targets": min(x.languages, y.languages), "n_replicates": replicates}
    empty = dict.fromkeys((*INTERVAL, "naive", "reliability_x", "reliability_y", "corrected"), math.nan)
    if entries < 3:
        why = "no common targets" if not (x.languages and y.languages) else "fewer than three transfer entries"
        return empty | shown | {"why": why}
    whole = [mid_ranks(_mean(side.values)) for side in (x, y)]
    shown["naive"] = float(correlations(*whole))
    kept, places = equal_replicates(np.isfinite(x.values) & np.isfinite(y.values))
    sides = [np.take_along_axis(side.values[kept], places, axis=1) for side in (x, y)]
    shown |= {"n_transfers": len(kept), "n_replicates": places.shape[1]}
    first, second = halves(places.shape[1], rng)
    if not len(first):
        return empty | shown | {"why": "one replicate"}
    # Both ways round: either task may have either half.
    left = np.concatenate([half_means(sides[0], half) for half in (first, second)])
    right = np.concatenate([half_means(sides[1], half) for half in (second, first)])
    found = rank_correlation(left, right, rng=rng, level=level)
    size = places.shape[1] // 2
    (reliable_x, low_x), (reliable_y, low_y) = (_reliability(side, size, level) for side in sides)
    sure = low_x > LEAST_RELIABILITY and low_y > LEAST_RELIABILITY
    corrected = found.rho / math.sqrt(reliable_x * reliable_y) if sure else math.nan
    corrected = float(np.clip(corrected, -1.0, 1.0))
    reliabilities = {"reliability_x": reliable_x, "reliability_y": reliable_y, "corrected": corrected}
    return shown | found.columns() | reliabilities


def _mean(values: Array) -> Array:
    """Return the mean over the replicates that are there."""
    there = np.isfinite(values)
    mean: Array = np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1)
    return mean


def _reliability(values: Array, size: int, level: float) -> tuple[float, float]:
    """Return the reliability of the mean of ``size`` replicates and its lower bound."""
    single = icc(values, level)["icc_single"]
    return stepped(single["estimate"], size), stepped(single["low"], size)
