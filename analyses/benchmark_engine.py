"""How fast the engine scores and nudges, as ratios to plain loops measured in the same run. One JSON line last.

Geometry of bert-base (12 layers, 768 wide, 12 heads), random weights, two threads, sentences as long as those of real
treebanks. Contenders take turns of a second or two (A B C D A B C D ...) and a ratio is the median over rounds,
because a shared machine drifts by more than the differences of interest.

Keys: ``vs_padded`` and ``vs_dynamic`` compare real tokens a second of ``tasks.score`` with a plain transformers loop of
eight sentences a batch in file order, padded to 256 or to the longest of the eight; ``of_matmul`` with ``torch.matmul``
doing nothing but the encoder's linear maps on the very batches that were planned; ``nudge_vs_plain_*`` a step of
``nudge`` on 8 blocks of 128 with transformers' masked-LM class and torch's default AdamW; ``restore_over_step`` the
clone of the weights and their way back, in steps. All loops score the same composition: encoder, adapter, head.

Usage: ``python analyses/benchmark_engine.py [--rounds 4] [--sentences 600] [--only score|nudge]``; about six minutes.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertForMaskedLM, BertModel
from transformers.activations import ACT2FN

from xltransfer.config.task import UPOS, TaskSpec
from xltransfer.data.conllu import read_conllu
from xltransfer.data.tokenizer import encode_words, load_tokenizer
from xltransfer.engine import Backbone, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.batches import Ragged
from xltransfer.engine.bottleneck import draw_like_bert
from xltransfer.engine.heads import MaskedLMHead
from xltransfer.engine.loading import Loaded
from xltransfer.engine.masking import Vocabulary, mask_tokens
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, nudge
from xltransfer.engine.sites import site_of
from xltransfer.tasks import Pos
from xltransfer.tasks.encoded import Encoded
from xltransfer.tasks.score import Prepared, score

SEED = 20240607
THREADS = 2
MAX_LENGTH = 256
TOKEN_BUDGET = 2048
PLAIN_BATCH = 8
CPU = torch.device("cpu")
SHARED = Path(__file__).resolve().parents[2] / "shared"
START, END, MASK, FIRST_ORDINARY = 2, 3, 4, 5


def treebank_words(n_sentences: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return the subwords of each word of ``n_sentences`` random sentences of the shared treebanks that fit the model.

    Without the treebanks: words a sentence log-normal (mean 22, fitted to them), subwords a word 1 + Poisson(0.4).
    """
    files = sorted((SHARED / "data" / "ud").glob("**/*test*.conllu"))
    if files and (SHARED / "models" / "mini-mbert").is_dir():
        sentences = [sentence.words for file in files for sentence in read_conllu(file)]
        pieces = encode_words(load_tokenizer(str(SHARED / "models" / "mini-mbert")), sentences)
        ends = np.cumsum(pieces.words_per_sentence)
        words = np.split(pieces.word_lengths.astype(np.int64), ends[:-1])
    else:
        sizes = np.maximum(1, np.exp(rng.normal(2.85, 0.7, 4 * n_sentences)).round()).astype(int)
        words = [1 + rng.poisson(0.4, size) for size in sizes]
    fitting = [lengths for lengths in words if lengths.sum() + 2 <= MAX_LENGTH]
    chosen = rng.choice(len(fitting), size=min(n_sentences, len(fitting)), replace=False)
    return [fitting[number] for number in chosen]


def random_items(words: Sequence[NDArray[np.int64]], vocabulary: int, rng: np.random.Generator) -> Encoded:
    """Return sentences of the given word lengths with random subwords and random gold tags."""
    n_words = np.array([len(lengths) for lengths in words])
    tokens, starts = [], []
    for lengths in words:
        inner = rng.integers(FIRST_ORDINARY, vocabulary, lengths.sum())
        tokens.append(np.concatenate(([START], inner, [END])))
        starts.append(1 + np.concatenate(([0], np.cumsum(lengths))))
    names = tuple(str(number) for number in range(len(words)))
    return Encoded(
        name="benchmark",
        items=names,
        clusters=names,
        kept=np.arange(len(words)),
        tokens=Ragged.from_lengths(np.concatenate(tokens), np.array([len(row) for row in tokens])),
        word_starts=Ragged.from_lengths(np.concatenate(starts), n_words + 1),
        gold={"tag": Ragged.from_lengths(rng.integers(0, len(UPOS), n_words.sum()), n_words)},
        sentences=(),
        pad=0,
    )


def bert_base(vocabulary: int) -> BertConfig:
    """Return the geometry of bert-base with ``vocabulary`` subwords."""
    return BertConfig(vocab_size=vocabulary, num_labels=len(UPOS))


def backbone(config: BertConfig) -> Backbone:
    """Return our model with random weights: encoder, pooler, masked-LM head."""
    torch.manual_seed(SEED)
    head = MaskedLMHead(config.hidden_size, config.vocab_size, ACT2FN[config.hidden_act], config.layer_norm_eps)
    model = Backbone(Loaded(BertModel(config), site_of("bert"), head))
    return model.eval()


def seconds(work: Callable[[], object]) -> float:
    """Return the wall-clock time of ``work``."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.inference_mode()
def plain_loop(model: Callable[..., Any], tokens: Ragged, rows: NDArray[np.int64], width: int | None) -> None:
    """Score ``rows`` as a plain script does, ``PLAIN_BATCH`` at a time, padded to ``width`` or to the longest."""
    for start in range(0, len(rows), PLAIN_BATCH):
        ids = tokens.padded(rows[start : start + PLAIN_BATCH], 0)
        if width is not None:
            ids = np.pad(ids, ((0, 0), (0, width - ids.shape[1])))
        batch = torch.from_numpy(ids)
        model(input_ids=batch, attention_mask=(batch != 0).long()).logits.argmax(dim=-1).tolist()


@torch.inference_mode()
def matmuls(model: Backbone, prepared: Prepared) -> None:
    """Multiply what the encoder's linear maps multiply on the planned batches, and do nothing else."""
    layers = list(model.encoder.encoder.layer)
    for batch in prepared.batches:
        narrow = torch.ones(*batch.input_ids.shape, model.hidden)
        wide = torch.ones(*batch.input_ids.shape, layers[0].intermediate.dense.out_features)
        for layer in layers:
            attention = layer.attention
            maps = (attention.self.query, attention.self.key, attention.self.value, attention.output.dense)
            for linear in (*maps, layer.intermediate.dense):
                torch.matmul(narrow, linear.weight.T)
            torch.matmul(wide, layer.output.dense.weight.T)


def spread(lengths: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return ``n`` rows whose lengths are those of all rows in small, in random order."""
    by_length = np.argsort(lengths, kind="stable")
    return rng.permutation(by_length[(2 * np.arange(n) + 1) * len(lengths) // (2 * n)])


def scoring(rounds: int, n_sentences: int, turns: int = 6) -> dict[str, float]:
    """Return the ratios and the absolute speeds of scoring.

    In a round every contender does its whole work in ``turns`` portions, a portion of each contender after another.
    """
    rng = np.random.default_rng(SEED)
    config = bert_base(30_000)
    model = backbone(config)
    task = Pos(TaskSpec(name="pos", shape="pos", train=[{"dataset": "x"}], targets=[{"dataset": "x"}]))
    draw_like_bert(model.add_adapter("pos", AdapterConfig()), torch.Generator().manual_seed(SEED))
    model.add_head("pos", task.head(model))
    model.eval().requires_grad_(False)
    plain = partial(model, composition=Stack("pos"), head="pos")
    items = random_items(treebank_words(n_sentences, rng), config.vocab_size, rng)
    lengths = items.tokens.lengths
    prepared = Prepared.of(items, TOKEN_BUDGET, CPU)
    few, some = spread(lengths, turns * PLAIN_BATCH, rng), spread(lengths, 2 * turns * PLAIN_BATCH, rng)
    tokens = {"engine": lengths, "matmul": lengths, "dynamic": lengths[some], "padded": lengths[few]}
    speeds: dict[str, list[float]] = {name: [] for name in tokens}
    for _ in range(rounds):
        spent = dict.fromkeys(speeds, 0.0)
        for turn in range(turns):
            mine = Prepared(items, prepared.batches[turn::turns])
            near, far = (np.array_split(rows, turns)[turn] for rows in (some, few))
            work: dict[str, Callable[[], object]] = {
                "engine": partial(score, task, model, Stack("pos"), "pos", mine),
                "matmul": partial(matmuls, model, mine),
                "dynamic": partial(plain_loop, plain, items.tokens, near, None),
                "padded": partial(plain_loop, plain, items.tokens, far, MAX_LENGTH),
            }
            for name, portion in work.items():
                spent[name] += seconds(portion)
        for name, scored in tokens.items():
            speeds[name].append(float(scored.sum()) / spent[name])

    def ratio(other: str) -> float:
        return statistics.median(a / b for a, b in zip(speeds["engine"], speeds[other], strict=True))

    return {
        "vs_padded": ratio("padded"),
        "vs_dynamic": ratio("dynamic"),
        "of_matmul": ratio("matmul"),
        "sentences": len(lengths),
        "tokens_per_sentence": float(lengths.mean()),
        "padding_share": 1 - float(lengths.sum()) / sum(batch.input_ids.numel() for batch in prepared.batches),
    } | {f"{name}_tokens_per_second": statistics.median(values) for name, values in speeds.items()}


def nudge_seconds(
    model: Backbone, blocks: NDArray[np.int64], vocabulary: Vocabulary, steps: int
) -> tuple[float, float]:
    """Return seconds a step of `nudge`, and seconds of making the clone and copying it back."""
    settings = NudgeSettings(steps=steps, batch_size=8)
    entering = time.perf_counter()
    with nudge(model, blocks, vocabulary, settings, NudgeSeeds(1, 2, 3, 4, 5)) as path:
        started = time.perf_counter()
        for _ in path.stop_at(steps):
            arrived = time.perf_counter()
        leaving = time.perf_counter()
    left = time.perf_counter()
    return (arrived - started) / steps, (started - entering) + (left - leaving)


def plain_seconds(model: BertForMaskedLM, blocks: NDArray[np.int64], vocabulary: Vocabulary, steps: int) -> float:
    """Return seconds a step of a plain loop: all logits, transformers' own loss, torch's default AdamW."""
    rng = np.random.default_rng(2)
    model.train()
    start = time.perf_counter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.0)
    for step in range(steps):
        mine = blocks[8 * step : 8 * step + 8]
        masked = mask_tokens(mine, vocabulary, 0.15, rng)
        labels = np.full(mine.size, -100)
        labels[masked.positions] = masked.labels
        loss = model(
            input_ids=torch.from_numpy(masked.ids),
            attention_mask=torch.ones(mine.shape, dtype=torch.long),
            labels=torch.from_numpy(labels.reshape(mine.shape)),
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / steps


def nudging(size: int, rounds: int, steps: int) -> dict[str, float]:
    """Return seconds a step of both loops, their ratio, and the cost of restoring in steps."""
    config = bert_base(size)
    vocabulary = Vocabulary(size, MASK, tuple(range(FIRST_ORDINARY)))
    blocks = np.random.default_rng(SEED).integers(FIRST_ORDINARY, size, (8 * steps, 128))
    model, plain = backbone(config), BertForMaskedLM(config)
    nudge_seconds(model, blocks, vocabulary, 1)
    ours, theirs, restoring = [], [], []
    for _ in range(rounds):
        step, restore = nudge_seconds(model, blocks, vocabulary, steps)
        ours.append(step)
        restoring.append(restore / step)
        theirs.append(plain_seconds(plain, blocks, vocabulary, steps))
    return {
        "ratio": statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
        "restore": statistics.median(restoring),
        "step_seconds": statistics.median(ours),
        "plain_step_seconds": statistics.median(theirs),
    }


def main() -> None:
    """Run the benchmark and print its JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=4, help="turns of each contender in scoring")
    parser.add_argument("--sentences", type=int, default=600, help="sentences that the engine scores a turn")
    parser.add_argument("--nudge-rounds", type=int, default=3, help="turns of each contender in nudging")
    parser.add_argument("--steps", type=int, default=3, help="steps of one nudge")
    parser.add_argument("--only", choices=("score", "nudge"), help="one half of the benchmark")
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    result: dict[str, float] = {}
    if given.only != "nudge":
        result |= scoring(given.rounds, given.sentences)
    if given.only != "score":
        for size in (30_000, 120_000):
            part = nudging(size, given.nudge_rounds, given.steps)
            tag = f"{size // 1000}k"
            result[f"nudge_vs_plain_{tag}"] = part["ratio"]
            result[f"nudge_step_seconds_{tag}"] = part["step_seconds"]
            result[f"plain_step_seconds_{tag}"] = part["plain_step_seconds"]
            result["restore_over_step"] = max(result.get("restore_over_step", 0.0), part["restore"])
    print(json.dumps({key: round(value, 4) for key, value in result.items()}))


if __name__ == "__main__":
    main()
