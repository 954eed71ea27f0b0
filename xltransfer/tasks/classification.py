"""One label for a whole text (reviews), or for a premise and its hypothesis (nli): accuracy and nll."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.config.task import TaskSpec
from xltransfer.data.labelled import Labelled
from xltransfer.engine import Backbone, Compositions
from xltransfer.engine.heads import ClassificationHead
from xltransfer.errors import DataError, near_match
from xltransfer.tasks.counts import Counts, frequency_nll, per_item, per_label
from xltransfer.tasks.encoded import Batch, Encoded, token_types_for
from xltransfer.tasks.texts import encode_texts


class Classification:
    """Classes of whole rows; one item a text or pair."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.index = {label: number for number, label in enumerate(spec.labels)}

    def encode(self, name: str, examples: Sequence[Labelled], tokenizer: Any) -> Encoded:
        """Tokenise texts or pairs and number their labels.

        Raises
        ------
        DataError
            For a label that is none of the task's, with its place.
        """
        foreign = next((each for each in examples if each.label not in self.index), None)
        if foreign is not None:
            raise DataError(
                f"{foreign.place}: label {foreign.label!r} is not among the task's labels"
                f"{near_match(foreign.label, self.index)}"
            )
        gold = [self.index[each.label] for each in examples]
        return encode_texts(name, examples, gold, tokenizer, self.spec.max_length, self.spec.too_long)

    def head(self, model: Backbone) -> nn.Module:
        """Return a fresh head: two linear maps on the first token's state, or one on the pooler's output."""
        pooled = self.spec.reads == "pooler"
        layers = 1 if pooled else 2
        return ClassificationHead(model.hidden, len(self.spec.labels), model.head_dropout, layers, use_pooler=pooled)

    def _logits(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> Tensor:
        types = token_types_for(model, batch)
        out = model(batch.input_ids, batch.attention_mask, types, composition=composition, head=head)
        return out.logits  # type: ignore[no-any-return]

    def loss(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> tuple[Tensor, int]:
        """Return summed cross entropy over rows."""
        gold = batch.gold["label"]
        logits = self._logits(model, composition, head, batch)
        return functional.cross_entropy(logits, gold, reduction="sum"), len(gold)

    def answer(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> Mapping[str, Tensor]:
        """Return ``label`` and ``nll`` of each row."""
        logits = self._logits(model, composition, head, batch).float()
        nll = functional.cross_entropy(logits, batch.gold["label"], reduction="none")
        return {"label": logits.argmax(dim=-1), "nll": nll}

    def count(self, encoded: Encoded, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]) -> Counts:
        """Count right labels and nll per item, right labels per gold label."""
        return self._counted(encoded, rows, answers["label"], answers["nll"])

    def _counted(
        self,
        encoded: Encoded,
        rows: NDArray[np.int64],
        predicted: NDArray[np.integer],
        nll: NDArray[np.floating[Any]],
    ) -> Counts:
        gold, item = encoded.gold["label"].flat(rows).astype(np.int64), encoded.kept[rows]
        n, labels = len(encoded.items), self.spec.labels
        columns = {"correct": (gold == predicted).astype(np.int64), "total": np.ones(len(rows), dtype=np.int64)}
        return Counts(
            overall={column: per_item(item, hit, n).astype(np.int64) for column, hit in columns.items()}
            | {"nll": per_item(item, nll, n)},
            labelled={column: (labels, per_label(item, gold, hit, n, len(labels))) for column, hit in columns.items()},
        )

    def trivial(self, encoded: Encoded) -> Counts:
        """Count the predictor that gives the target's majority class; its nll is that of the class frequencies."""
        rows = np.arange(len(encoded.kept))
        gold = encoded.gold["label"].flat(rows).astype(np.int64)
        majority = int(np.bincount(gold, minlength=len(self.spec.labels)).argmax())
        nll = frequency_nll(gold, len(self.spec.labels))
        return self._counted(encoded, rows, np.full(len(rows), majority), nll)

    def annotated(self, encoded: Encoded, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]) -> list[str]:
        """Return a JSON object an item with ``id`` and predicted ``label``."""
        return [
            json.dumps({"id": encoded.items[encoded.kept[rows[at]]], "label": self.spec.labels[answers["label"][at]]})
            for at in np.argsort(rows)
        ]
