"""Which replicates, clusters and targets each bootstrap draw holds, as weights: how many times each was drawn.

A draw is the same for everything that shares a thing: the replicates of a transfer entry for all tasks, the clusters
for all transfer entries and for the targets that share them, the targets for all transfer entries. Draw 0 is always
the data themselves, each thing once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xltransfer.analysis.shared_clusters import groups
from xltransfer.randomness import stream
from xltransfer.runs.cluster_counts import Targets

Counts = NDArray[np.uint16]


@dataclass(frozen=True)
class Resamples:
    """The draws of one bootstrap.

    Attributes
    ----------
    draws
        How many, besides draw 0.
    seed
        Of all of them. Streams are named by what they draw, so that another language or task changes no other draw.
    new_units, new_clusters
        Whether targets (or families), and whether clusters, are drawn at all; if not, each draw has each of them once.
    """

    draws: int
    seed: int
    new_units: bool = True
    new_clusters: bool = True
    _kept: dict[str, Counts] = field(default_factory=dict, repr=False)

    def replicates(self, names: Sequence[str | int], count: int) -> Counts:
        """Return the weights [replicate, draw] of the ``count`` replicates of the transfer entry ``names``."""
        return self._multinomial(("replicates", *names), count)

    def units(self, task: str, count: int) -> Counts:
        """Return the weights [unit, draw] of ``count`` targets, or families, of a task."""
        return self._multinomial(("targets", task), count) if self.new_units else self._each_once(count)

    def clusters(self, targets: Targets) -> Counts:
        """Return the weights [cluster, draw] of all clusters of a task.

        Within a group of targets that share clusters, as many distinct clusters are drawn as there are.
        """
        if targets.task not in self._kept:
            self._kept[targets.task] = (
                self._clusters(targets) if self.new_clusters else self._each_once(len(targets.cluster))
            )
        return self._kept[targets.task]

    def _clusters(self, targets: Targets) -> Counts:
        """Draw the clusters group by group."""
        weights = np.empty((len(targets.cluster), self.draws + 1), dtype=np.uint16)
        for members in groups(targets):
            places = np.concatenate([np.arange(targets.starts[t], targets.starts[t + 1]) for t in members])
            known, place = np.unique(targets.cluster[places], return_inverse=True)
            # Named by the targets and not by the task: pos and dep then draw the same sentences.
            names = [part for t in members for part in targets.names[t]]
            weights[places] = self._multinomial(("clusters", *names), len(known))[place]
        return weights

    def _each_once(self, count: int) -> Counts:
        """Return weights [thing, draw] of 1."""
        return np.ones((count, self.draws + 1), dtype=np.uint16)

    def _multinomial(self, names: Sequence[str | int], count: int) -> Counts:
        """Return weights [thing, draw] that sum to ``count`` in each draw, all 1 in draw 0."""
        rng = stream(self.seed, "pigeonhole", *names)
        drawn = rng.integers(count, size=(self.draws, count)) + count * np.arange(self.draws)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=count * self.draws).reshape(self.draws, count)
        return np.vstack([np.ones((1, count), dtype=np.uint16), weights.astype(np.uint16)]).T
