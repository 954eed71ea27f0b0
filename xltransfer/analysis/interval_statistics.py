"""One pass over the items of a run: everything that the intervals of its cells and aggregates are made of.

Items are read once, one transfer entry at a time; what is kept are a few moments for each cell and the components of
each aggregate. Scale, estimand, weighting and level are then chosen on these small frames, by :func:`.cell_intervals`,
:func:`.transfer_aggregates` and :func:`.target_aggregates`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xltransfer.analysis.cell_statistics import Block, cell_block, cell_frame, on_scored
from xltransfer.analysis.cluster_moments import cluster_moments
from xltransfer.analysis.influence import metrics_of
from xltransfer.analysis.run_context import RunContext, by_entry, model_of, own_target, run_context, study_of
from xltransfer.analysis.scales import SCALES
from xltransfer.analysis.seed_means import seed_means
from xltransfer.analysis.shared_clusters import Parallel, parallel_groups
from xltransfer.analysis.shifts import shift
from xltransfer.analysis.target_components import TargetSums, target_frame
from xltransfer.analysis.transfer_components import Receivers, transfer_frame, transfer_rows
from xltransfer.analysis.untouched import Untouched, untouched
from xltransfer.metrics import Metric
from xltransfer.runs.cluster_counts import ClusterCounts, Targets


@dataclass(frozen=True)
class Statistics:
    """What intervals are made of.

    Attributes
    ----------
    cells
        A row per cell: the columns `CELL_STATISTICS`. Per scale the mean over replicates and its variance (ddof 1);
        item_* and rest_*: sums of squares and products of the cluster influences, in squared metric units; effective:
        number of clusters of equal size that would be as good; words; decisions.
    transfers
        A row per base, setting, task, metric, steps, transfer, corpus, weighting, include_self and scale: estimate,
        numbers of targets, replicates and units drawn, and the parts of the variance of the estimate.
    targets
        The same per base, setting, task, metric, steps, dataset, target, include_self and scale.
    """

    cells: pd.DataFrame
    transfers: pd.DataFrame
    targets: pd.DataFrame


def interval_statistics(
    entries: Iterable[ClusterCounts],
    baselines: Iterable[ClusterCounts],
    flags: pd.DataFrame,
    languages: pd.DataFrame | None = None,
) -> Statistics:
    """Return the statistics of all cells and aggregates.

    Parameters
    ----------
    entries
        Nudged models, as ``run.cluster_counts(settings=("nudge",))`` gives them: the adapter seeds of a transfer entry
        and task one after the other.
    baselines
        The untouched model, as ``run.cluster_counts(settings=("baseline",))`` gives it.
    flags
        What :func:`.aggregates.out_of_aggregates` gives: cells with a flag are left out of the aggregates.
    languages
        Columns code, family, with a row for each target language; without it there are no family weightings.

    Raises
    ------
    ValueError
        Two baselines of one base, task and adapter seed, an entry whose targets are not those of its baseline, or a
        target language without a row in ``languages``.

    Notes
    -----
    A transfer entry without a baseline has cells with undefined changes. Memory is that of one transfer entry and of a
    few numbers per cluster.
    """
    return _Pass(run_context(baselines, flags, languages)).over(entries)


@dataclass
class _Pass:
    """What one pass knows of the test sets, and the sums over transfer entries."""

    context: RunContext
    _untouched: dict[tuple[Any, ...], Untouched] = field(default_factory=dict)
    _groups: dict[str, tuple[Parallel, ...]] = field(default_factory=dict)
    _sums: dict[tuple[Any, ...], TargetSums] = field(default_factory=dict)

    def over(self, entries: Iterable[ClusterCounts]) -> Statistics:
        """Read all entries and return what was kept."""
        cells: list[Block] = []
        transfers: list[dict[str, Any]] = []
        for seeds in by_entry(entries):
            for metric in metrics_of(seeds[0].counts):
                self._metric(seeds, metric, cells, transfers)
        targets = [part for key, sums in self._sums.items() for part in sums.rows(dict(key))]
        return Statistics(cell_frame(cells), transfer_frame(transfers), target_frame(targets))

    def _metric(
        self, seeds: list[ClusterCounts], metric: Metric, cells: list[Block], transfers: list[dict[str, Any]]
    ) -> None:
        """Add one transfer entry, task and metric, with all its adapter seeds, to what is kept."""
        first, targets = seeds[0], seeds[0].targets
        bases = [self._base(seed, metric) for seed in seeds]
        shifts = [shift(seed, base, metric) for seed, base in zip(seeds, bases, strict=True)]
        moments = cluster_moments(shifts, targets.starts, self._parallel(targets))
        blocks = [
            cell_block(seed, metric, base, moved, moments, number, self.context.flagged(seed))
            for number, (seed, base, moved) in enumerate(zip(seeds, bases, shifts, strict=True))
        ]
        cells += [on_scored(block) for block in blocks]
        usable = [block["aggregated"] for block in blocks]
        changes = {scale: seed_means(scale, metric, shifts, usable) for scale in SCALES}
        study, own = study_of(first, metric.name), own_target(first)
        entry = {**study, "transfer": first.transfer, "corpus": first.corpus}
        transfers += transfer_rows(entry, changes, own, moments, self._receivers(targets, bases[0]))
        sums = self._sums.setdefault(tuple(study.items()), TargetSums(targets, bases[0].effective))
        for scale, changed in changes.items():
            sums.add(scale, changed, shifts, moments.rest_of_each(changed.factors), own)

    def _base(self, entry: ClusterCounts, metric: Metric) -> Untouched:
        """Return the untouched model that ``entry`` is compared with."""
        key = (*model_of(entry), metric.name)
        if key not in self._untouched:
            self._untouched[key] = untouched(self.context.baseline(entry), metric)
        return self._untouched[key]

    def _parallel(self, targets: Targets) -> tuple[Parallel, ...]:
        """Return the groups of targets that share clusters."""
        if targets.task not in self._groups:
            self._groups[targets.task] = parallel_groups(targets)
        return self._groups[targets.task]

    def _receivers(self, targets: Targets, base: Untouched) -> Receivers:
        """Return what aggregates need to know of the targets."""
        known = np.where(np.isfinite(base.size), base.size, 0.0)
        sizes = [group.side_by_side(known, targets.starts) for group in self._parallel(targets)]
        overlap = tuple(size @ size.T for size in sizes)
        return Receivers(base.words, base.effective, self.context.families(targets), overlap)
