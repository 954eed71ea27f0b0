"""The numbers of the pooler experiment: accuracy by language, ts, and how much of the fall the lost pooler explains.

Every quantity is a mean over replicates (pooler and nudge drawn together) that vary crossed with premises, so each is
kept as its value for every replicate and the influence of every premise on it, and combined to first order (the delta
method). Languages are fixed and have equal weight, and share their premises. There is one task adapter a head: what
another one would give is not in the intervals.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from xltransfer.analysis.crossed import crossed_df, crossed_variance
from xltransfer.analysis.influence import influences
from xltransfer.analysis.metric_names import metric_named
from xltransfer.errors import DataError
from xltransfer.runs.cluster_counts import ClusterCounts
from xltransfer.runs.open import Run

Array = NDArray[np.float64]

LEVEL = 0.95
CHANCE = 100 / 3
"""Percent; the classes are balanced."""


@dataclass(frozen=True)
class Quantity:
    """Something that was measured in every replicate on all premises.

    Attributes
    ----------
    value
        Shape [replicate].
    influence
        Shape [replicate, premise], in the same unit; sums to 0 over the premises.
    """

    value: Array
    influence: Array

    @property
    def mean(self) -> float:
        """Mean over replicates."""
        return float(self.value.mean())

    def plus(self, other: Self, factor: float = 1.0) -> Self:
        """Return ``self + factor · other``; one with a single replicate goes with each of the other's."""
        return replace(
            self,
            value=self.value + factor * other.value,
            influence=self.influence + factor * other.influence,
        )

    def times(self, factor: float) -> Self:
        """Return ``factor · self``."""
        return replace(self, value=factor * self.value, influence=factor * self.influence)

    def over(self, other: Self) -> Self:
        """Return ``mean(self) / mean(other)``, linearised: its mean is the ratio of the means."""
        share = self.mean / other.mean if other.mean != 0 else np.nan
        rest = self.plus(other, -share).times(1 / other.mean if other.mean != 0 else np.nan)
        return replace(rest, value=rest.value + share)

    def interval(self, level: float = LEVEL) -> tuple[float, float, float]:
        """Return estimate, low and high for other replicates on other premises; no interval (NaN) where nothing varies.

        With a single replicate (the untouched model; k = 0 of a pooler that is not drawn) premises alone vary.

        References
        ----------
        As :mod:`xltransfer.analysis.intervals`, with clusters of equal size.
        """
        replicates, premises = self.influence.shape
        factor = premises / (premises - 1) if premises > 1 else np.nan
        mean = self.influence.mean(axis=0)
        item, df_item = factor * float((mean**2).sum()), premises - 1.0
        if replicates == 1:
            variance, df = item, df_item
        else:
            df_replicate = replicates - 1.0
            rest = factor * float(((self.influence - mean) ** 2).sum()) / (replicates * df_replicate)
            parts = [np.array(part) for part in (self.value.var(ddof=1) / replicates, item, rest)]
            variance = float(crossed_variance(*parts))
            df = float(crossed_df(*parts, *map(np.array, (df_replicate, df_item, df_replicate * df_item))))
        half = float(np.sqrt(variance) * stdtrit(df, 0.5 + level / 2)) if variance > 0 else np.nan
        return self.mean, self.mean - half, self.mean + half


Scores = Mapping[str, Quantity]
"""Language -> accuracy in percent."""


def accuracies(parts: Sequence[ClusterCounts]) -> Scores:
    """Return the accuracies of some models on all languages; each part brings its replicates as further ones.

    Raises
    ------
    DataError
        The parts were scored on different premises, or a language has two test sets.
    """
    targets = parts[0].targets
    if any(part.targets.names != targets.names or (part.targets.cluster != targets.cluster).any() for part in parts):
        raise DataError("the studies of a setup were scored on different premises; delete their folders")
    if len({language for _, language in targets.names}) < len(targets.names):
        raise DataError(f"a language has two test sets among {targets.names}; choose one with targets")
    metric = metric_named("accuracy")
    found = [influences(part.counts, metric, targets.starts) for part in parts]
    score, influence = (np.concatenate([getattr(each, name) for each in found]) for name in ("score", "influence"))
    codes, premise = np.unique(targets.cluster, return_inverse=True)
    scores = {}
    for number, (_, language) in enumerate(targets.names):
        mine = slice(*targets.starts[number : number + 2])
        of_all = np.zeros((len(score), len(codes)))
        of_all[:, premise[mine]] = influence[:, mine]
        scores[language] = Quantity(score[:, number], of_all)
    return scores


def mean_of(quantities: Iterable[Quantity]) -> Quantity:
    """Return the mean over languages, or over transfer languages, replicate by replicate."""
    first, *others = quantities
    total = first
    for other in others:
        total = total.plus(other)
    return total.times(1 / (1 + len(others)))


@dataclass(frozen=True)
class Measured:
    """What one head scored in one setup.

    Attributes
    ----------
    baseline
        Of the untouched model.
    after
        (pooler, k) -> scores; k = 1 is the mean over the transfer languages.
    """

    baseline: Scores
    after: Mapping[tuple[str, int], Scores]


def measured(runs: Mapping[str, Sequence[Run]], task: str) -> Measured:
    """Return the scores of a task from the runs of each choice of pooler."""
    baseline = accuracies(list(runs["keep"][0].cluster_counts(("baseline",), (task,))))
    after = {}
    for pooler, own in runs.items():
        zero = [next(run.cluster_counts(("zero_steps",), (task,))) for run in own]
        after[pooler, 0] = accuracies(zero)
        nudged = [list(run.cluster_counts(("nudge",), (task,), (1,))) for run in own]
        by_transfer = [accuracies(parts) for parts in zip(*nudged, strict=True)]
        after[pooler, 1] = {code: mean_of(scores[code] for scores in by_transfer) for code in baseline}
    return Measured(baseline, after)


def ts(score: Quantity, baseline: Quantity) -> Quantity:
    """Return the transfer score in percent of the baseline: faisal2024 §2."""
    return score.plus(baseline, -1).over(baseline).times(100)


def skill_lost(score: Quantity, baseline: Quantity) -> Quantity:
    """Return how many percent of what the untouched model has above chance are gone: 100 is a fall to chance.

    ts depends on how far above chance the baseline stands; this does not, so studies can be compared. More than 100
    means that answers were turned round, as a fresh pooler can do where a single direction tells the classes apart.
    """
    chance = Quantity(np.array([CHANCE]), np.zeros((1, baseline.influence.shape[1])))
    return baseline.plus(score, -1).over(baseline.plus(chance, -1)).times(100)


def table(result: Measured, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return accuracy and ts by language and by group of languages, with intervals.

    Parameters
    ----------
    result
        What `measured` gives.
    groups
        Name -> languages, whose mean has a row.

    Returns
    -------
    DataFrame
        ``language`` (or group), ``pooler``, ``k``, ``accuracy``, ``accuracy_low``, ``accuracy_high``, ``ts``,
        ``ts_low``, ``ts_high`` (percent), ``replicates``, ``premises``. The untouched model has pooler ``untouched``.
    """
    one_each = {code: [code] for code in result.baseline}
    models = {("untouched", 0): result.baseline, **result.after}
    rows = []
    for language, codes in {**groups, **one_each}.items():
        baseline = mean_of(result.baseline[code] for code in codes)
        for (pooler, k), scores in models.items():
            score = mean_of(scores[code] for code in codes)
            row = {"language": language, "pooler": pooler, "k": k}
            row |= _columns("accuracy", score) | _columns("ts", ts(score, baseline))
            rows.append(row | {"replicates": len(score.value), "premises": score.influence.shape[1]})
    return pd.DataFrame(rows)


def shares(result: Measured, codes: Sequence[str]) -> pd.DataFrame:
    """Return how much of the fall the lost pooler alone explains, over the mean of some languages.

    Returns
    -------
    DataFrame
        ``quantity``, ``unit``, ``estimate``, ``low``, ``high``, ``poolers`` (how many fresh ones were drawn; few, so
        see `pooler_draws` for k = 0 with many). The share is the fall with a fresh pooler at k = 0 over
        that at k = 1: 1 if the step itself does nothing. A fall whose interval holds 0 makes it undefined, and NaN.
    """
    baseline = mean_of(result.baseline[code] for code in codes)
    score = {key: mean_of(scores[code] for code in codes) for key, scores in result.after.items()}
    fall = {key: baseline.plus(value, -1) for key, value in score.items()}
    lost0, lost1 = fall["reinitialise", 0], fall["reinitialise", 1]
    named = {
        ("accuracy of the untouched model", "%"): baseline,
        ("fall at k = 1, pooler kept", "points"): fall["keep", 1],
        ("fall at k = 0, pooler lost", "points"): lost0,
        ("fall at k = 1, pooler lost", "points"): lost1,
        ("fall at k = 1, first token in its place", "points"): fall["cls", 1],
        ("ts at k = 1, pooler kept", "%"): ts(score["keep", 1], baseline),
        ("ts at k = 0, pooler lost", "%"): ts(score["reinitialise", 0], baseline),
        ("ts at k = 1, pooler lost", "%"): ts(score["reinitialise", 1], baseline),
        ("skill lost at k = 1, pooler kept", "%"): skill_lost(score["keep", 1], baseline),
        ("skill lost at k = 0, pooler lost", "%"): skill_lost(score["reinitialise", 0], baseline),
        ("skill lost at k = 1, pooler lost", "%"): skill_lost(score["reinitialise", 1], baseline),
    }
    poolers = len(lost0.value)
    rows = [(name, unit, *quantity.interval(), poolers) for (name, unit), quantity in named.items()]
    share = lost0.over(lost1).interval() if lost1.interval()[1] > 0 else (np.nan,) * 3
    rows.append(("share of the fall at k = 1 that the lost pooler alone explains", "1", *share, poolers))
    return pd.DataFrame(rows, columns=["quantity", "unit", "estimate", "low", "high", "poolers"])


def _columns(name: str, quantity: Quantity) -> dict[str, float]:
    """Return a quantity with its interval as three columns."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), quantity.interval(), strict=True))
