"""The pigeonhole bootstrap: replicates and clusters, and for new targets also targets, each side drawn anew as a whole.

It stands beside the crossed interval by name, as a check that linearises nothing: every draw recomputes all scores from
weighted sums of counts. It is no replacement. The replicates of a draw vary by (R − 1)/R of what replicates do, which
at R = 3 is a third too little; the interaction of replicates and items is counted up to three times, and for new
targets so is the sampling of items, which is part of how targets differ. ``analyses/coverage.py`` prints what comes of
that. Counts are additive, so a draw is a product, weights × counts.

References
----------
Owen 2007, *The pigeonhole bootstrap*, Annals of Applied Statistics 1(2).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.drawn_changes import DrawnChanges, mean_of_defined
from xltransfer.analysis.frames import CELL
from xltransfer.analysis.influence import metrics_of
from xltransfer.analysis.percentiles import percentile_intervals
from xltransfer.analysis.resamples import Resamples
from xltransfer.analysis.run_context import by_entry, own_target, run_context, study_of
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY
from xltransfer.analysis.student import INTERVAL, check
from xltransfer.analysis.untouched import words
from xltransfer.analysis.weightings import WEIGHTINGS, Weighting, target_weights
from xltransfer.metrics import Metric
from xltransfer.runs.cluster_counts import ClusterCounts

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Reasons = NDArray[np.object_]
Drawn = tuple[pd.DataFrame, Array, Reasons]
"""Rows, their draws [row, draw], and why a row has no interval."""

_BY_CELL: Final = [*CELL, "n_replicates"]
_BY_TRANSFER: Final = [*STUDY, *ENTRY, "weighting", "include_self", "n_targets", "n_replicates"]
_BY_TARGET: Final = [*STUDY, *RECEIVER, "include_self", "n_transfers", "n_replicates"]


@dataclass(frozen=True)
class Pigeonhole:
    """Percentile intervals of cells and of both kinds of aggregates.

    Attributes
    ----------
    cells, transfers, targets
        Keys as in :func:`.cell_intervals`, :func:`.transfer_aggregates` (all weightings, with and without self) and
        :func:`.target_aggregates`; then the columns `INTERVAL`, see :func:`.percentiles.percentile_intervals`.
    """

    cells: pd.DataFrame
    transfers: pd.DataFrame
    targets: pd.DataFrame


def pigeonhole(
    entries: Iterable[ClusterCounts],
    baselines: Iterable[ClusterCounts],
    flags: pd.DataFrame,
    languages: pd.DataFrame | None = None,
    scale: Scale = "ts",
    estimand: str = "new_targets",
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
    metrics: Collection[str] | None = None,
    cells: bool = False,
) -> Pigeonhole:
    """Return bootstrap intervals of all aggregates, and of all cells if wanted.

    Parameters
    ----------
    entries, baselines, flags, languages
        As for :func:`.interval_statistics`.
    scale, level
        As for :func:`.cell_intervals`.
    estimand
        Of the aggregates by transfer language. Cells and aggregates by target have no new targets; with
        ``new_targets`` theirs is ``new_sentences``.
    draws
        Number of draws, 2 or more.
    seed
        Of the draws.
    metrics
        Names of the metrics; default all.
    cells
        Whether cells are wanted too.

    Raises
    ------
    ValueError
        As :func:`.interval_statistics`; or fewer than two draws.

    Notes
    -----
    A draw in which a target's change is undefined (no word right in the drawn baseline) leaves that target out of the
    aggregates of this draw. Working memory is two bytes for each cluster and draw.
    """
    check(scale, estimand, level)
    if draws < 2:
        raise ValueError(f"draws={draws} is less than 2; 1000 is usual")
    context = run_context(baselines, flags, languages)
    resamples = Resamples(draws, seed, "new_targets" == estimand, estimand != "this_test_set")
    bootstrap = _Bootstrap(DrawnChanges(context, resamples, scale))
    of_cells: list[Drawn] = []
    of_transfers: list[Drawn] = []
    for seeds in by_entry(entries):
        for metric in metrics_of(seeds[0].counts):
            if metrics is None or metric.name in metrics:
                drawn = [bootstrap.drawn.changes(adapter_seed, metric) for adapter_seed in seeds]
                of_transfers.append(bootstrap.transfer(seeds, metric, drawn))
                if cells:
                    of_cells += [_cells(s, metric, d, estimand) for s, d in zip(seeds, drawn, strict=True)]
    fixed = "new_sentences" if estimand == "new_targets" else estimand
    return Pigeonhole(
        _frame(of_cells, _BY_CELL, scale, fixed, level),
        _frame(of_transfers, _BY_TRANSFER, scale, estimand, level),
        _frame(list(bootstrap.targets()), _BY_TARGET, scale, fixed, level),
    )


def _cells(entry: ClusterCounts, metric: Metric, drawn: Array, estimand: str) -> Drawn:
    """Return the cells of one entry and adapter seed."""
    there: Flags = np.asarray(entry.scored.any(axis=0))
    frame = pd.DataFrame(entry.targets.names, columns=RECEIVER).assign(
        **study_of(entry, metric.name),
        transfer=entry.transfer,
        corpus=entry.corpus,
        adapter_seed=pd.array([entry.adapter_seed] * len(there), dtype="Int64"),
        n_replicates=entry.scored.sum(axis=0),
    )
    lone = np.array([stop - start == 1 for start, stop in pairwise(entry.targets.starts)])
    why = np.where(lone & (estimand != "this_test_set"), "one cluster", "").astype(object)
    why = np.where(frame["n_replicates"] == 1, "one replicate", why)
    why = np.where(np.isnan(drawn[:, 0]), "undefined change", why)
    return frame[there][_BY_CELL], drawn[there], why[there]


@dataclass
class _Bootstrap:
    """The draws of the aggregates: each transfer entry in its turn, targets as sums over transfer entries."""

    drawn: DrawnChanges
    _sums: dict[tuple[Any, ...], "_TargetSums"] = field(default_factory=dict)

    def transfer(self, seeds: Sequence[ClusterCounts], metric: Metric, drawn: Sequence[Array]) -> Drawn:
        """Return the aggregates of one transfer entry, and add it to those of the targets."""
        first, study = seeds[0], study_of(seeds[0], metric.name)
        usable = np.stack([self.drawn.usable(s, metric, d) for s, d in zip(seeds, drawn, strict=True)])
        changes = mean_of_defined(np.stack(drawn), usable[:, :, None].astype(np.float64))
        used: Flags = np.asarray(usable.any(axis=0))
        replicates = np.max([seed.scored.sum(axis=0) for seed in seeds], axis=0)
        sums = self._sums.setdefault(tuple(study.items()), _TargetSums(first.targets.names))
        own = own_target(first)
        fixed = {**study, "transfer": first.transfer, "corpus": first.corpus}
        fixed["n_replicates"] = len(np.unique(first.replicates))
        rows, draws, why = [], [], []
        for include_self in (True, False):
            counted = used if include_self else used & ~own
            sums.add(include_self, changes, counted, replicates)
            for weighting, unit in self._units(first):
                aggregate, reason = self._aggregate(first, changes, counted, weighting, unit)
                row = {"weighting": weighting, "include_self": include_self, "n_targets": int(counted.sum())}
                rows.append(fixed | row)
                draws.append(aggregate)
                why.append("one replicate" if fixed["n_replicates"] == 1 else reason)
        return pd.DataFrame(rows, columns=_BY_TRANSFER), np.stack(draws), np.array(why, dtype=object)

    def targets(self) -> Iterator[Drawn]:
        """Yield the aggregates by target of each study, with and without self-transfer."""
        for key, sums in self._sums.items():
            yield from sums.rows(dict(key))

    def _units(self, entry: ClusterCounts) -> Iterator[tuple[Weighting, NDArray[np.intp]]]:
        """Yield each weighting, and for each target the number of the unit that it is drawn with."""
        family = self.drawn.context.families(entry.targets)
        for weighting in WEIGHTINGS:
            if weighting != "family":
                yield weighting, np.arange(len(entry.targets.names))
            elif family is not None:
                yield weighting, family

    def _aggregate(
        self, entry: ClusterCounts, changes: Array, counted: Flags, weighting: Weighting, unit: NDArray[np.intp]
    ) -> tuple[Array, str]:
        """Return the draws of one aggregate, and why it has no interval."""
        if not counted.any():
            return np.full(changes.shape[1], np.nan), "no target"
        total = words(self.drawn.context.baseline(entry))
        weight = target_weights(weighting, counted, total, unit)[counted]
        resamples = self.drawn.resamples
        _, number = np.unique(unit[counted], return_inverse=True)
        units = int(number.max()) + 1
        times = resamples.units(entry.targets.task, units)[number]
        lone = "one family" if weighting == "family" else "one target"
        return mean_of_defined(
            changes[counted], weight[:, None] * times
        ), lone if units == 1 and resamples.new_units else ""


@dataclass
class _TargetSums:
    """Draws of the aggregates by target, summed over transfer entries: with self-transfer, and without."""

    names: tuple[tuple[str, str], ...]
    _sums: dict[bool, list[Array]] = field(default_factory=dict)

    def add(self, include_self: bool, changes: Array, counted: Flags, replicates: NDArray[np.int64]) -> None:
        """Add the changes [target, draw] of an entry on the targets that are ``counted``."""
        defined = counted[:, None] & np.isfinite(changes)
        new = [np.where(defined, changes, 0.0), defined, counted, counted & (replicates > 1), counted * replicates]
        old = self._sums.get(include_self, [np.zeros(1)] * len(new))
        self._sums[include_self] = [before + values for before, values in zip(old, new, strict=True)]

    def rows(self, study: Mapping[str, Any]) -> Iterator[Drawn]:
        """Yield rows with and without self-transfer."""
        for include_self, (total, defined, entries, repeated, replicates) in self._sums.items():
            frame = pd.DataFrame(self.names, columns=RECEIVER).assign(
                **study,
                include_self=include_self,
                n_transfers=entries.astype(np.int64),
                n_replicates=replicates.astype(np.int64),
            )
            draws = total / np.where(defined > 0.0, defined, np.nan)
            why = np.where(repeated == 0, "one replicate", "").astype(object)
            yield frame[_BY_TARGET], draws, np.where(entries == 0, "no transfer entry", why)


def _frame(parts: Sequence[Drawn], keys: list[str], scale: Scale, estimand: str, level: float) -> pd.DataFrame:
    """Return rows and their intervals as one frame, sorted by its keys."""
    if not parts:
        return pd.DataFrame(columns=[*keys, *INTERVAL])
    rows = [
        pd.concat([frame.reset_index(drop=True), percentile_intervals(draws, why, scale, estimand, level)], axis=1)
        for frame, draws, why in parts
    ]
    by = [key for key in keys if key not in ("n_targets", "n_transfers", "n_replicates")]
    return pd.concat(rows, ignore_index=True).astype({"steps": "Int64"}).sort_values(by, ignore_index=True)
