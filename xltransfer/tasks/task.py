"""What every task answers: encode, head, loss, answers, counts. A task with a user's own labels is the same class."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from xltransfer.config.task import TaskSpec
from xltransfer.engine import Backbone, Compositions
from xltransfer.tasks.counts import Counts
from xltransfer.tasks.encoded import Batch, Encoded

Answers = Mapping[str, NDArray[Any]]
"""Flat arrays over words (rows, masked positions) in the order of the batches: predictions and ``nll``."""


class Task(Protocol):
    """One task shape with its labels. All arrays over words run sentence after sentence in batch order.

    A task of whole texts or questions has one prediction a row in the place of one a word.
    """

    spec: TaskSpec

    def encode(self, name: str, examples: Sequence[Any], tokenizer: Any, /) -> Encoded:
        """Number words and labels of what the shape's layout is read as; raises `DataError` for what does not fit."""
        ...

    def head(self, model: Backbone) -> nn.Module:
        """Return a fresh head for ``model``."""
        ...

    def loss(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> tuple[Tensor, int]:
        """Return the summed loss of the batch and the number of predictions."""
        ...

    def answer(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> Mapping[str, Tensor]:
        """Return predictions and the negative log-likelihood of the gold label of each word or row."""
        ...

    def count(self, encoded: Encoded, rows: NDArray[np.int64], answers: Answers) -> Counts:
        """Turn the answers for ``rows`` (in that order) into counts of all items."""
        ...

    def trivial(self, encoded: Encoded) -> Counts:
        """Return what the trivial predictor reaches, the bar of the floor test."""
        ...

    def annotated(self, encoded: Encoded, rows: NDArray[np.int64], answers: Answers) -> list[str]:
        """Return one text block an item of ``rows`` with predictions, in the order of the file."""
        ...
