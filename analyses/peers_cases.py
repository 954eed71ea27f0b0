"""What `benchmark_peers` compares: each case builds both sides, checks that they agree, and lets them take turns."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np
import peers_ours as ours
import torch
from benchmark_engine import random_items, seconds, treebank_words
from safetensors.torch import load_file, save_file
from torch import Tensor

from xltransfer.config.task import UPOS
from xltransfer.tasks.encoded import Batch
from xltransfer.tasks.score import Prepared

SEED = 20240607
TOLERANCE = 1e-4
TOKEN_BUDGET = 2048
REFERENCE_BATCH = 8
AT_ONCE = 5
"""Fusions whose rows go through our engine together."""
TURNS = 8
"""Parts into which all sentences are cut."""
VOCABULARY, LARGE_VOCABULARY = 30_000, 120_000
CHECKED = 20
"""Sentences whose scores are compared before anything is timed."""
HEAD = "head"
LEARNING_RATE = 1e-4


@dataclass(frozen=True)
class Portion:
    """Some work that was done: real tokens, and the seconds that they took."""

    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds


Contender = Callable[[int], Portion]
"""Does its portion of a turn (from 0)."""


class Peer(Protocol):
    """The reference's worker: ``ask`` calls a method of `peers_reference.Reference`."""

    def ask(self, do: str, **arguments: Any) -> Any:
        """Return the method's result."""
        ...


@dataclass(frozen=True)
class Size:
    """How often all sentences are scored, and how many there are (a quarter of them for the 30 fusions)."""

    rounds: int
    sentences: int


def take_turns(contenders: Mapping[str, Contender], turns: int) -> dict[str, list[float]]:
    """Return each contender's tokens a second in every turn; in a turn one contender works after another."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(turns):
        for name, work in contenders.items():
            rates[name].append(work(turn).rate)
        shown = ", ".join(f"{name} {values[-1]:.0f}" for name, values in rates.items())
        print(f"turn {turn + 1} of {turns}, tokens a second: {shown}", file=sys.stderr, flush=True)
    return rates


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the ratio of every turn."""
    return [a / b for a, b in zip(over, under, strict=True)]


def with_medians(turns: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return the median of each key's turns, and the turns."""
    return {name: median(values) for name, values in turns.items()} | {"turns": dict(turns)}


def speeds(case: str, rates: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each contender's tokens a second."""
    return {f"{case}_{name}_tokens_per_second": median(values) for name, values in rates.items()}


def agree(what: str, mine: Tensor, theirs: Tensor) -> float:
    """Return the largest difference of two tensors.

    Raises
    ------
    ValueError
        Other shapes, or a difference above `TOLERANCE` or undefined; names ``what``.
    """
    if mine.shape != theirs.shape:
        raise ValueError(f"{what}: our scores are {tuple(mine.shape)}, the reference's {tuple(theirs.shape)}")
    difference = float((mine - theirs).abs().max())
    if not difference <= TOLERANCE:
        raise ValueError(f"{what}: ours and the reference's differ by {difference:.1e}; {TOLERANCE:.0e} is allowed")
    return difference


class Bench:
    """Both sides with the same weights, and the same sentences in batches.

    Parameters
    ----------
    place
        An empty folder for what the two sides exchange.
    languages, fusions
        See `peers_reference.Reference.build`; the task adapter is ``t1``, reduction 16.
    sentences
        How many, of treebank length.
    """

    def __init__(
        self, peer: Peer, place: Path, languages: Mapping[str, int], fusions: Sequence[str], sentences: int
    ) -> None:
        self.peer, self.place = peer, place
        parts = {"languages": languages, "tasks": {"t1": 16}, "fusions": fusions, "labels": len(UPOS), "seed": SEED}
        self.model = ours.load(peer.ask("build", folder=str(place), vocabulary=VOCABULARY, **parts))
        rng = np.random.default_rng(SEED)
        self.items = random_items(treebank_words(sentences, rng), VOCABULARY, rng)
        self.rows = np.arange(len(self.items.kept))
        self.batches = ours.in_file_order(self.items, self.rows, REFERENCE_BATCH)
        self.prepared = Prepared.of(self.items, TOKEN_BUDGET, ours.CPU)
        self._hold("all", self.batches)

    def _hold(self, name: str, batches: Sequence[Batch]) -> None:
        tensors = {}
        for number, batch in enumerate(batches):
            tensors[f"{number}.input_ids"] = batch.input_ids
            tensors[f"{number}.attention_mask"] = (batch.input_ids != self.items.pad).long()
        save_file(tensors, self.place / name)
        self.peer.ask("hold", name=name, path=str(self.place / name))

    def check(self, texts: Sequence[str], n_rows: int) -> float:
        """Return the largest difference of scores on the first rows, or raise as `agree` does.

        We score the reference's batches, and then batches planned over all rows under all compositions, in which each
        row names its own.
        """
        rows, lengths = np.arange(n_rows), self.items.tokens.lengths
        batches = ours.in_file_order(self.items, rows, REFERENCE_BATCH)
        self._hold("sample", batches)
        expected: dict[tuple[int, str], Tensor] = {}
        worst = 0.0
        for text in texts:
            theirs = ours.by_row(batches, self._reference_scores(text, len(batches)), lengths)
            mine = ours.by_row(batches, [ours.logits(self.model, HEAD, batch, text) for batch in batches], lengths)
            worst = max(worst, *(agree(f"{text}, sentence {row}", mine[row], theirs[row]) for row in theirs))
            expected |= {(row, text): scores for row, scores in theirs.items()}
        for batch, row_texts in ours.routed(self.items, rows, texts, TOKEN_BUDGET):
            scores = ours.logits(self.model, HEAD, batch, row_texts)
            for row, text, found in zip(batch.rows, row_texts, scores, strict=True):
                wanted = expected.pop((int(row), text))
                worst = max(worst, agree(f"{text}, sentence {row}, routed", found[: len(wanted)], wanted))
        if expected:
            raise ValueError(f"{len(expected)} rows were not scored, the first is {next(iter(expected))}")
        return worst

    def _reference_scores(self, text: str, n_batches: int) -> list[Tensor]:
        path = self.place / "scores"
        self.peer.ask("answer", text=text, head=HEAD, batches="sample", path=str(path))
        scores = load_file(path)
        return [scores[f"{number}.logits"] for number in range(n_batches)]

    def _portion(self, batches: Sequence[Batch], spent: float) -> Portion:
        return Portion(sum(int(self.items.tokens.lengths[batch.rows].sum()) for batch in batches), spent)

    def reference(self, text: str, part: slice) -> Portion:
        """Let the reference score a part of its batches."""
        numbers = list(range(len(self.batches)))[part]
        spent = self.peer.ask("score", text=text, head=HEAD, batches="all", numbers=numbers)
        return self._portion(self.batches[part], spent)

    def equal(self, text: str, part: slice) -> Portion:
        """Let our model score a part of the reference's batches, every token."""
        batches = self.batches[part]
        return self._portion(batches, ours.tag_everywhere(self.model, HEAD, batches, text))

    def planned(self, text: str, part: slice) -> Portion:
        """Let our scoring loop go through a part of its own batches."""
        batches = self.prepared.batches[part]
        return self._portion(batches, ours.score_planned(self.model, HEAD, Prepared(self.items, batches), text))

    def routed(self, batches: Sequence[tuple[Batch, Sequence[str]]]) -> Portion:
        """Let our scoring go through batches whose rows have a composition each."""
        return self._portion([batch for batch, _ in batches], ours.score_routed(self.model, HEAD, batches))

    def contenders(self, text: str) -> dict[str, Contender]:
        """Return all three, each of which does the ``turn``-th of `TURNS` parts of its batches."""
        return {
            "reference": lambda turn: self.reference(text, slice(turn % TURNS, None, TURNS)),
            "equal": lambda turn: self.equal(text, slice(turn % TURNS, None, TURNS)),
            "planned": lambda turn: self.planned(text, slice(turn % TURNS, None, TURNS)),
        }


def stack(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Score under Stack(language, task)."""
    text = "Stack(l1, t1)"
    bench = Bench(peer, place, {"l1": 2}, [], size.sentences)
    difference = bench.check([text], CHECKED)
    rates = take_turns(bench.contenders(text), TURNS * size.rounds)
    keys = {"stack_equal": "equal", "stack_dynamic": "planned"}
    lengths = bench.items.tokens.lengths
    return {
        **with_medians({key: ratios(rates[name], rates["reference"]) for key, name in keys.items()}),
        "difference_stack": difference,
        "sentences": len(lengths),
        "tokens_per_sentence": float(lengths.mean()),
        **speeds("stack", rates),
    }


def fuse(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Score under Stack(Fuse(3), task), and ours alone under Stack(language, task)."""
    text, plain = "Stack(Fuse(l1, l2, l3), t1)", "Stack(l1, t1)"
    bench = Bench(peer, place, {"l1": 16, "l2": 16, "l3": 16}, ["l1,l2,l3"], size.sentences)
    difference = {"difference_fuse3": bench.check([text, plain], CHECKED)}
    contenders = bench.contenders(text) | {"stack": bench.contenders(plain)["planned"]}
    rates = take_turns(contenders, TURNS * size.rounds)
    keys = {"fuse3_equal": "equal", "fuse3_dynamic": "planned"}
    turns = {key: ratios(rates[name], rates["reference"]) for key, name in keys.items()}
    turns["fuse3_over_stack"] = ratios(rates["stack"], rates["planned"])
    return {**with_medians(turns), **difference, **speeds("fuse3", rates)}


def pairs_of_ten(number: int) -> tuple[list[str], list[str]]:
    """Return ten languages and ``number`` random pairs of them, comma-joined."""
    names = [f"l{letter}" for letter in "abcdefghij"]
    pairs = [f"{one},{other}" for place, one in enumerate(names) for other in names[place + 1 :]]
    return names, list(np.random.default_rng(SEED).choice(pairs, number, replace=False))


def thirty_fusions(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Score 30 fusions of two of ten languages on one target; a turn is one of them, or a fifth of five routed ones."""
    names, fusions = pairs_of_ten(30)
    texts = [f"Stack(Fuse({fusion}), t1)" for fusion in fusions]
    bench = Bench(peer, place, dict.fromkeys(names, 16), fusions, size.sentences // 4)
    difference = bench.check(texts, 3)
    starts = range(0, len(texts), AT_ONCE)
    fives = [ours.routed(bench.items, bench.rows, texts[start : start + AT_ONCE], TOKEN_BUDGET) for start in starts]
    contenders: dict[str, Contender] = {
        "reference": lambda turn: bench.reference(texts[turn], slice(None)),
        "planned": lambda turn: bench.planned(texts[turn], slice(None)),
        "routed": lambda turn: bench.routed(fives[turn // AT_ONCE][turn % AT_ONCE :: AT_ONCE]),
    }
    rates = take_turns(contenders, len(texts))
    ways = {f"fusions_30_{way}": ratios(rates[way], rates["reference"]) for way in ("planned", "routed")}
    result = with_medians(ways)
    return {
        "fusions_30": max(result[way] for way in ways),
        **result,
        "difference_fusions_30": difference,
        **speeds("fusions_30", rates),
    }


def masked_lm_step(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Train a language adapter on one masked batch, some steps a round."""
    parts: dict[str, Any] = {"languages": {"l1": 2}, "tasks": {}, "fusions": [], "labels": None, "seed": SEED}
    folders = peer.ask("build", folder=str(place), vocabulary=LARGE_VOCABULARY, **parts)
    masked, batch = ours.masked_block(LARGE_VOCABULARY, SEED)
    save_file(batch, place / "batch")
    peer.ask("train", adapter="l1", head=HEAD, path=str(place / "batch"), learning_rate=LEARNING_RATE)
    steps = ours.train(ours.load(folders), "l1", HEAD, masked, LEARNING_RATE)

    def compared(what: str) -> float:
        return agree(what, torch.tensor(next(steps)), torch.tensor(peer.ask("step")["loss"]))

    first = compared("loss of the first step")
    tokens = batch["input_ids"].numel()
    contenders: dict[str, Contender] = {
        "reference": lambda _: Portion(tokens, peer.ask("step")["seconds"]),
        "ours": lambda _: Portion(tokens, seconds(partial(next, steps))),
    }
    rates = take_turns(contenders, 2 * size.rounds)
    return {
        **with_medians({"mlm_step_120k": ratios(rates["ours"], rates["reference"])}),
        "difference_first_loss": first,
        "difference_last_loss": compared("loss of the last step"),
        **speeds("mlm_step_120k", rates),
    }


def adding(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Add the second and the 200th adapter."""
    parts = {"languages": {}, "tasks": {"t1": 16}, "fusions": [], "labels": len(UPOS), "seed": SEED}
    model = ours.load(peer.ask("build", folder=str(place), vocabulary=VOCABULARY, **parts))
    repeats = 10 * size.rounds
    second = ours.seconds_to_add(model, 1, repeats)
    late = ours.seconds_to_add(model, 199, repeats)
    return {"adapter_200_over_2": late / second, "adapter_2_seconds": second, "adapter_200_seconds": late}


CASES = {"stack": stack, "fuse": fuse, "mlm": masked_lm_step, "adding": adding, "fusions": thirty_fusions}
