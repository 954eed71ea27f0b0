"""The parts of the variance of an aggregate over transfer entries, for every target of a task at once.

Each transfer entry has replicates of its own, so their parts add up; the clusters of a target are the same for all
entries, so influences add up over entries before they are squared. Entries come one by one and are not kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import RECEIVER, STUDY
from xltransfer.analysis.seed_means import Changes
from xltransfer.analysis.shifts import Shift
from xltransfer.runs.cluster_counts import Targets

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_PARTS: Final = [
    "estimate", "n_transfers", "n_replicates", "replicate", "replicate_df", "item", "item_df", "item_rest",
    "item_rest_df",
]  # fmt: skip

TARGET_COMPONENTS: Final = [*STUDY, *RECEIVER, "include_self", "scale", *_PARTS]
"""Columns of the components of aggregates by target; see :func:`.statistics.interval_statistics`."""


@dataclass
class _Sums:
    """Sums over transfer entries, shape [target] each, but the influence, which is [cluster]."""

    estimate: Array
    influence: Array
    entries: Array
    replicates: Array  # of all entries
    repeated: Array  # entries with two replicates or more
    replicate: Array
    replicate_noise: Array  # Σ part² / df, for Satterthwaite
    rest: Array
    rest_noise: Array


@dataclass
class TargetSums:
    """What has been added up for one base, setting, task, metric and number of steps.

    Attributes
    ----------
    targets
        Test sets of the task.
    effective
        Shape [target]: as in :class:`.untouched.Untouched`.
    """

    targets: Targets
    effective: Array
    _sums: dict[tuple[Scale, bool], _Sums] = field(default_factory=dict)

    def add(self, scale: Scale, changes: Changes, shifts: Sequence[Shift], rest: Array, own: Flags) -> None:
        """Add one transfer entry.

        Parameters
        ----------
        changes, shifts
            Its changes on ``scale``, averaged over adapter seeds, and the seeds' shifts.
        rest
            Shape [target]: variance of the mean that neither replicates nor clusters explain.
        own
            Shape [target]: the target is the transfer language.
        """
        used = np.isfinite(changes.mean)
        count = np.max([shift.scored.sum(axis=0) for shift in shifts], axis=0).astype(np.float64)
        replicates = len(changes.deviation)
        sizes = np.diff(self.targets.starts)
        moved = np.zeros(len(self.targets.cluster))
        for factor, mean in zip(changes.factors, np.concatenate([s.mean for s in shifts]), strict=True):
            moved += np.repeat(factor, sizes) * np.where(np.isfinite(mean), mean, 0.0)  # undefined has a factor of 0
        # The deviations are scaled to all replicates of the entry; see seed_means.
        between = (changes.deviation**2).sum(axis=0) * count / np.maximum(count - 1.0, 1.0) / replicates**2
        for include_self in (True, False):
            counted = used if include_self else used & ~own
            sums = self._sums.setdefault((scale, include_self), self._empty())
            again = counted & (count > 1)
            sums.estimate += np.where(counted, changes.mean, 0.0)
            sums.influence += np.repeat(counted, sizes) * moved
            sums.entries += counted
            sums.replicates += np.where(counted, count, 0.0)
            sums.repeated += again
            degrees = np.maximum(count - 1.0, 1.0)
            sums.replicate += np.where(again, between, 0.0)
            sums.replicate_noise += np.where(again, between**2 / degrees, 0.0)
            sums.rest += np.where(again, rest, 0.0)
            sums.rest_noise += np.where(again, rest**2 / degrees, 0.0)

    def rows(self, key: dict[str, Any]) -> Iterator[pd.DataFrame]:
        """Yield the rows of each scale and treatment of self-transfer; ``key`` holds the columns `STUDY`."""
        names = pd.DataFrame(self.targets.names, columns=RECEIVER)
        for (scale, include_self), sums in self._sums.items():
            fixed = {**key, "include_self": include_self, "scale": scale}
            yield names.assign(**fixed, **self._parts(sums))[TARGET_COMPONENTS]

    def _empty(self) -> _Sums:
        """Return sums of nothing."""
        targets, clusters = len(self.targets.names), len(self.targets.cluster)
        return _Sums(*(np.zeros(clusters if name == "influence" else targets) for name in _Sums.__dataclass_fields__))

    def _parts(self, sums: _Sums) -> dict[str, Array]:
        """Return means and variance components of the sums."""
        with np.errstate(divide="ignore", invalid="ignore"):
            # Entries with a single replicate are taken to vary like the others.
            known = sums.entries / np.where(sums.repeated > 0, sums.repeated, np.nan) / sums.entries**2
            item = np.add.reduceat(sums.influence**2, self.targets.starts[:-1]) / sums.entries**2
            return {
                "estimate": sums.estimate / sums.entries,
                "n_transfers": sums.entries.astype(np.int64),
                "n_replicates": sums.replicates.astype(np.int64),
                "replicate": sums.replicate * known,
                "replicate_df": _degrees(sums.replicate, sums.replicate_noise),
                "item": item,
                "item_df": self.effective - 1.0,
                "item_rest": sums.rest * known,
                "item_rest_df": _degrees(sums.rest, sums.rest_noise) * (self.effective - 1.0),
            }


def _degrees(variance: Array, noise: Array) -> Array:
    """Return Satterthwaite's degrees of freedom of a sum of variances, infinite where nothing varies."""
    return np.divide(variance**2, noise, out=np.full_like(noise, np.inf), where=noise > 0.0)


def target_frame(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the parts as one frame with the columns `TARGET_COMPONENTS`, sorted by its keys."""
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=TARGET_COMPONENTS)
    keys = [*STUDY, *RECEIVER, "include_self", "scale"]
    kinds = dict.fromkeys(_PARTS, "float64") | dict.fromkeys(keys, "str") | {"steps": "Int64", "include_self": "bool"}
    kinds |= dict.fromkeys(["n_transfers", "n_replicates"], "int64")
    return frame.astype(kinds).sort_values(keys, ignore_index=True)
