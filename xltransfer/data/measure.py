"""What the audit counts of one split of one entry, read and tokenised once for all tasks that use it.

Only counts and the text's fingerprint are kept, never a share or a judgement; those are in
:mod:`xltransfer.data.audit`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xltransfer.config.resolve import EntryRef
from xltransfer.config.task import TaskSpec
from xltransfer.data.blocks import token_stream
from xltransfer.data.entities import n_entities
from xltransfer.data.labelled import Labelled
from xltransfer.data.measure_examples import MeasuredLabelled, MeasuredQuestions
from xltransfer.data.overlap import Fingerprint, Fingerprinter
from xltransfer.data.question import Question
from xltransfer.data.read import read_examples, read_lines
from xltransfer.data.sentence import Sentence
from xltransfer.data.tokenizer import encode_words, special_ids
from xltransfer.errors import DataError


@dataclass(frozen=True)
class MeasuredSentences:
    """An annotated set.

    Attributes
    ----------
    sentences
        As read, ``limit`` applied.
    lengths
        int64 [sentence]: subwords without special tokens.
    n_subwords, n_unknown
        Subwords, and how many of them are the unknown token.
    fingerprint
        For overlaps.
    """

    sentences: Sequence[Sentence]
    lengths: NDArray[np.int64]
    n_subwords: int
    n_unknown: int
    fingerprint: Fingerprint

    def counts(self, task: TaskSpec) -> dict[str, int | None]:
        """Return one row of counts as ``task`` sees this set; ``n_entities`` is None but for entity tasks."""
        sentences = self.sentences
        labels = labels_of(sentences, task)
        known = set(task.labels)
        entities = sum(n_entities(s.entities) for s in sentences if s.entities) if task.shape == "ner" else None
        return {
            "n_items": len(sentences),
            "n_clusters": len({s.cluster for s in sentences}),
            "n_words": sum(len(s.words) for s in sentences),
            "n_blank": sum(word.strip() in ("", "_") for s in sentences for word in s.words),
            "n_subwords": self.n_subwords,
            "n_unknown": self.n_unknown,
            "n_too_long": int(np.count_nonzero(self.lengths + 2 > task.max_length)),
            "n_entities": entities,
            "n_foreign_labels": sum(label not in known for label in labels),
        }


@dataclass(frozen=True)
class MeasuredText:
    """A plain text.

    Attributes
    ----------
    stream
        int32 [token]: ids of all lines with their special tokens.
    n_lines
        Lines.
    n_subwords, n_unknown
        Subwords without special tokens, and how many of them are the unknown token.
    fingerprint
        For overlaps.
    """

    stream: NDArray[np.int32]
    n_lines: int
    n_subwords: int
    n_unknown: int
    fingerprint: Fingerprint

    @property
    def n_words(self) -> int:
        """Words; a letter of a script without spaces is one."""
        return self.fingerprint.n_words

    def cut(self, block: int) -> NDArray[np.int32]:
        """Return the whole blocks, int32 [n_blocks, block]; none where the text is too short."""
        return self.stream[: self.stream.size // block * block].reshape(-1, block)


Measured = MeasuredSentences | MeasuredLabelled | MeasuredQuestions
"""An annotated set of whatever layout."""


class Measurer:
    """Reads, tokenises and fingerprints each set once; notes what cannot be read instead of stopping at it."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = special_ids(tokenizer)
        self._fingerprinter = Fingerprinter()
        self._examples: dict[tuple[EntryRef, str, int | None], Measured | None] = {}
        self._texts: dict[tuple[EntryRef, str], MeasuredText | None] = {}
        self.problems: list[str] = []

    def examples(self, ref: EntryRef, split: str, limit: int | None) -> Measured | None:
        """Return an annotated set, or None (and a problem noted) where it cannot be read."""
        key = (ref, split, limit)
        if key not in self._examples:
            self._examples[key] = self._try_examples(ref, split, limit)
        return self._examples[key]

    def text(self, ref: EntryRef, split: str) -> MeasuredText | None:
        """Return a text, or None (and a problem noted) where it cannot be read."""
        key = (ref, split)
        if key not in self._texts:
            self._texts[key] = self._try_text(ref, split)
        return self._texts[key]

    def _try_examples(self, ref: EntryRef, split: str, limit: int | None) -> Measured | None:
        try:
            read = read_examples(ref, split, limit)
        except DataError as err:
            self.problems.append(str(err))
            return None
        if questions := [each for each in read if isinstance(each, Question)]:
            return MeasuredQuestions.of(questions, self._tokenizer, self._fingerprinter)
        if labelled := [each for each in read if isinstance(each, Labelled)]:
            return MeasuredLabelled.of(labelled, self._tokenizer, self._fingerprinter)
        return self._measured([each for each in read if isinstance(each, Sentence)])

    def _measured(self, sentences: Sequence[Sentence]) -> MeasuredSentences:
        words = [sentence.words for sentence in sentences]
        pieces = encode_words(self._tokenizer, words)
        return MeasuredSentences(
            sentences=sentences,
            lengths=pieces.sentence_lengths(),
            n_subwords=len(pieces.ids),
            n_unknown=int(np.count_nonzero(pieces.ids == self._special.unknown)),
            fingerprint=self._fingerprinter.of(" ".join(sentence) for sentence in words),
        )

    def _try_text(self, ref: EntryRef, split: str) -> MeasuredText | None:
        try:
            lines = read_lines(ref, split)
        except DataError as err:
            self.problems.append(str(err))
            return None
        stream = token_stream(lines, self._tokenizer)
        return MeasuredText(
            stream=stream,
            n_lines=len(lines),
            n_subwords=int(np.count_nonzero(~np.isin(stream, [self._special.start, self._special.end]))),
            n_unknown=int(np.count_nonzero(stream == self._special.unknown)),
            fingerprint=self._fingerprinter.of(lines),
        )


def labels_of(sentences: Sequence[Sentence], task: TaskSpec) -> list[str]:
    """Return all gold labels as ``task`` names them: tags, relations cut at ``:``, or entity types (no ``O``)."""
    if task.shape == "pos":
        return [tag for s in sentences for tag in s.tags or ()]
    if task.shape == "dep":
        return [relation.partition(":")[0] for s in sentences for relation in s.relations or ()]
    return [tag[2:] for s in sentences for tag in s.entities or () if tag != "O"]


def lacks_layer(sentences: Sequence[Sentence], task: TaskSpec) -> int:
    """Return how many sentences lack the annotation that ``task`` needs."""
    if task.shape == "pos":
        return sum(s.tags is None for s in sentences)
    if task.shape == "dep":
        return sum(s.heads is None or s.relations is None for s in sentences)
    return sum(s.entities is None for s in sentences)
