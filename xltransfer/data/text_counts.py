"""How often each subword occurs in the texts of a study's languages, under its base model's tokenizer.

What the pair features of texts are made of: subwords a word, and shared vocabulary. Every text is read in the same way,
whatever its task: a sentence's words joined by spaces, words counted as :mod:`.overlap` does (a letter of a script
without spaces is one), so that fertilities of a treebank and of plain text can be compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.data.blocks import token_stream
from xltransfer.data.labelled import Labelled
from xltransfer.data.overlap import Fingerprinter
from xltransfer.data.question import Question
from xltransfer.data.read import Example, read_examples, read_lines
from xltransfer.data.tokenizer import load_tokenizer

MAX_LINES: Final = 5000
"""Lines taken of each entry by default: enough for shares of subwords, little enough for a study of 38 languages."""


@dataclass(frozen=True, eq=False)
class TextCounts:
    """The subwords of a text.

    Attributes
    ----------
    tokens
        int64 [distinct subword]: ids, ascending; neither special tokens nor the unknown one.
    counts
        int64 [distinct subword]: how often each occurs, at least once.
    n_words
        Words of the text.
    n_unknown
        Unknown tokens, which are not in ``counts``.
    """

    tokens: NDArray[np.int64]
    counts: NDArray[np.int64]
    n_words: int
    n_unknown: int

    @property
    def fertility(self) -> float:
        """Subwords a word, an unknown token being one.

        NaN for a text without words, and for one that is mostly unknown: a stretch of letters that the tokenizer does
        not know is one token however long it is, and would look like a fertility near 0.
        """
        known = int(self.counts.sum())
        return (known + self.n_unknown) / self.n_words if self.n_words and known >= self.n_unknown else float("nan")


@dataclass(frozen=True, eq=False)
class StudyTexts:
    """Texts by language code: the transfer corpora, and the test data of the targets of all tasks together."""

    transfers: Mapping[str, TextCounts]
    targets: Mapping[str, TextCounts]


def study_texts(resolved: ResolvedStudy, tokenizer: Any = None, max_lines: int = MAX_LINES) -> StudyTexts:
    """Count the texts of a study.

    Parameters
    ----------
    resolved
        The study. Several corpora of a language are one text, and so are its test sets; a set that several tasks share
        counts once.
    tokenizer
        A fast tokenizer; by default the base model's, which loads torch.
    max_lines
        Lines or sentences taken of each entry, spread evenly over it. A task's ``max_sentences`` is applied first.

    Returns
    -------
    StudyTexts

    Raises
    ------
    DataError
        A file is missing, malformed or empty.
    ModelError
        The base model has no fast tokenizer.
    ValueError
        ``max_lines`` is below 1.
    """
    if max_lines < 1:
        raise ValueError(f"max_lines={max_lines}; expected at least 1, such as {MAX_LINES}")
    tokenizer = load_tokenizer(resolved.model) if tokenizer is None else tokenizer
    test_sets = dict.fromkeys(
        (ref, task.max_sentences) for task in resolved.study.tasks for ref in resolved.targets[task.name]
    )
    transfers = [(ref.language, _text(ref, "train", None)) for ref in resolved.corpora]
    targets = [(ref.language, _text(ref, "test", limit)) for ref, limit in test_sets]
    return StudyTexts(*(_by_language(texts, tokenizer, max_lines) for texts in (transfers, targets)))


def count_text(lines: Sequence[str], tokenizer: Any) -> TextCounts:
    """Return the counts of one text."""
    stream = token_stream(lines, tokenizer)
    tokens, counts = np.unique(stream.astype(np.int64), return_counts=True)
    unknown = tokenizer.unk_token_id
    n_unknown = 0 if unknown is None else int(counts[tokens == unknown].sum())
    kept = ~np.isin(tokens, list(tokenizer.all_special_ids))
    return TextCounts(tokens[kept], counts[kept].astype(np.int64), Fingerprinter().of(lines).n_words, n_unknown)


def _text(ref: EntryRef, split: str, limit: int | None) -> list[str]:
    """Return the lines of a text; of a set of items their texts, each distinct one once.

    Several items share a premise or a paragraph, which is still one text.
    """
    if ref.reader.layout == "text":
        return read_lines(ref, split)
    return list(dict.fromkeys(text for item in read_examples(ref, split, limit) for text in _texts(item) if text))


def _texts(item: Example) -> tuple[str, ...]:
    """Return what a model reads of an item."""
    if isinstance(item, Labelled):
        return item.text, item.second or ""
    if isinstance(item, Question):
        return item.question, item.context
    return (" ".join(item.words),)


def _by_language(texts: Iterable[tuple[str, list[str]]], tokenizer: Any, max_lines: int) -> dict[str, TextCounts]:
    """Count the texts of each language together."""
    lines: dict[str, list[str]] = {}
    for language, text in texts:
        kept = min(max_lines, len(text))
        lines.setdefault(language, []).extend(text[place] for place in np.arange(kept) * len(text) // kept)
    return {language: count_text(text, tokenizer) for language, text in lines.items()}
