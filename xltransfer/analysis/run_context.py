"""What a pass over the transfer entries of a run looks up: the baseline of an entry, and which of its targets count."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.aggregates import flag_columns
from xltransfer.analysis.score_tables import RECEIVER
from xltransfer.analysis.scores import flagged
from xltransfer.analysis.shifts import aligned
from xltransfer.analysis.weightings import families
from xltransfer.runs.cluster_counts import ClusterCounts, Targets

Model = tuple[Any, ...]
"""Base, task and adapter seed."""


@dataclass(frozen=True)
class RunContext:
    """Baselines, flags and families of a run.

    Attributes
    ----------
    baselines
        The untouched model by base, task and adapter seed.
    flags
        What :func:`.aggregates.out_of_aggregates` gives.
    languages
        Columns code, family; None where families are not wanted.
    """

    baselines: dict[Model, ClusterCounts]
    flags: pd.DataFrame
    languages: pd.DataFrame | None
    _flagged: dict[Model, NDArray[np.bool_]] = field(default_factory=dict)

    def baseline(self, entry: ClusterCounts) -> ClusterCounts:
        """Return the untouched model that ``entry`` is compared with; one without any device where there is none.

        Raises
        ------
        ValueError
            It was scored on other targets or other clusters.
        """
        baseline = self.baselines.get(model_of(entry), _nothing(entry))
        if not _same(baseline.targets, entry.targets):
            raise ValueError(f"baselines of {model_of(entry)} have other targets than entries; use those of one run")
        return baseline

    def flagged(self, entry: ClusterCounts) -> NDArray[np.bool_]:
        """Return which targets are out of the aggregates, shape [target]."""
        key = model_of(entry)
        if key not in self._flagged:
            names = entry.targets.names
            rows = pd.DataFrame(names, columns=RECEIVER).assign(
                base=entry.base,
                task=entry.targets.task,
                adapter_seed=pd.array([entry.adapter_seed] * len(names), dtype="Int64"),
            )
            marked = flagged(rows, self.flags)
            self._flagged[key] = marked[flag_columns(marked)].any(axis=1).to_numpy(dtype=np.bool_)
        return self._flagged[key]

    def families(self, targets: Targets) -> NDArray[np.intp] | None:
        """Return the number of each target's family, None where families are not known."""
        return None if self.languages is None else families([code for _, code in targets.names], self.languages)


def run_context(baselines: Iterable[ClusterCounts], flags: pd.DataFrame, languages: pd.DataFrame | None) -> RunContext:
    """Return the context of a run; raises ``ValueError`` for two baselines of one base, task and adapter seed."""
    found: dict[Model, ClusterCounts] = {}
    for baseline in baselines:
        key = model_of(baseline)
        if key in found:
            raise ValueError(f"baselines hold {key} twice; expected one for each base, task and adapter seed")
        found[key] = baseline
    return RunContext(found, flags, languages)


def by_entry(entries: Iterable[ClusterCounts]) -> Iterator[list[ClusterCounts]]:
    """Yield the adapter seeds of each transfer entry and task, with the same rows in each."""
    for _, seeds in groupby(entries, key=_entry):
        yield aligned(list(seeds))


def study_of(entry: ClusterCounts, metric: str) -> dict[str, Any]:
    """Return the columns `STUDY` of an entry."""
    task = {"task": entry.targets.task, "metric": metric, "steps": entry.steps}
    return {"base": entry.base, "setting": entry.setting, **task}


def own_target(entry: ClusterCounts) -> NDArray[np.bool_]:
    """Return which targets are the transfer language itself, shape [target]."""
    return np.array([target == entry.transfer for _, target in entry.targets.names], dtype=np.bool_)


def model_of(counts: ClusterCounts) -> Model:
    """Return base, task and adapter seed."""
    return counts.base, counts.targets.task, counts.adapter_seed


def _entry(counts: ClusterCounts) -> tuple[Any, ...]:
    """Return what the adapter seeds of one transfer entry and task have in common."""
    return counts.base, counts.setting, counts.transfer, counts.corpus, counts.steps, counts.targets.task


def _nothing(entry: ClusterCounts) -> ClusterCounts:
    """Return a baseline that no device has scored."""
    counts = {name: values[:0] for name, values in entry.counts.items()}
    return replace(entry, replicates=entry.replicates[:0], devices=(), scored=entry.scored[:0], counts=counts)


def _same(one: Targets, other: Targets) -> bool:
    """Return whether two lists of test sets have the same targets with the same clusters."""
    return one is other or (
        one.names == other.names
        and np.array_equal(one.starts, other.starts)
        and np.array_equal(one.cluster, other.cluster)
    )
