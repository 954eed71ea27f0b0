"""Extractive question answering: the best span over the windows of a paragraph, SQuAD's F1 and exact match, nll.

The score of a span is the sum of its start and end scores; all spans inside the context of at most ``max_answer``
subwords take part, and the best one over all windows is the answer. Published scripts look at the pairs of the twenty
best starts and ends only, which rarely misses the best span.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.config.task import TaskSpec
from xltransfer.data.question import Question
from xltransfer.data.windows import all_longer, answer_spans
from xltransfer.engine import Backbone, Compositions
from xltransfer.engine.heads import QuestionAnsweringHead
from xltransfer.errors import ModelError
from xltransfer.tasks.answer_scores import best_f1, exact_match
from xltransfer.tasks.counts import Counts
from xltransfer.tasks.encoded import IGNORED, Batch, Encoded, token_types_for
from xltransfer.tasks.windows import ELSEWHERE, Windows, encode_questions


class Qa:
    """Spans of a paragraph as answers; one item a question."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec

    def encode(self, name: str, questions: Sequence[Question], tokenizer: Any) -> Windows:
        """Tokenise questions and cut their paragraphs into windows, see `encode_questions`."""
        return encode_questions(name, questions, tokenizer, self.spec)

    def head(self, model: Backbone) -> nn.Module:
        """Return a fresh head: one linear map to two scores a token."""
        return QuestionAnsweringHead(model.hidden, model.head_dropout)

    def _scores(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return start and end scores [row, token]; -inf at padding, so that no score depends on the batch."""
        types = token_types_for(model, batch)
        out = model(batch.input_ids, batch.attention_mask, types, composition=composition, head=head)
        start, end = out.start_logits.float(), out.end_logits.float()
        if batch.attention_mask is not None:
            padding = batch.attention_mask == 0
            start, end = start.masked_fill(padding, float("-inf")), end.masked_fill(padding, float("-inf"))
        return start, end

    def loss(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> tuple[Tensor, int]:
        """Return the sum over windows of the mean of start and end cross entropy over all tokens of the row.

        A window without the whole answer has its start and end at the first token, or takes no part
        (``windows_without_answer``); one of an answer without an offset takes no part.
        """
        without = 0 if self.spec.windows_without_answer == "cls" else IGNORED
        scores = self._scores(model, composition, head, batch)
        total = scores[0].new_zeros(())
        for values, layer in zip(scores, ("start", "end"), strict=True):
            gold = batch.gold[layer]
            gold = torch.where(gold == ELSEWHERE, without, gold)
            total = total + 0.5 * functional.cross_entropy(values, gold, reduction="sum", ignore_index=IGNORED)
        return total, int((gold != IGNORED).sum())

    def answer(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> Mapping[str, Tensor]:
        """Return for each row the best span's ``start``, ``end`` and ``score``, and ``nll`` of the gold span.

        ``nll`` [row] is that of start and end together; 0 where the window does not hold the answer.
        """
        start, end = self._scores(model, composition, head, batch)
        best, first, last = best_spans(start, end, batch.gold["begin"], batch.gold["stop"], self.spec.max_answer)
        nll = torch.zeros_like(best)
        for values, layer in ((start, "start"), (end, "end")):
            gold = batch.gold[layer]
            held = torch.where(gold < 0, IGNORED, gold)
            nll = nll + functional.cross_entropy(values, held, reduction="none", ignore_index=IGNORED)
        return {"start": first, "end": last, "score": best, "nll": nll}

    def count(self, encoded: Encoded, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]) -> Counts:
        """Count exact matches, F1, and nll where a window holds the answer."""
        assert isinstance(encoded, Windows)
        return self._counted(encoded, self._predicted(encoded, rows, answers), rows, answers["nll"])

    def _predicted(
        self, encoded: Windows, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]
    ) -> dict[int, str]:
        """Return the answer to each scored item, in the order of the file; of equal scores, the first window's.

        Raises
        ------
        ModelError
            Where the score of a span is not finite: any span would do then.
        """
        if wrong := int(np.count_nonzero(~np.isfinite(answers["score"]))):
            raise ModelError(
                f"{encoded.name}: the best spans of {wrong} of {len(rows)} windows have scores that are not finite, so "
                "the model's states have left the range of numbers; lower the learning rate of the adapter or the nudge"
            )
        order = np.lexsort((rows, -answers["score"], encoded.kept[rows]))
        items, at = np.unique(encoded.kept[rows][order], return_index=True)
        return {
            int(item): encoded.text(int(rows[best]), int(answers["start"][best]), int(answers["end"][best]))
            for item, best in zip(items, order[at], strict=True)
        }

    def _counted(
        self, encoded: Windows, predicted: Mapping[int, str], rows: NDArray[np.int64], nll: NDArray[np.floating[Any]]
    ) -> Counts:
        n, rule = len(encoded.items), self.spec.normalisation
        f1, em = np.zeros(n), np.zeros(n, dtype=np.int64)
        total, held = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        for item, text in predicted.items():
            question = encoded.questions[item]
            gold = [answer.text for answer in question.answers]
            f1[item] = best_f1(text, gold, question.language, rule)
            em[item] = exact_match(text, gold, question.language, rule)
            total[item] = 1
        chosen = encoded.gold["chosen"].flat(rows) == 1
        held[encoded.kept[rows][chosen]] = 1
        spent = np.zeros(n)
        spent[encoded.kept[rows][chosen]] = nll[chosen]
        return Counts({"em": em, "f1": f1, "total": total, "in_window": held, "nll": spent})

    def trivial(self, encoded: Encoded) -> Counts:
        """Count the predictor that answers nothing; its nll is that of uniform starts and ends over the row.

        Its counts say besides what no model changes: questions that are ``unheld`` (scored, but no window holds an
        answer whole) and ``misplaced`` (an answer does not stand at its offset), and those whose answers are all
        ``longer`` than ``max_answer`` subwords.
        """
        assert isinstance(encoded, Windows)
        rows = np.arange(len(encoded.kept))
        nothing = dict.fromkeys(map(int, encoded.kept), "")
        counts = self._counted(encoded, nothing, rows, 2.0 * np.log(encoded.tokens.lengths))
        return Counts({**counts.overall, **self._odd(encoded, counts.overall["in_window"])})

    def _odd(self, encoded: Windows, held: NDArray[Any]) -> dict[str, NDArray[np.int64]]:
        """Return 0/1 [items] for each thing that is odd about a question; ``held`` is 1 where a window holds it."""
        placed = np.zeros(len(encoded.items), dtype=bool)
        placed[encoded.kept[encoded.gold["start"].values != IGNORED]] = True
        spans = [answer_spans(*pair) for pair in zip(encoded.questions, encoded.offsets, strict=True)]
        found = {
            "unheld": placed & (held == 0),
            "misplaced": [each.misplaced for each in encoded.questions],
            "longer": [all_longer(each, self.spec.max_answer) for each in spans],
        }
        return {name: np.asarray(values, dtype=np.int64) for name, values in found.items()}

    def annotated(self, encoded: Encoded, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]) -> list[str]:
        """Return a JSON object an item with ``id`` and predicted ``answer``."""
        assert isinstance(encoded, Windows)
        return [
            json.dumps({"id": encoded.items[item], "answer": text}, ensure_ascii=False)
            for item, text in self._predicted(encoded, rows, answers).items()
        ]


def best_spans(start: Tensor, end: Tensor, begin: Tensor, stop: Tensor, longest: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return score, first and last position of the best span of each row.

    Parameters
    ----------
    start, end
        Scores [row, token].
    begin, stop
        [row]: spans lie in positions ``begin`` to ``stop`` (not included).
    longest
        Tokens of a span at most.

    Returns
    -------
    tuple
        [row] each; of equal spans the one that begins, then ends, first.
    """
    position = torch.arange(start.shape[1], device=start.device)
    outside = (position < begin[:, None]) | (position >= stop[:, None])
    start, end = start.masked_fill(outside, float("-inf")), end.masked_fill(outside, float("-inf"))
    ends = functional.pad(end, (0, longest - 1), value=float("-inf")).unfold(1, longest, 1)
    spans = (start[:, :, None] + ends).flatten(1)
    score, flat = spans.max(dim=1)
    first = flat // longest
    return score, first, first + flat % longest
