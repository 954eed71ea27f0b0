"""What the audit counts of labelled texts, of pairs, and of questions; sentences are in :mod:`xltransfer.data.measure`.

Overlaps are looked for in what could stand in another text: the premise, the text, the paragraph. Hypotheses and
questions are written for their task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xltransfer.config.task import TaskSpec
from xltransfer.data.labelled import Labelled
from xltransfer.data.overlap import Fingerprint, Fingerprinter
from xltransfer.data.pair_template import pair_template
from xltransfer.data.question import Question
from xltransfer.data.tokenizer import special_ids, token_ids, token_offsets
from xltransfer.data.windows import Span, all_longer, answer_spans, read_windows


@dataclass(frozen=True)
class _Texts:
    """Several texts: words, subwords and unknown subwords of all, and the subwords of each."""

    n_words: int
    n_subwords: int
    n_unknown: int
    lengths: NDArray[np.int64]


def _texts(texts: Sequence[str], tokenizer: Any, fingerprinter: Fingerprinter) -> _Texts:
    encoded = token_ids(tokenizer, texts)
    ids = np.concatenate([np.empty(0, np.int64), *encoded])
    unknown = int(np.count_nonzero(ids == special_ids(tokenizer).unknown))
    lengths = np.array([len(each) for each in encoded], dtype=np.int64)
    return _Texts(fingerprinter.of(texts).n_words, len(ids), unknown, lengths)


@dataclass(frozen=True)
class MeasuredLabelled:
    """Texts or pairs with labels.

    Attributes
    ----------
    examples
        As read, ``limit`` applied.
    first, second
        Texts or premises, and hypotheses or None.
    specials
        Special tokens of a row.
    fingerprint
        Of texts or premises.
    """

    examples: Sequence[Labelled]
    first: _Texts
    second: _Texts | None
    specials: int
    fingerprint: Fingerprint

    @classmethod
    def of(cls, examples: Sequence[Labelled], tokenizer: Any, fingerprinter: Fingerprinter) -> "MeasuredLabelled":
        """Count and fingerprint."""
        texts, seconds = [each.text for each in examples], [each.second for each in examples]
        second, specials = None, 2
        if any(each is not None for each in seconds):
            second = _texts([each or "" for each in seconds], tokenizer, fingerprinter)
            specials = pair_template(tokenizer).specials
        return cls(examples, _texts(texts, tokenizer, fingerprinter), second, specials, fingerprinter.of(texts))

    def counts(self, task: TaskSpec) -> dict[str, int | None]:
        """Return one row of counts as ``task`` sees this set; ``n_blank`` are texts or pairs that lack a side."""
        parts = [self.first] if self.second is None else [self.first, self.second]
        lengths = sum(part.lengths for part in parts)
        known = set(task.labels)
        return {
            "n_items": len(self.examples),
            "n_clusters": len({each.cluster for each in self.examples}),
            "n_words": sum(part.n_words for part in parts),
            "n_blank": sum(each.blank for each in self.examples),
            "n_subwords": sum(part.n_subwords for part in parts),
            "n_unknown": sum(part.n_unknown for part in parts),
            "n_too_long": int(np.count_nonzero(lengths + self.specials > task.max_length)),
            "n_foreign_labels": sum(each.label not in known for each in self.examples),
        }


@dataclass(frozen=True)
class MeasuredQuestions:
    """Questions on paragraphs.

    Attributes
    ----------
    examples
        As read, ``limit`` applied.
    asked, contexts
        Questions and their paragraphs, one a question.
    spans
        Subwords of each question's answers, see `answer_spans`.
    specials
        Special tokens of a row.
    fingerprint
        Of the paragraphs, one a question.
    """

    examples: Sequence[Question]
    asked: _Texts
    contexts: _Texts
    spans: Sequence[Sequence[Span]]
    specials: int
    fingerprint: Fingerprint

    @classmethod
    def of(cls, examples: Sequence[Question], tokenizer: Any, fingerprinter: Fingerprinter) -> "MeasuredQuestions":
        """Count and fingerprint."""
        contexts = [each.context for each in examples]
        return cls(
            examples,
            _texts([each.question for each in examples], tokenizer, fingerprinter),
            _texts(contexts, tokenizer, fingerprinter),
            [answer_spans(q, at) for q, (_, at) in zip(examples, token_offsets(tokenizer, contexts), strict=True)],
            pair_template(tokenizer).specials,
            fingerprinter.of(contexts),
        )

    def counts(self, task: TaskSpec) -> dict[str, int | None]:
        """Return one row of counts as ``task`` sees this set.

        ``n_too_long`` are questions whose paragraph is read in several windows, ``n_unscored`` those beside which it
        cannot be read, ``n_unheld`` scored ones whose answers lie in no window whole, ``n_misplaced`` those with an
        answer that does not stand at its offset, ``n_longer`` those with answers of over ``max_answer`` subwords only.
        """
        rooms = (task.max_length - self.specials - self.asked.lengths).tolist()
        lengths = self.contexts.lengths.tolist()
        readings = [
            read_windows(length, room, task.stride, spans)
            for length, room, spans in zip(lengths, rooms, self.spans, strict=True)
        ]
        return {
            "n_items": len(self.examples),
            "n_clusters": len({each.cluster for each in self.examples}),
            "n_words": self.asked.n_words + self.contexts.n_words,
            "n_blank": 0,
            "n_subwords": self.asked.n_subwords + self.contexts.n_subwords,
            "n_unknown": self.asked.n_unknown + self.contexts.n_unknown,
            "n_too_long": sum(len(reading.windows) > 1 for reading in readings),
            "n_foreign_labels": 0,
            "n_unscored": sum(not reading.windows for reading in readings),
            "n_unheld": sum(reading.unheld for reading in readings),
            "n_misplaced": sum(each.misplaced for each in self.examples),
            "n_longer": sum(all_longer(spans, task.max_answer) for spans in self.spans),
        }
