"""The scoring loop: batches that lie ready on the device, one transfer back to the CPU per target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from xltransfer.engine import Backbone, Compositions
from xltransfer.engine.batches import OVERHEAD
from xltransfer.tasks.counts import Counts
from xltransfer.tasks.encoded import Batch, Encoded, make_batch
from xltransfer.tasks.mlm import MaskedBatch, MaskedText, Mlm
from xltransfer.tasks.tagging import as_numpy
from xltransfer.tasks.task import Answers, Task


@dataclass(frozen=True)
class Prepared:
    """A target of a task with adapter, its batches on the device."""

    encoded: Encoded
    batches: tuple[Batch, ...]

    @classmethod
    def of(cls, encoded: Encoded, token_budget: int, device: torch.device, overhead: int = OVERHEAD) -> "Prepared":
        """Plan the batches and put them on the device."""
        plan = encoded.plan(token_budget, overhead)
        return cls(encoded, tuple(make_batch(encoded, rows, device) for rows in plan))

    @property
    def rows(self) -> np.ndarray:
        """Rows in the order of the batches."""
        return np.concatenate([batch.rows for batch in self.batches])


@torch.inference_mode()
def answers(task: Task, model: Backbone, composition: Compositions, head: str, batches: Sequence[Batch]) -> Answers:
    """Return the task's flat answers over all ``batches``, on the CPU."""
    return as_numpy([task.answer(model, composition, head, batch) for batch in batches])


def score(task: Task, model: Backbone, composition: Compositions, head: str, prepared: Prepared) -> Counts:
    """Return the counts of one composition on one target."""
    given = answers(task, model, composition, head, prepared.batches)
    return task.count(prepared.encoded, prepared.rows, given)


@torch.inference_mode()
def score_text(
    task: Mlm,
    model: Backbone,
    text: MaskedText,
    batches: Sequence[MaskedBatch],
    composition: Compositions = None,
) -> Counts:
    """Return the counts of the base model's masked-LM on one text, under a composition or untouched."""
    nll = torch.cat([task.answer(model, batch, composition) for batch in batches]).cpu().numpy()
    return task.count(text, np.concatenate([batch.item for batch in batches]), nll)
