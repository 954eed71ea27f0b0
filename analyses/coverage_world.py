"""A world for :mod:`coverage` in which the true change is known: what sentences, models and replicates are drawn from.

Sentences have log-normal lengths. The untouched model is right on a beta-distributed share of a sentence's words, so
that words of a sentence agree. A nudge flips a few words, some in every replicate (the sentences' own share of the
variance) and some in one replicate only (the interaction); a sentence that flips easily flips many words at once. On
top of that each replicate shifts the share of right words, up by making wrong words right, down by the opposite. Flips
alone change nothing on average, so the true change is that of the shift. Nothing here follows the formula that is
tested: counts are integers, mostly 0 or 1 changed words a sentence, and scores are ratios of random sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Kind:
    """What is scored, and how.

    Attributes
    ----------
    metric
        ``accuracy``, ``las`` or ``f1``; decides the count columns.
    length, spread
        Mean words of a sentence, and standard deviation of their logarithm.
    density
        Decisions for each word: 1 for words, less for entities, whose number is then a Poisson count.
    score
        Share of decisions (gold entities) that the untouched model gets right.
    agreement
        Correlation between two decisions of a sentence.
    common, single
        Share of decisions that flip in all replicates alike, and in each replicate by itself.
    burst
        Shape of the gamma distribution of a sentence's proneness to flip; small is bursty.
    spurious
        Wrong entities for each gold entity.
    """

    metric: str
    length: float
    spread: float
    density: float
    score: float
    agreement: float
    common: float
    single: float
    burst: float
    spurious: float = 0.0


KINDS: Mapping[str, Kind] = {
    "accuracy": Kind("accuracy", 16, 0.6, 1.0, 0.75, 0.03, 0.015, 0.015, 4.0),
    "las": Kind("las", 16, 0.6, 1.0, 0.60, 0.15, 0.02, 0.02, 1.0),
    "f1": Kind("f1", 16, 0.6, 0.1, 0.55, 0.15, 0.04, 0.04, 2.0, 0.6),
    # A few documents of very unequal length instead of many sentences.
    "documents": Kind("las", 40, 1.2, 1.0, 0.60, 0.15, 0.02, 0.02, 1.0),
}
"""What :mod:`coverage` scores. Flips are those of protocols.md §6 (3 % of words), more for arcs and entities."""


@dataclass(frozen=True)
class World:
    """A kind, and what its replicates do: the mean and standard deviation of their shift, as a share of decisions."""

    kind: Kind
    mean: float
    sd: float

    @property
    def true_change(self) -> float:
        """The change in percent for infinitely many sentences, averaged over all replicates that could be drawn."""
        return float(self._changes().mean())

    @property
    def replicate_variance(self) -> float:
        """The variance of that change between replicates, in squared percent."""
        return float(self._changes().var())

    def _changes(self) -> Array:
        """Return the change in percent, for infinitely many sentences, of replicates at evenly spaced quantiles."""
        quantiles = ndtri((np.arange(4001) + 0.5) / 4001) if self.sd > 0 else np.zeros(1)
        shift = self._limited(self.mean + self.sd * quantiles)
        reference = self._score(self.kind.score)
        return 100.0 * (self._score(self.kind.score + shift) - reference) / reference

    def draw(self, runs: int, items: int, replicates: int, rng: np.random.Generator) -> "Drawn":
        """Return ``runs`` test sets of so many items, each with so many replicates."""
        kind, shape = self.kind, (runs, items)
        words = np.exp(rng.normal(np.log(kind.length) - kind.spread**2 / 2.0, kind.spread, shape))
        words = np.maximum(1, np.rint(words)).astype(np.int64)
        n = words if kind.density == 1.0 else rng.poisson(kind.density * words)
        odds = (1.0 - kind.agreement) / kind.agreement
        before = rng.binomial(n, rng.beta(odds * kind.score, odds * (1.0 - kind.score), shape))
        # Probability to become right, and wrong, for each unit of flips, such that the two balance.
        up = 0.5 / (1.0 - kind.score) * rng.gamma(kind.burst, 1.0 / kind.burst, shape)
        down = 0.5 / kind.score * rng.gamma(kind.burst, 1.0 / kind.burst, shape)
        base = _flipped(before, n, kind.common * up, kind.common * down, rng)
        shift = self._limited(self.mean + self.sd * rng.standard_normal((replicates, runs)))[:, :, None]
        gain = kind.single * up + np.maximum(shift, 0.0) / (1.0 - kind.score)
        loss = kind.single * down + np.maximum(-shift, 0.0) / kind.score
        after = _flipped(np.broadcast_to(base, (replicates, *shape)), n, gain, loss, rng)
        if kind.metric != "f1":
            right = {"accuracy": "correct", "las": "las"}[kind.metric]
            return Drawn({right: before, "total": n}, {right: after, "total": np.broadcast_to(n, after.shape)})
        rate = kind.spurious * kind.density * words
        spurious = rng.poisson(rate)
        same = _renewed(spurious, rate, kind.common, rng)
        own = _renewed(np.broadcast_to(same, after.shape), rate, kind.single, rng)
        return Drawn(
            {"tp": before, "fp": spurious, "fn": n - before, "total": words},
            {"tp": after, "fp": own, "fn": n - after, "total": np.broadcast_to(words, after.shape)},
        )

    def _limited(self, shift: Array) -> Array:
        """Keep shifts possible: no more words become right than were wrong."""
        limit = 0.9 * min(self.kind.score, 1.0 - self.kind.score)
        return np.clip(shift, -limit, limit)

    def _score(self, right: "Array | float") -> Array:
        """Return the score, as a share, of infinitely many sentences with a share ``right`` of decisions right."""
        share = np.asarray(right, dtype=np.float64)
        return 2.0 * share / (share + self.kind.spurious + 1.0) if self.kind.metric == "f1" else share


@dataclass(frozen=True)
class Drawn:
    """Count column -> counts of the untouched model [run, item], and of the replicates [replicate, run, item]."""

    untouched: Mapping[str, Integers]
    nudged: Mapping[str, Integers]


def without_effect(kind: Kind, sd: float) -> World:
    """Return the world whose replicates vary by ``sd`` and whose true change is 0."""
    return World(kind, brentq(lambda mean: World(kind, mean, sd).true_change, -0.3, 0.3, xtol=1e-12), sd)


def percent_per_shift(kind: Kind) -> float:
    """Return by how many percent the score changes for a small shift, over the shift."""
    step = 1e-4
    return (World(kind, step, 0.0).true_change - World(kind, -step, 0.0).true_change) / (2.0 * step)


def _flipped(right: Integers, n: Integers, gain: Array, loss: Array, rng: np.random.Generator) -> Integers:
    """Return how many of ``n`` decisions are right when wrong ones and right ones flip with these probabilities."""
    won = rng.binomial(n - right, np.minimum(gain, 1.0))
    return right + won - rng.binomial(right, np.minimum(loss, 1.0))


def _renewed(counts: Integers, rate: Array, share: float, rng: np.random.Generator) -> Integers:
    """Return Poisson counts of the given rate of which a share is drawn anew."""
    return rng.binomial(counts, 1.0 - share) + rng.poisson(np.broadcast_to(share * rate, counts.shape))
