"""Masked-LM on held-out text: negative log-likelihood at masked positions that never change.

It shows whether a nudge reached the language at all, and moves continuously where accuracy moves by rare flips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from xltransfer.config.task import TaskSpec
from xltransfer.data.blocks import blocks
from xltransfer.engine import Backbone, Compositions
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens
from xltransfer.tasks.counts import Counts, per_item


@dataclass(frozen=True)
class MaskedText:
    """Blocks of one language's held-out text, masked once.

    Attributes
    ----------
    name
        The entry.
    items, clusters
        One block an item; each its own cluster.
    masked
        Corrupted blocks [block, token], flat positions and original ids.
    """

    name: str
    items: tuple[str, ...]
    clusters: tuple[str, ...]
    masked: Masked


@dataclass(frozen=True)
class MaskedBatch:
    """Some blocks on the device; ``item`` [position] is the block of each masked position."""

    input_ids: Tensor
    positions: Tensor
    labels: Tensor
    item: NDArray[np.int64]


class Mlm:
    """The base model's own masked-LM head on fixed masks; no adapter, no training."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec

    def encode(
        self, name: str, lines: Sequence[str], tokenizer: Any, vocabulary: Vocabulary, rng: np.random.Generator
    ) -> MaskedText:
        """Cut text into blocks and mask them; raises `DataError` where it is shorter than one block."""
        cut = blocks(lines, tokenizer, self.spec.block, name=name)[: self.spec.max_blocks]
        masked = mask_tokens(cut, vocabulary, self.spec.mask_share, rng)
        items = tuple(f"{name}:{number}" for number in range(len(cut)))
        return MaskedText(name, items, items, masked)

    def batches(self, text: MaskedText, token_budget: int, device: torch.device) -> list[MaskedBatch]:
        """Put the blocks on the device, ``token_budget`` tokens at a time."""
        n_blocks, width = text.masked.ids.shape
        size = max(1, token_budget // width)
        row = text.masked.positions // width
        parts = []
        for start in range(0, n_blocks, size):
            mine = (row >= start) & (row < start + size)
            ids, positions, labels = (
                torch.from_numpy(array).to(device)
                for array in (
                    text.masked.ids[start : start + size],
                    text.masked.positions[mine] - start * width,
                    text.masked.labels[mine],
                )
            )
            parts.append(MaskedBatch(ids, positions, labels, row[mine]))
        return parts

    def answer(self, model: Backbone, batch: MaskedBatch, composition: Compositions = None) -> Tensor:
        """Return nll [position] of the original tokens; ``composition`` None is the untouched model."""
        logits = model(batch.input_ids, composition=composition, head=MASKED_LM, positions=batch.positions).logits
        return functional.cross_entropy(logits.float(), batch.labels, reduction="none")

    def count(self, text: MaskedText, item: NDArray[np.int64], nll: NDArray[np.floating[Any]]) -> Counts:
        """Sum nll and masked positions per block."""
        n = len(text.items)
        total = per_item(item, np.ones(len(item)), n).astype(np.int64)
        return Counts({"nll": per_item(item, nll, n), "total": total})
