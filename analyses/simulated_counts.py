"""What a simulated model scores: counts per sentence whose expected change is known in closed form.

A word that the untouched model gets right is lost by a nudge with probability u, one that it gets wrong is won with
probability v, so the score p of a population of sentences changes by (1 - p) v - p u. With an effect L and a share D of
words that move at all, ``v = p (D + L) / 2`` and ``u = (1 - p) (D - L) / 2``; the change is ``p (1 - p) L`` and L is
one of log odds. Around that, everything has mean 0 and is bounded, so that nothing is ever cut: replicates shift L
(for all targets alike, for a language, for one target), sentences and the clusters that they stand in scale u and v
(for all transfer languages alike, and for one), and words move by chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Counts = dict[str, NDArray[np.generic]]

SPREAD = 0.8
"""Standard deviation of a sentence's difficulty, in probit units."""
ATTACHED = 0.35
"""Share of the words without a right relation under a right head that have the right head all the same."""
SPURIOUS = 0.25
"""Entities found in vain for each gold one."""
SPAN_SHARE = 0.9
"""Spans for each word, and the score of spans beside that of words."""


@dataclass(frozen=True)
class Sentences:
    """All sentences of one task, target after target.

    Attributes
    ----------
    target, cluster
        [items] Numbers of the target and of the cluster, from 0.
    words
        [items] Words, 0 for a sentence that was lost to the length limit.
    units
        [items] Gold spans (pos) or gold entities (ner).
    """

    target: Integers
    cluster: Integers
    words: Integers
    units: Integers

    def latent(self, rng: np.random.Generator) -> Floats:
        """Return standard normal values [items], 30 % of whose variance is that of the cluster."""
        shared = rng.standard_normal(int(self.cluster.max()) + 1)[self.cluster]
        return np.sqrt(0.3) * shared + np.sqrt(0.7) * rng.standard_normal(len(self.cluster))

    def per_target(self, values: NDArray[np.generic], targets: int) -> Floats:
        """Sum values [items] by target."""
        return np.bincount(self.target, weights=values.astype(np.float64), minlength=targets)


@dataclass(frozen=True)
class Effect:
    """What a nudge does to each target: L and D of the module's docstring, both [targets], 0 <= |L| <= D <= 0.5."""

    shift: Floats
    moved: Floats


def base_counts(
    shape: str, sentences: Sentences, level: Floats, difficulty: Floats, rng: np.random.Generator
) -> Counts:
    """Return what the untouched model scores.

    Parameters
    ----------
    shape
        Task shape.
    level
        [targets] Population score of the main metric as a share; for ner the recall. 0 where nothing is ever right.
    difficulty
        [items] Standard normal, what sentences of one source have in common in all tasks.
    """
    words = sentences.words
    share = _item_shares(level, sentences, np.sqrt(0.5) * difficulty + np.sqrt(0.5) * sentences.latent(rng))
    nll = words * rng.gamma(8.0, (1.2 - level[sentences.target]) / 8.0)
    if shape == "mlm":
        return {"total": words, "nll": nll}
    if shape == "pos":
        correct, tp = rng.binomial(words, share), rng.binomial(sentences.units, SPAN_SHARE * share)
        return _pos(sentences, correct, tp, nll)
    if shape == "dep":
        las = rng.binomial(words, share)
        return {"las": las, "uas": las + rng.binomial(words - las, ATTACHED), "total": words, "nll": nll}
    tp = rng.binomial(sentences.units, share)
    fp = rng.poisson(SPURIOUS * sentences.units)
    return {"tp": tp, "fn": sentences.units - tp, "fp": fp, "total": words, "nll": nll}


def trivial_counts(shape: str, sentences: Sentences, share: Floats, rng: np.random.Generator) -> Counts:
    """Return what the trivial predictor scores: a ``share`` [targets] of the words right, and no entity at all."""
    words = sentences.words
    right = rng.binomial(words, share[sentences.target])
    nothing, nll = np.zeros_like(words), words * 2.5
    if shape == "pos":
        return _pos(sentences, right, nothing, nll)
    if shape == "dep":
        return {"las": right, "uas": right, "total": words, "nll": nll}
    return {"tp": nothing, "fn": sentences.units, "fp": nothing, "total": words, "nll": nll}


def nudged_counts(
    shape: str,
    base: Counts,
    sentences: Sentences,
    level: Floats,
    effect: Effect,
    scale: tuple[Floats, Floats],
    rng: np.random.Generator,
) -> Counts:
    """Return what a nudged model scores.

    Parameters
    ----------
    base
        What the untouched model scores.
    level
        As for :func:`base_counts`.
    effect
        Of this replicate.
    scale
        [items] Factors with mean 1, in [0.2, 1.8], of losing and of winning a word.
    """
    words, target = sentences.words, sentences.target
    noise = 1.0 + 0.02 * (2.0 * rng.random(len(words)) - 1.0)
    nll = base["nll"] * (1.0 - nll_change(effect)[target] * scale[1]) * noise
    if shape == "mlm":
        return {"total": words, "nll": nll}
    lose, win = _moves(level, effect)
    u, v = lose[target] * scale[0], win[target] * scale[1]
    if shape == "pos":
        correct = _moved(base["correct"], words, u, v, rng)
        lose, win = _moves(SPAN_SHARE * level, effect)
        u, v = lose[target] * scale[0], win[target] * scale[1]
        return _pos(sentences, correct, _moved(base["span_tp"], sentences.units, u, v, rng), nll)
    if shape == "dep":
        las, uas = base["las"], base["uas"]
        change = rng.binomial(words - uas, v / (1.0 - ATTACHED)) - rng.binomial(las, u)
        return {"las": las + change, "uas": uas + change, "total": words, "nll": nll}
    tp, fp, entities = _moved(base["tp"], sentences.units, u, v, rng), base["fp"], sentences.units
    changed = effect.moved[target] / 2.0
    fp = fp - rng.binomial(fp, changed) + rng.poisson(SPURIOUS * entities * changed)
    return {"tp": tp, "fn": entities - tp, "fp": fp, "total": words, "nll": nll}


def true_scores(shape: str, level: Floats, effect: Effect | None = None) -> dict[str, Floats]:
    """Return the scores [targets] by metric of a population of sentences: percent, or nats a word.

    ``effect`` is the mean over replicates; None stands for the untouched model.
    """
    nll = (1.2 - level) * (1.0 if effect is None else 1.0 - nll_change(effect))
    if shape == "mlm":
        return {"nll": nll}
    gain = np.zeros_like(level) if effect is None else _gain(level, effect)
    if shape == "pos":
        spans = SPAN_SHARE * level
        spans = spans if effect is None else spans + _gain(spans, effect)
        return {"accuracy": 100.0 * (level + gain), "span_f1": 100.0 * spans, "nll": nll}
    if shape == "dep":
        attached = level + (1.0 - level) * ATTACHED
        return {"las": 100.0 * (level + gain), "uas": 100.0 * (attached + gain), "nll": nll}
    recall = level + gain
    return {"f1": 200.0 * recall / (recall + 1.0 + SPURIOUS), "nll": nll}


def expected_counts(
    shape: str, base: Counts, sentences: Sentences, level: Floats, effect: Effect, scale: tuple[Floats, Floats]
) -> dict[str, Floats]:
    """Return the expected counts [targets] over replicates on these very sentences."""
    targets, words = len(level), sentences.words

    def total(values: NDArray[np.generic]) -> Floats:
        return sentences.per_target(values, targets)

    sums = {column: total(values) for column, values in base.items()}
    sums["nll"] = sums["nll"] - nll_change(effect) * total(base["nll"] * scale[1])
    if shape == "mlm":
        return sums
    lose, win = _moves(level, effect)
    if shape == "pos":
        wrong = words - base["correct"]
        sums["correct"] = sums["correct"] - lose * total(base["correct"] * scale[0]) + win * total(wrong * scale[1])
        lose, win = _moves(SPAN_SHARE * level, effect)
        change = win * total(base["span_fn"] * scale[1]) - lose * total(base["span_tp"] * scale[0])
        spans = sums["span_tp"] + sums["span_fn"]
        tp = sums["span_tp"] + change
        return sums | {"span_tp": tp, "span_fp": spans - tp, "span_fn": spans - tp}
    if shape == "dep":
        won = win / (1.0 - ATTACHED) * total((words - base["uas"]) * scale[1])
        change = won - lose * total(base["las"] * scale[0])
        return sums | {"las": sums["las"] + change, "uas": sums["uas"] + change}
    change = win * total(base["fn"] * scale[1]) - lose * total(base["tp"] * scale[0])
    fp = sums["fp"] + effect.moved / 2.0 * (SPURIOUS * total(sentences.units) - sums["fp"])
    return sums | {"tp": sums["tp"] + change, "fn": sums["fn"] - change, "fp": fp}


def nll_change(effect: Effect) -> Floats:
    """Return by which share [targets] the negative log-likelihood falls."""
    return 0.15 * effect.shift


def gold_labels(shape: str, sentences: Sentences, labels: int, rng: np.random.Generator) -> Integers:
    """Divide the gold words or entities of each sentence over labels: [labels, items]."""
    return _divide(sentences.units if shape == "ner" else sentences.words, None, labels, rng)


def by_label(shape: str, counts: Counts, gold: Integers, rng: np.random.Generator) -> Mapping[str, Integers]:
    """Divide counts over gold labels: column -> [labels, items]."""
    labels = len(gold)
    if shape == "ner":
        tp = _divide(counts["tp"], gold, labels, rng)
        return {"tp": tp, "fn": gold - tp, "fp": _divide(counts["fp"], None, labels, rng)}
    if shape == "pos":
        return {"correct": _divide(counts["correct"], gold, labels, rng), "total": gold}
    uas = _divide(counts["uas"], gold, labels, rng)
    return {"uas": uas, "las": _divide(counts["las"], uas, labels, rng), "total": gold}


def _pos(sentences: Sentences, correct: Integers, tp: Integers, nll: Floats) -> Counts:
    """Return the columns of pos; as many spans are found as there are."""
    wrong = sentences.units - tp
    return {
        "correct": correct,
        "total": sentences.words,
        "span_tp": tp,
        "span_fp": wrong,
        "span_fn": wrong,
        "nll": nll,
    }


def _moved(right: Integers, all_: Integers, lose: Floats, win: Floats, rng: np.random.Generator) -> Integers:
    """Return how many are right after losing and winning some."""
    return right - rng.binomial(right, lose) + rng.binomial(all_ - right, win)


def _item_shares(level: Floats, sentences: Sentences, latent: Floats) -> Floats:
    """Return each sentence's share of right words; their mean over sentences is ``level`` exactly."""
    return ndtr((np.sqrt(1.0 + SPREAD**2) * ndtri(level))[sentences.target] + SPREAD * latent)


def _moves(level: Floats, effect: Effect) -> tuple[Floats, Floats]:
    """Return the probabilities [targets] of losing and of winning a word; where all is wrong, some are won."""
    lose = (1.0 - level) * (effect.moved - effect.shift) / 2.0
    win = level * (effect.moved + effect.shift) / 2.0
    return np.where(level > 0, lose, 0.0), np.where(level > 0, win, effect.moved / 10.0)


def _gain(level: Floats, effect: Effect) -> Floats:
    """Return the change [targets] of a population's share of right words."""
    lose, win = _moves(level, effect)
    return (1.0 - level) * win - level * lose


def _divide(counts: NDArray[np.generic], within: Integers | None, labels: int, rng: np.random.Generator) -> Integers:
    """Divide counts [items] over labels at random, at most ``within`` [labels, items] to each."""
    left = counts.astype(np.int64)
    parts = []
    for label in range(labels - 1):
        if within is None:
            part = rng.binomial(left, 1.0 / (labels - label))
        else:
            part = rng.hypergeometric(within[label], within[label + 1 :].sum(axis=0), left)
        parts.append(part)
        left = left - part
    return np.stack([*parts, left])
