"""Part-of-speech tagging: token accuracy, and the span F1 that the published code reports under the name of POS."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xltransfer.config.task import TaskSpec
from xltransfer.data.sentence import Sentence
from xltransfer.tasks.counts import Counts, per_item, per_label
from xltransfer.tasks.encoded import Encoded
from xltransfer.tasks.spans import find_spans, match
from xltransfer.tasks.tagging import Tagging


class Pos(Tagging):
    """One tag a word; words without a gold tag (``_``) are neither right nor wrong."""

    def __init__(self, spec: TaskSpec) -> None:
        super().__init__(spec, spec.labels)

    def gold(self, sentence: Sentence) -> tuple[str, ...] | None:
        """Return the sentence's tags."""
        return sentence.tags

    def counted(
        self,
        encoded: Encoded,
        item: NDArray[np.int64],
        gold: NDArray[np.int64],
        predicted: NDArray[np.int64],
        nll: NDArray[np.floating[Any]],
    ) -> Counts:
        """Count right words, spans and nll per item; right words per gold tag."""
        scored = gold >= 0
        item, gold, predicted, nll = item[scored], gold[scored], predicted[scored], nll[scored]
        n, labels = len(encoded.items), len(self.tags)
        right = (gold == predicted).astype(np.int64)
        one = np.ones(len(gold))
        wanted, found = find_spans(gold, item, self.system), find_spans(predicted, item, self.system)
        hit, correct = match(wanted, found)
        return Counts(
            overall={
                "correct": per_item(item, right, n).astype(np.int64),
                "total": per_item(item, one, n).astype(np.int64),
                "span_tp": per_item(item[wanted.begin], hit, n).astype(np.int64),
                "span_fp": per_item(item[found.begin], ~correct, n).astype(np.int64),
                "span_fn": per_item(item[wanted.begin], ~hit, n).astype(np.int64),
                "nll": per_item(item, nll, n),
            },
            labelled={
                "correct": (self.tags, per_label(item, gold, right, n, labels)),
                "total": (self.tags, per_label(item, gold, one, n, labels)),
            },
        )
