"""Many compositions scored on one target: one after another, or side by side in a batch where that is quicker.

On a CPU both take about as long, so each composition goes through the target's planned batches by itself. On a GPU
small batches leave it idle: there the rows of a batch are repeated, once for each composition, and routed (every row
names its composition).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from xltransfer.engine import Backbone, Stack
from xltransfer.tasks import Task
from xltransfer.tasks.counts import Counts
from xltransfer.tasks.encoded import Batch
from xltransfer.tasks.score import Prepared, score
from xltransfer.tasks.tagging import as_numpy

ROUTED_TOKENS = 65_536
"""Padded tokens of a routed batch; not measured on a GPU."""


def side_by_side(device: torch.device, token_budget: int) -> int:
    """Return how many compositions go through one batch."""
    return 1 if device.type == "cpu" else max(1, ROUTED_TOKENS // token_budget)


def score_together(
    task: Task, model: Backbone, compositions: Sequence[Stack], head: str, prepared: Prepared
) -> list[Counts]:
    """Return the counts of each composition on one target; of a single one by `score` itself."""
    if len(compositions) == 1:
        return [score(task, model, compositions[0], head, prepared)]
    return [
        task.count(prepared.encoded, prepared.rows, answers)
        for answers in _answers(task, model, compositions, head, prepared)
    ]


@torch.inference_mode()
def _answers(
    task: Task, model: Backbone, compositions: Sequence[Stack], head: str, prepared: Prepared
) -> Iterator[Mapping[str, NDArray[Any]]]:
    times = len(compositions)
    parts: list[list[dict[str, Tensor]]] = [[] for _ in compositions]
    for batch in prepared.batches:
        each = [composition for composition in compositions for _ in range(len(batch.rows))]
        found = task.answer(model, each, head, repeated(batch, times))
        for number, part in enumerate(parts):
            part.append({name: values.chunk(times)[number] for name, values in found.items()})
    return iter([as_numpy(part) for part in parts])


def repeated(batch: Batch, times: int) -> Batch:
    """Return a batch that holds the rows of ``batch`` several times, one whole batch after another."""
    rows, tokens = batch.input_ids.shape
    words = rows * (batch.word_starts.shape[1] - 1)

    def over(values: Tensor | None) -> Tensor | None:
        return None if values is None else values.repeat(times, *[1] * (values.dim() - 1))

    def shifted(places: Tensor, step: int) -> Tensor:
        return (torch.arange(times, device=places.device)[:, None] * step + places).reshape(-1)

    return replace(
        batch,
        input_ids=batch.input_ids.repeat(times, 1),
        attention_mask=over(batch.attention_mask),
        word_starts=batch.word_starts.repeat(times, 1),
        positions=shifted(batch.positions, rows * tokens),
        word=shifted(batch.word, words),
        gold={layer: values.repeat(times) for layer, values in batch.gold.items()},
        token_types=over(batch.token_types),
    )
