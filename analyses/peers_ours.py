"""Our side of `benchmark_peers`: the engine with what the reference library wrote, and the work that is timed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from xltransfer.config.task import TaskSpec
from xltransfer.engine import Backbone, parse_composition
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.batches import plan_batches
from xltransfer.engine.checkpoint import Format
from xltransfer.engine.fit import descend
from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens
from xltransfer.tasks import Pos
from xltransfer.tasks.encoded import Batch, Encoded, make_batch
from xltransfer.tasks.score import Prepared, score
from xltransfer.tasks.tagging import as_numpy

CPU = torch.device("cpu")
SCORES = ("logits", "start_logits", "end_logits", "arc_preds", "rel_preds")
START, MASK, ORDINARY = 2, 4, 5
"""Ids of the token that opens a row, of the mask, and of the first token that is not special."""
WITHOUT_END = 10**6
NOWHERE = [{"dataset": "none"}]
TASK = Pos(TaskSpec.model_validate({"name": "pos", "shape": "pos", "train": NOWHERE, "targets": NOWHERE}))


def load(folders: Mapping[str, Any]) -> Backbone:
    """Load a model from a base folder and folders of adapters, fusions and heads by name; all of it frozen."""
    model = Backbone.load(folders["base"], rules="adapterhub")
    for name, folder in folders["adapters"].items():
        model.load_adapter(folder, name=name)
    for folder in folders["fusions"].values():
        model.load_fusion(folder)
    for name, folder in folders["heads"].items():
        model.load_head(folder, name=name)
    return model.eval().requires_grad_(False)


def write(model: Backbone, folders: Mapping[str, Any], place: Path, form: Format) -> dict[str, Any]:
    """Write every adapter, fusion and head of ``folders`` anew below ``place`` and return where they lie now."""
    written: dict[str, Any] = {"base": folders["base"]}
    savers = {"adapters": model.save_adapter, "fusions": model.save_fusion, "heads": model.save_head}
    for kind, save in savers.items():
        written[kind] = {name: str(place / kind / name.replace(",", "-")) for name in folders[kind]}
        for name, folder in written[kind].items():
            save(name, folder, format=form)
    return written


def in_file_order(items: Encoded, rows: NDArray[np.int64], size: int) -> list[Batch]:
    """Cut ``rows`` into batches of ``size`` as they stand, each padded to its longest row."""
    return [make_batch(items, rows[start : start + size], CPU) for start in range(0, len(rows), size)]


def routed(
    items: Encoded, rows: NDArray[np.int64], texts: Sequence[str], token_budget: int
) -> list[tuple[Batch, list[str]]]:
    """Plan batches over all pairs of a row and a composition; returns each batch with its rows' compositions."""
    plan = plan_batches(np.tile(items.tokens.lengths[rows], len(texts)), token_budget)
    # Pairs run composition after composition, so in ascending order the rows of one composition stand together.
    pairs = [np.sort(chosen) for chosen in plan]
    return [
        (make_batch(items, rows[chosen % len(rows)], CPU), [texts[number] for number in chosen // len(rows)])
        for chosen in pairs
    ]


@torch.inference_mode()
def logits(model: Backbone, head: str, batch: Batch, text: str | Sequence[str]) -> Tensor:
    """Return the scores [row, token, label] of a batch under one composition, or under one a row."""
    given = parse_composition(text) if isinstance(text, str) else [parse_composition(one) for one in text]
    out: Tensor = model(batch.input_ids, batch.attention_mask, composition=given, head=head).logits
    return out


def tag_everywhere(model: Backbone, head: str, batches: Sequence[Batch], text: str) -> float:
    """Return the seconds of tagging every token, as the reference does."""
    start = time.perf_counter()
    for batch in batches:
        logits(model, head, batch, text).argmax(dim=-1).tolist()
    return time.perf_counter() - start


def score_planned(model: Backbone, head: str, prepared: Prepared, text: str) -> float:
    """Return the seconds of our own scoring of planned batches, counts included."""
    start = time.perf_counter()
    score(TASK, model, parse_composition(text), head, prepared)
    return time.perf_counter() - start


@torch.inference_mode()
def score_routed(model: Backbone, head: str, batches: Sequence[tuple[Batch, Sequence[str]]]) -> float:
    """Return the seconds of our own scoring of batches whose rows have a composition each."""
    start = time.perf_counter()
    parsed = {text: parse_composition(text) for _, texts in batches for text in texts}
    as_numpy([TASK.answer(model, [parsed[text] for text in texts], head, batch) for batch, texts in batches])
    return time.perf_counter() - start


def masked_block(vocabulary: int, seed: int, width: int = 128) -> tuple[Masked, dict[str, Tensor]]:
    """Return a masked batch of 8 rows, as ours and as the reference takes it."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(ORDINARY, vocabulary, (8, width))
    tokens[:, 0] = START
    masked = mask_tokens(tokens, Vocabulary(vocabulary, MASK, tuple(range(ORDINARY))), 0.15, rng)
    labels = np.full(tokens.size, -100)
    labels[masked.positions] = masked.labels
    ids = torch.from_numpy(masked.ids)
    labelled = torch.from_numpy(labels.reshape(tokens.shape))
    return masked, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labelled}


def train(model: Backbone, adapter: str, head: str, masked: Masked, learning_rate: float) -> Iterator[float]:
    """Train one adapter on one masked batch without end, logits at masked positions only; yields each step's loss."""
    trained = model.adapters[adapter].requires_grad_(True)
    chosen = parse_composition(f"Stack({adapter})")

    def loss(batch: Masked) -> tuple[Tensor, int]:
        ids, positions, labels = (torch.from_numpy(array) for array in (batch.ids, batch.positions, batch.labels))
        scores = model(ids, composition=chosen, head=head, positions=positions).logits
        return functional.cross_entropy(scores, labels, reduction="sum"), len(labels)

    weights, batches = list(trained.parameters()), repeat(masked)
    means = descend(weights, batches, loss, steps=WITHOUT_END, learning_rate=learning_rate, decay="constant")
    return (float(mean) for mean in means)


def seconds_to_add(model: Backbone, held: int, repeats: int) -> float:
    """Return the median seconds of adding one adapter (reduction 16) to a model that then has ``held`` others."""
    for number in range(len(model.adapters), held):
        model.add_adapter(f"a{number}", AdapterConfig())
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.add_adapter("one_more", AdapterConfig())
        spent.append(time.perf_counter() - start)
        del model.adapters["one_more"]
    return median(spent)


def by_row(batches: Sequence[Batch], scores: Sequence[Tensor], lengths: NDArray[np.int64]) -> dict[int, Tensor]:
    """Return the scores of every row's real tokens."""
    return {
        int(row): block[: lengths[row]]
        for batch, blocks in zip(batches, scores, strict=True)
        for row, block in zip(batch.rows, blocks, strict=True)
    }


@torch.inference_mode()
def scores(model: Backbone, head: str, inputs: Mapping[str, Tensor], text: str) -> dict[str, Tensor]:
    """Return every kind of scores that a head gives, by the names of the engine's `Output`."""
    out = model(**inputs, composition=parse_composition(text), head=head)
    return {name: value for name in SCORES if (value := getattr(out, name)) is not None}


def peak_gib() -> float:
    """Return the largest resident memory of this process so far."""
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(status.split()[0]) / 2**20
