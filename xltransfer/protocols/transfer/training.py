"""Train one task adapter with its head, the base model frozen: faisal2024 section 2, step 1 and Appendix E."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from xltransfer.engine import Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.batches import Ragged
from xltransfer.engine.bottleneck import draw_like_bert
from xltransfer.engine.checkpoint import save_artefact
from xltransfer.engine.fit import descend, fit
from xltransfer.protocols.transfer.context import Context
from xltransfer.randomness import child_seed
from xltransfer.runs.artefacts import artefact_metadata
from xltransfer.runs.unit import Unit, canonical_json
from xltransfer.tasks.encoded import Batch, Encoded, make_batch

_POOL = 16
"""Batches that are sorted by length together: little padding, and still a random order."""


def train_adapter(context: Context, unit: Unit) -> None:
    """Train the adapter that ``unit`` names on all training entries of its task and place it in the folder."""
    name, seed = str(unit.key["task"]), int(unit.key["adapter_seed"])
    spec = context.specs[name]
    assert spec.adapter is not None
    scorer, task, model = f"{name}@{seed}", context.task(name), context.model
    root = child_seed(context.study.seed, "task adapter", name, seed)
    with torch.random.fork_rng(devices=[context.device] if context.device.type == "cuda" else []):
        torch.manual_seed(child_seed(root, "initial"))
        adapter = model.add_adapter(scorer, AdapterConfig(spec.adapter.reduction, spec.adapter.activation))
        head = task.head(model).to(context.device)
        if spec.adapter.initial == "bert":
            draw_like_bert(adapter, torch.Generator(context.device).manual_seed(child_seed(root, "adapter")))
        model.add_head(scorer, head)
        parameters = [*adapter.parameters(), *head.parameters()]
        for parameter in parameters:
            parameter.requires_grad_(True)
        model.train(spec.adapter.dropout)
        torch.manual_seed(child_seed(root, "dropout"))
        try:
            losses = fit(
                descend(
                    parameters,
                    training_batches(context, name, spec.adapter.epochs, child_seed(root, "order")),
                    lambda batch: task.loss(model, Stack(scorer), scorer, batch),
                    steps=_steps(context, name),
                    learning_rate=spec.adapter.learning_rate,
                    decay=spec.adapter.schedule,
                )
            )
            tensors = {f"adapter.{key}": value for key, value in adapter.state_dict().items()}
            tensors |= {f"head.{key}": value for key, value in head.state_dict().items()}
            training = {"labels": spec.labels, "steps": len(losses), "last_loss": losses[-1]}
            metadata = artefact_metadata(unit) | {"xltransfer.training": canonical_json(training)}
        finally:
            # The next unit loads the adapter from the folder, as any other process does.
            del model.adapters[scorer], model.heads[scorer]
            model.eval().requires_grad_(False)
    context.store.place_artefact(unit.id, lambda path: save_artefact(path, tensors, metadata))


def training_batches(context: Context, task: str, epochs: int, seed: int) -> Iterator[Batch]:
    """Yield the batches of ``epochs`` passes over all training sentences of a task, in an order drawn from ``seed``."""
    joined = _training_set(context, task)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        for rows in _epoch(joined.tokens.lengths, _batch_size(context, task), rng):
            yield make_batch(joined, rows, context.device)


def _epoch(lengths: NDArray[np.int64], size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    order = rng.permutation(len(lengths))
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), size * _POOL):
        pool = order[start : start + size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    return [batches[number] for number in rng.permutation(len(batches))]


def _steps(context: Context, task: str) -> int:
    adapter = context.specs[task].adapter
    assert adapter is not None
    sentences = len(_training_set(context, task).kept)
    full, rest = divmod(sentences, adapter.batch_size * _POOL)
    return adapter.epochs * (full * _POOL + -(-rest // adapter.batch_size))


def _batch_size(context: Context, task: str) -> int:
    adapter = context.specs[task].adapter
    assert adapter is not None
    return adapter.batch_size


def training_tokens(context: Context, task: str) -> int:
    """Return the padded tokens of all epochs of a task's training, up to the luck of the shuffling."""
    adapter = context.specs[task].adapter
    assert adapter is not None
    lengths = _training_set(context, task).tokens.lengths
    epoch = _epoch(lengths, adapter.batch_size, np.random.default_rng(0))
    return adapter.epochs * sum(len(rows) * int(lengths[rows].max()) for rows in epoch)


def _training_set(context: Context, task: str) -> Encoded:
    return _join([context.encoded(task, ref.name, "train") for ref in context.resolved.train[task]])


def _join(parts: list[Encoded]) -> Encoded:
    """Put the rows of all training entries one after another."""

    def joined(rows: list[Ragged]) -> Ragged:
        values = np.concatenate([part.values for part in rows])
        return Ragged.from_lengths(values, np.concatenate([part.lengths for part in rows]))

    types = [part.token_types for part in parts if part.token_types is not None]
    return Encoded(
        name="training sentences",
        items=(),
        clusters=(),
        kept=np.arange(sum(len(part.kept) for part in parts)),
        tokens=joined([part.tokens for part in parts]),
        word_starts=joined([part.word_starts for part in parts]),
        gold={layer: joined([part.gold[layer] for part in parts]) for layer in parts[0].gold},
        sentences=(),
        pad=parts[0].pad,
        token_types=joined(types) if types else None,
    )
