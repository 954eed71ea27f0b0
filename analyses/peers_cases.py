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
from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens
from xltransfer.tasks.encoded import Batch
from xltransfer.tasks.score import Prepared

SEED = 20240607
TOLERANCE = 1e-4
TOKEN_BUDGET = 2048
REFERENCE_BATCH = 8
AT_ONCE = 5
"""Fusions whose rows go through our engine together."""
TURNS = 8
"""Portions into which a round of scoring is cut."""
VOCABULARY, LARGE_VOCABULARY = 30_000, 120_000
START, MASK, ORDINARY = 2, 4, 5
"""Ids of the token that opens a row, of the mask, and of the first token that is not special."""
CHECKED = 20
"""Sentences whose scores are compared before anything is timed."""
HEAD = "head"
LEARNING_RATE = 1e-4

Contender = Callable[[int, int], float]
"""Does its portion of a round and a turn (both from 0), and returns its seconds."""


class Peer(Protocol):
    """The reference's worker: ``ask`` calls a method of `peers_reference.Reference`."""

    def ask(self, do: str, **arguments: Any) -> Any:
        """Return the method's result."""
        ...


@dataclass(frozen=True)
class Size:
    """How much is measured: rounds of scoring, and sentences a round (a quarter of them for the 30 fusions)."""

    rounds: int
    sentences: int


def take_turns(contenders: Mapping[str, Contender], turns: int, rounds: int) -> dict[str, list[float]]:
    """Return each contender's seconds of each round; within a round the contenders alternate, turn by turn."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        total = dict.fromkeys(contenders, 0.0)
        for turn in range(turns):
            for name, portion in contenders.items():
                total[name] += portion(number, turn)
        for name, value in total.items():
            spent[name].append(value)
        shown = ", ".join(f"{name} {value:.2f} s" for name, value in total.items())
        print(f"round {number + 1} of {rounds}: {shown}", file=sys.stderr, flush=True)
    return spent


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the ratio of every round."""
    return [a / b for a, b in zip(over, under, strict=True)]


def in_sums(values: Sequence[float], size: int) -> list[float]:
    """Return the sums of ``size`` neighbours each."""
    return [sum(values[start : start + size]) for start in range(0, len(values), size)]


def with_medians(rounds: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return the median of each key's rounds, and the rounds."""
    return {name: median(values) for name, values in rounds.items()} | {"rounds": dict(rounds)}


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

    def reference(self, text: str, numbers: Sequence[int]) -> float:
        """Return the reference's seconds of some of its batches."""
        return float(self.peer.ask("score", text=text, head=HEAD, batches="all", numbers=list(numbers)))

    def score(self, text: str, batches: Sequence[Batch]) -> float:
        """Return the seconds of our scoring loop on some of its own batches."""
        return ours.score_planned(self.model, HEAD, Prepared(self.items, tuple(batches)), text)

    def contenders(self, text: str) -> dict[str, Contender]:
        """Return the reference, our model on its batches (``equal``) and our scoring loop (``planned``)."""
        return {
            "reference": lambda _, turn: self.reference(text, range(turn, len(self.batches), TURNS)),
            "equal": lambda _, turn: ours.tag_everywhere(self.model, HEAD, self.batches[turn::TURNS], text),
            "planned": lambda _, turn: self.score(text, self.prepared.batches[turn::TURNS]),
        }

    def speeds(self, case: str, spent: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """Return the median over rounds of each contender's real tokens a second."""
        tokens = float(self.items.tokens.lengths.sum())
        return {f"{case}_{name}_tokens_per_second": tokens / median(values) for name, values in spent.items()}


def stack(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Score under Stack(language, task)."""
    text = "Stack(l1, t1)"
    bench = Bench(peer, place, {"l1": 2}, [], size.sentences)
    difference = bench.check([text], CHECKED)
    spent = take_turns(bench.contenders(text), TURNS, size.rounds)
    keys = {"stack_equal": "equal", "stack_dynamic": "planned"}
    lengths = bench.items.tokens.lengths
    return {
        **with_medians({key: ratios(spent["reference"], spent[name]) for key, name in keys.items()}),
        "difference_stack": difference,
        "sentences": len(lengths),
        "tokens_per_sentence": float(lengths.mean()),
        **bench.speeds("stack", spent),
    }


def fuse(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Score under Stack(Fuse(3), task), and ours alone under Stack(language, task)."""
    text, plain = "Stack(Fuse(l1, l2, l3), t1)", "Stack(l1, t1)"
    bench = Bench(peer, place, {"l1": 16, "l2": 16, "l3": 16}, ["l1,l2,l3"], size.sentences)
    difference = {"difference_fuse3": bench.check([text, plain], CHECKED)}
    spent = take_turns(bench.contenders(text) | {"stack": bench.contenders(plain)["planned"]}, TURNS, size.rounds)
    keys = {"fuse3_equal": "equal", "fuse3_dynamic": "planned"}
    rounds = {key: ratios(spent["reference"], spent[name]) for key, name in keys.items()}
    rounds["fuse3_over_stack"] = ratios(spent["planned"], spent["stack"])
    return {**with_medians(rounds), **difference, **bench.speeds("fuse3", spent)}


def pairs_of_ten(number: int) -> tuple[list[str], list[str]]:
    """Return ten languages and ``number`` random pairs of them, comma-joined."""
    names = [f"l{letter}" for letter in "abcdefghij"]
    pairs = [f"{one},{other}" for place, one in enumerate(names) for other in names[place + 1 :]]
    return names, list(np.random.default_rng(SEED).choice(pairs, number, replace=False))


def thirty_fusions(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Score 30 fusions of two of ten languages on one target; a round is one of them, or five where rows are routed."""
    names, fusions = pairs_of_ten(30)
    texts = [f"Stack(Fuse({fusion}), t1)" for fusion in fusions]
    bench = Bench(peer, place, dict.fromkeys(names, 16), fusions, size.sentences // 4)
    difference = bench.check(texts, 3)
    turns = 3
    starts = range(0, len(texts), AT_ONCE)
    routed = [ours.routed(bench.items, bench.rows, texts[start : start + AT_ONCE], TOKEN_BUDGET) for start in starts]

    def among_five(number: int, turn: int) -> float:
        chunk, place_in_chunk = divmod(number, AT_ONCE)
        return ours.score_routed(bench.model, HEAD, routed[chunk][place_in_chunk * turns + turn :: AT_ONCE * turns])

    contenders: dict[str, Contender] = {
        "reference": lambda number, turn: bench.reference(texts[number], range(turn, len(bench.batches), turns)),
        "planned": lambda number, turn: bench.score(texts[number], bench.prepared.batches[turn::turns]),
        "routed": among_five,
    }
    spent = take_turns(contenders, turns, len(texts))
    ways = with_medians(
        {
            "fusions_30_planned": ratios(spent["reference"], spent["planned"]),
            "fusions_30_routed": ratios(*(in_sums(spent[name], AT_ONCE) for name in ("reference", "routed"))),
        }
    )
    return {
        "fusions_30": max(ways["fusions_30_planned"], ways["fusions_30_routed"]),
        **ways,
        "difference_fusions_30": difference,
        **bench.speeds("fusions_30", {name: spent[name] for name in ("reference", "planned")}),
    }


def masked_block(vocabulary: int, width: int = 128) -> tuple[Masked, dict[str, Tensor]]:
    """Return a masked batch of 8 rows, as ours and as the reference takes it."""
    rng = np.random.default_rng(SEED)
    tokens = rng.integers(ORDINARY, vocabulary, (8, width))
    tokens[:, 0] = START
    masked = mask_tokens(tokens, Vocabulary(vocabulary, MASK, tuple(range(ORDINARY))), 0.15, rng)
    labels = np.full(tokens.size, -100)
    labels[masked.positions] = masked.labels
    ids = torch.from_numpy(masked.ids)
    labelled = torch.from_numpy(labels.reshape(tokens.shape))
    return masked, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labelled}


def masked_lm_step(peer: Peer, place: Path, size: Size) -> dict[str, Any]:
    """Train a language adapter on one masked batch, some steps a round."""
    parts: dict[str, Any] = {"languages": {"l1": 2}, "tasks": {}, "fusions": [], "labels": None, "seed": SEED}
    folders = peer.ask("build", folder=str(place), vocabulary=LARGE_VOCABULARY, **parts)
    masked, batch = masked_block(LARGE_VOCABULARY)
    save_file(batch, place / "batch")
    peer.ask("train", adapter="l1", head=HEAD, path=str(place / "batch"), learning_rate=LEARNING_RATE)
    steps = ours.train(ours.load(folders), "l1", HEAD, masked, LEARNING_RATE)

    def compared(what: str) -> float:
        return agree(what, torch.tensor(next(steps)), torch.tensor(peer.ask("step")["loss"]))

    first = compared("loss of the first step")
    contenders: dict[str, Contender] = {
        "reference": lambda *_: float(peer.ask("step")["seconds"]),
        "ours": lambda *_: seconds(partial(next, steps)),
    }
    spent = take_turns(contenders, turns=1, rounds=2 * size.rounds)
    return {
        **with_medians({"mlm_step_120k": ratios(spent["reference"], spent["ours"])}),
        "difference_first_loss": first,
        "difference_last_loss": compared("loss of the last step"),
        **{f"mlm_step_120k_{name}_seconds": median(values) for name, values in spent.items()},
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
