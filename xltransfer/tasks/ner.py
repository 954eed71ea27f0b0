"""Named entities: micro F1 over whole entities, seqeval's default reading of the tags."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xltransfer.config.task import TaskSpec
from xltransfer.data.sentence import Sentence
from xltransfer.tasks.counts import Counts, per_item, per_label
from xltransfer.tasks.encoded import Encoded
from xltransfer.tasks.spans import Spans, find_spans, match
from xltransfer.tasks.tagging import Tagging


class Ner(Tagging):
    """B- and I- tags of the task's entity types, and O."""

    what = "entity tag"

    def __init__(self, spec: TaskSpec) -> None:
        super().__init__(spec, ("O", *(f"{prefix}-{kind}" for kind in spec.labels for prefix in "BI")))

    def gold(self, sentence: Sentence) -> tuple[str, ...] | None:
        """Return the sentence's entity tags."""
        return sentence.entities

    def counted(
        self,
        encoded: Encoded,
        item: NDArray[np.int64],
        gold: NDArray[np.int64],
        predicted: NDArray[np.int64],
        nll: NDArray[np.floating[Any]],
    ) -> Counts:
        """Count found, wrong and missed entities and nll per item; entities per type."""
        n, kinds = len(encoded.items), self.spec.labels
        wanted, found = find_spans(gold, item, self.system), find_spans(predicted, item, self.system)
        hit, correct = match(wanted, found)
        number = np.array([kinds.index(kind) if kind in kinds else -1 for kind in self.system.kinds])

        def by_type(spans: Spans, weight: NDArray[np.bool_]) -> NDArray[np.int64]:
            return per_label(item[spans.begin], number[spans.kind], weight.astype(np.int64), n, len(kinds))

        labelled = {"tp": by_type(wanted, hit), "fp": by_type(found, ~correct), "fn": by_type(wanted, ~hit)}
        return Counts(
            overall={column: values.sum(axis=0) for column, values in labelled.items()}
            | {
                "nll": per_item(item, nll, n),
                "total": per_item(item, np.ones(len(gold)), n).astype(np.int64),
            },
            labelled={column: (kinds, values) for column, values in labelled.items()},
        )

    def trivial_tag(self, seen: NDArray[np.int64]) -> int:
        """Return O: the trivial predictor finds no entity."""
        return self.index["O"]

    def annotated_line(self, number: int, word: str, tag: str) -> str:
        """Return one word's line: ``token TAG``."""
        return f"{word} {tag}"
