"""How much of a GPU the engine uses: model FLOP/s utilisation of scoring, of a nudge, of many trainings at once.

Geometry of bert-base with random weights, in bfloat16 (autocast over float32 weights) and in TF32. Utilisation is the
FLOP that the model needs for its real tokens (`gpu_flops`; padding, elementwise work and recomputation are nothing),
over the wall-clock time, over the device's peak. Scored are sentences as long as those of real treebanks, with a task
adapter and a tagging head, in length-sorted batches of several sizes: ``answers`` until the labels are on the CPU,
``score`` with counting them there. A nudge's step takes 8 blocks of 512. Language adapters (reduction 2, invertible)
are trained 1, 4, 16 and 38 at once, 8 blocks of 128 each, and their speed is divided by that of one at a time.

Before anything is timed the device must compute what the CPU computes (`gpu_twins`); exit status 1 if it does not.

Usage: ``python analyses/benchmark_gpu.py [--device cuda] [--seconds 4] [--out analyses/results/benchmark_gpu.json]``;
``--device cpu --small`` runs every line on a tiny model, to try the script.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from itertools import count, repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_engine import FIRST_ORDINARY, MASK, SEED, backbone, random_items, treebank_words
from gpu_flops import Geometry, peak
from gpu_twins import twins
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig

from xltransfer.config.task import UPOS, TaskSpec
from xltransfer.engine import Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.bank import Batch, Trainee, View, train_together
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.bottleneck import draw_like_bert
from xltransfer.engine.fit import DescentSettings
from xltransfer.engine.masking import Vocabulary, mask_tokens
from xltransfer.engine.nudge import NudgeSettings
from xltransfer.engine.precision import Precision, precise, precisions_of
from xltransfer.protocols.speed import nudge_steps, seconds_of
from xltransfer.tasks import Pos
from xltransfer.tasks.score import Prepared, answers, score

RESULTS = Path(__file__).resolve().parent / "results" / "benchmark_gpu.json"
MASK_SHARE = 0.15
SPECIAL = tuple(range(FIRST_ORDINARY))
WARM = 3
"""Steps of a training together that are not timed."""


@dataclass(frozen=True)
class Size:
    """How large everything is.

    BERT, sentences, tokens a batch of scoring, tokens a block of nudges and of trainings,
    steps and numbers of trainings at once, rows of the product that measures a peak.
    """

    bert: dict[str, int]
    sentences: int
    budgets: tuple[int, ...]
    nudge_block: int
    bank_block: int
    bank_steps: int
    at_once: tuple[int, ...]
    peak: int


BASE = Size({"vocab_size": 119_547}, 20_000, (16_384, 65_536, 262_144), 512, 128, 20, (1, 4, 16, 38), 8192)
TINY_BERT = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
SMALL = Size(TINY_BERT, 40, (512, 1024), 32, 16, 3, (1, 3), 128)


class Bench:
    """A model on a device at a precision, and what it is divided by."""

    def __init__(self, size: Size, device: torch.device, form: Precision, seconds: float) -> None:
        self.size, self.device, self.form, self.seconds = size, device, form, seconds
        config = BertConfig(**size.bert)
        self.config, self.model = config, backbone(config).to(device)
        self.geometry = Geometry(
            config.num_hidden_layers, config.hidden_size, config.intermediate_size, config.vocab_size
        )
        self.vocabulary = Vocabulary(config.vocab_size, MASK, SPECIAL)
        self.peak, self.source = peak(device, form, size.peak)

    def row(self, taken: float, tokens: int, flop: float, **what: Any) -> dict[str, Any]:
        """Return one row of results: what was done in ``taken`` seconds."""
        speed = {"tokens_per_second": tokens / taken, "utilisation": flop / taken / self.peak, "seconds": taken}
        return {**what, "precision": self.form, **speed, "tokens": tokens, "flop": flop}

    def blocks(self, number: int, length: int, seed: int = SEED) -> NDArray[np.int64]:
        """Return random blocks [block, token] of ordinary tokens."""
        return np.random.default_rng(seed).integers(FIRST_ORDINARY, self.config.vocab_size, (number, length))

    def masked_lm(self, tokens: int) -> float:
        """Return FLOP of the masked-LM head on a masked share of the tokens."""
        return self.geometry.masked_lm(round(MASK_SHARE * tokens))


def scoring(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield the speed of scoring sentences of natural lengths, for each size of batches."""
    model, rng = bench.model, np.random.default_rng(SEED)
    task = Pos(TaskSpec(name="pos", shape="pos", train=[{"dataset": "x"}], targets=[{"dataset": "x"}]))
    draw_like_bert(model.add_adapter("pos", AdapterConfig()), torch.Generator(bench.device).manual_seed(SEED))
    model.add_head("pos", task.head(model))
    model.eval().requires_grad_(False)
    items = random_items(treebank_words(bench.size.sentences, rng), bench.config.vocab_size, rng)
    lengths, words = items.tokens.lengths, len(items.gold["tag"].values)
    tokens = int(lengths.sum())
    width = model.adapters["pos"].at(0).down.out_features
    flop = bench.geometry.encoder(lengths) + bench.geometry.adapter(tokens, width)
    flop += bench.geometry.tagging(words, len(UPOS))
    for budget in bench.size.budgets:
        prepared = Prepared.of(items, budget, bench.device)
        padded = sum(batch.input_ids.numel() for batch in prepared.batches)
        ways = {
            "answers": partial(answers, task, model, Stack("pos"), "pos", prepared.batches),
            "score": partial(score, task, model, Stack("pos"), "pos", prepared),
        }
        for way, go in ways.items():
            with precise(bench.device, bench.form):
                taken = seconds_of(go, bench.device, bench.seconds)
            yield bench.row(taken, tokens, flop, way=way, batch_tokens=budget, padding_share=1 - tokens / padded)


def nudging(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield the speed of a nudge's steps: masked-LM on all weights, dropout on, fused AdamW."""
    length = bench.size.nudge_block
    settings = NudgeSettings(steps=0, batch_size=8, mask_share=MASK_SHARE)
    tokens = settings.batch_size * length
    with nudge_steps(bench.model, bench.blocks(64, length), bench.vocabulary, settings, bench.form) as go:
        taken = seconds_of(go, bench.device, bench.seconds)
    forward = bench.geometry.encoder(np.full(settings.batch_size, length)) + bench.masked_lm(tokens)
    yield bench.row(taken, tokens, 3 * forward, batch=f"{settings.batch_size} x {length}")


def bank(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield the speed of training language adapters, some number at once, and its ratio to one at a time."""
    one = None
    for number in bench.size.at_once:
        taken = _step_seconds(bench, number)
        tokens = number * 8 * bench.size.bank_block
        one = one or tokens / taken
        yield bench.row(taken, tokens, number * _language_flop(bench), at_once=number, over_one=tokens / taken / one)


def _language_flop(bench: Bench) -> float:
    """Return FLOP of a step of one language adapter over the frozen base."""
    geometry, lengths = bench.geometry, np.full(8, bench.size.bank_block)
    tokens = int(lengths.sum())
    base = geometry.encoder(lengths) + bench.masked_lm(tokens)
    trained = geometry.adapter(tokens, geometry.hidden // 2)
    trained += geometry.invertible(tokens + round(MASK_SHARE * tokens), geometry.hidden // 4)
    return 2 * base + geometry.attention(lengths) + 3 * trained


def _step_seconds(bench: Bench, number: int) -> float:
    """Return seconds of a step of ``number`` trainings at once, the first steps left out."""
    steps, taken, stamps = WARM + bench.size.bank_steps, count(1), []

    def on_pass(names: object) -> None:
        if next(taken) in (WARM, steps):
            if bench.device.type == "cuda":
                torch.cuda.synchronize(bench.device)
            stamps.append(time.perf_counter())

    trainees = _trainees(bench, number, steps)
    train_together(bench.model, trainees, base_dropout="off", precision=bench.form, on_pass=on_pass)
    return (stamps[1] - stamps[0]) / bench.size.bank_steps


def _trainees(bench: Bench, number: int, steps: int) -> list[Trainee]:
    found = []
    for each in range(number):
        name = f"l{each}"
        adapter = bench.model.add_adapter(name, AdapterConfig(reduction=2, invertible_reduction=2))
        draw_like_bert(adapter, torch.Generator(bench.device).manual_seed(each))
        batch = _masked_batch(bench, name, each)
        found.append(Trainee(name, (adapter,), repeat(batch), masked_lm_sum, DescentSettings(steps, 1e-4), seed=each))
    return found


def _masked_batch(bench: Bench, name: str, seed: int) -> Batch:
    blocks = bench.blocks(8, bench.size.bank_block, seed)
    masked = mask_tokens(blocks, bench.vocabulary, MASK_SHARE, np.random.default_rng(seed))
    gold = tuple(torch.from_numpy(array).to(bench.device) for array in (masked.positions, masked.labels))
    return Batch(torch.from_numpy(masked.ids).to(bench.device), Stack(name), gold=gold)


def masked_lm_sum(view: View, batch: Batch) -> tuple[Tensor, int]:
    """Return the summed cross entropy at the masked positions and their number."""
    positions, labels = batch.gold
    logits = view.ask(MASKED_LM, positions=positions).logits
    return functional.cross_entropy(logits.float(), labels, reduction="sum"), len(labels)


PARTS = {"scoring": scoring, "nudge": nudging, "bank": bank}


def measure(size: Size, device: torch.device, seconds: float, parts: list[str]) -> dict[str, Any]:
    """Return all results of ``parts``."""
    result: dict[str, Any] = {part: [] for part in parts}
    # On a GPU plain float32 is nobody's choice for speed; a CPU has no TF32.
    forms = [form for form in precisions_of(device) if not (device.type == "cuda" and form == "float32")]
    result["peaks"] = {}
    for form in forms:
        for part in parts:
            bench = Bench(size, device, form, seconds)
            result["peaks"][form] = {"flop_per_second": bench.peak, "source": bench.source}
            for row in PARTS[part](bench):
                print(json.dumps({part: row}), file=sys.stderr, flush=True)
                result[part].append(row)
            del bench
    return result


def main(words: list[str] | None = None) -> int:
    """Check, measure, write the JSON file; 1 if the device does not compute what it should."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="a tiny model, to try the script")
    parser.add_argument("--seconds", type=float, default=4.0, help="about how long each figure is measured")
    parser.add_argument("--only", choices=tuple(PARTS), action="append", help="only this part; may be given again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the JSON file")
    given = parser.parse_args(words)
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device; --device cpu --small tries the script")
    device, size = torch.device(given.device), SMALL if given.small else BASE
    checked = twins(device)
    print(json.dumps({"twins": checked}), file=sys.stderr, flush=True)
    found = measure(size, device, given.seconds, given.only or list(PARTS))
    about = {
        "command": " ".join(["python analyses/benchmark_gpu.py", *(words if words is not None else sys.argv[1:])]),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "xltransfer")},
        "size": asdict(size),
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({**about, "twins": checked, **found}, indent=1) + "\n", encoding="utf-8")
    return 0 if checked["kept"] else 1


if __name__ == "__main__":
    sys.exit(main())
