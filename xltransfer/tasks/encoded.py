"""Items of one target as flat arrays, and their batches on the device, made once and scored many times."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xltransfer.data.sentence import Sentence
from xltransfer.data.tokenizer import encode_words, special_ids
from xltransfer.engine import Backbone
from xltransfer.engine.batches import OVERHEAD, Ragged, plan_batches
from xltransfer.errors import DataError, near_match


@dataclass(frozen=True)
class Encoded:
    """Items ready to be scored or trained on.

    Attributes
    ----------
    name
        The entry, for messages.
    items, clusters
        Identity of every item, and what it is not independent of.
    kept
        Number of each row's item, ascending: the items that fit into the length limit. The rows of everything below. A
        question whose paragraph is read in windows has a row a window.
    tokens
        Subword ids with the special tokens.
    word_starts
        Position of each word's first subword, closed by the position behind the last word. A row with one label for all
        of it has one word, which is its first token.
    gold
        Label numbers by layer, one a word (`ignored` where there is none).
    sentences
        The sentences themselves, for writing predictions; empty where they are not words.
    pad
        Id of the padding token.
    token_types
        Type of each token, for a base model that tells two texts of a row apart; None where a row is one text.
    """

    name: str
    items: tuple[str, ...]
    clusters: tuple[str, ...]
    kept: NDArray[np.int64]
    tokens: Ragged
    word_starts: Ragged
    gold: Mapping[str, Ragged]
    sentences: tuple[Sentence, ...]
    pad: int
    token_types: Ragged | None = None

    @property
    def n_scored(self) -> int:
        """Items with at least one row."""
        return len(np.unique(self.kept))

    def plan(self, token_budget: int, overhead: int = OVERHEAD) -> list[NDArray[np.int64]]:
        """Return the batches of rows, see `plan_batches`."""
        return plan_batches(self.tokens.lengths, token_budget, overhead)

    def words(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the item number of every word of ``rows``."""
        return np.repeat(self.kept[rows], self.word_starts.lengths[rows] - 1)


@dataclass(frozen=True)
class Batch:
    """One padded batch on the device.

    Attributes
    ----------
    rows
        Rows of `Encoded`, on the CPU.
    input_ids, attention_mask
        [batch, token]; no mask where all rows are equally long.
    word_starts
        [batch, word + 1], padded with -1.
    positions
        [word]: flat position of each word's first subword, sentence after sentence.
    word
        [word]: flat position of each word in [batch, word].
    gold
        [word] label numbers by layer.
    token_types
        [batch, token], or None where rows are one text each.
    """

    rows: NDArray[np.int64]
    input_ids: Tensor
    attention_mask: Tensor | None
    word_starts: Tensor
    positions: Tensor
    word: Tensor
    gold: Mapping[str, Tensor]
    token_types: Tensor | None = None


IGNORED = -100
"""Label number of a word without a gold label; the value that cross entropy passes over."""


def encode_sentences(
    name: str,
    sentences: Sequence[Sentence],
    tokenizer: object,
    max_length: int,
    layers: Mapping[str, Callable[[Sentence], Sequence[int]]],
) -> Encoded:
    """Tokenise sentences and number their labels.

    A sentence of more than ``max_length`` subword positions, special tokens included, stays an item and is not scored.

    Raises
    ------
    DataError
        When no sentence fits.
    """
    pieces = encode_words(tokenizer, [sentence.words for sentence in sentences])
    special = special_ids(tokenizer)
    lengths = pieces.sentence_lengths() + 2
    kept = np.flatnonzero(lengths <= max_length)
    if len(kept) == 0:
        raise DataError(f"{name}: none of {len(sentences)} sentences fits into max_length={max_length} subwords")
    subwords = Ragged.from_lengths(pieces.ids, lengths - 2)
    words = Ragged.from_lengths(pieces.word_lengths, pieces.words_per_sentence)
    tokens, starts = [], []
    for row in kept:
        own = subwords.values[subwords.offsets[row] : subwords.offsets[row + 1]]
        tokens.append(np.concatenate(([special.start], own, [special.end])))
        word_lengths = words.values[words.offsets[row] : words.offsets[row + 1]]
        starts.append(1 + np.concatenate(([0], np.cumsum(word_lengths))))
    return Encoded(
        name=name,
        items=tuple(sentence.id for sentence in sentences),
        clusters=tuple(sentence.cluster for sentence in sentences),
        kept=kept,
        tokens=ragged(tokens),
        word_starts=ragged(starts),
        gold={layer: ragged([number(sentences[int(row)]) for row in kept]) for layer, number in layers.items()},
        sentences=tuple(sentences),
        pad=special.pad,
    )


def ragged(rows: Sequence[Sequence[int] | NDArray[np.integer]]) -> Ragged:
    """Return rows of numbers as one flat array."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    return Ragged.from_lengths(np.concatenate([np.asarray(row, dtype=np.int64) for row in rows]), lengths)


def numbered(name: str, values: Sequence[str], index: Mapping[str, int], what: str) -> list[int]:
    """Return the label numbers of ``values``; ``_`` means that there is none.

    Raises
    ------
    DataError
        For a value that is no label, with the near match.
    """
    unknown = next((value for value in values if value not in index and value != "_"), None)
    if unknown is not None:
        raise DataError(f"{name}: {what} {unknown!r} is not among the task's labels{near_match(unknown, index)}")
    return [index.get(value, IGNORED) for value in values]


def token_types_for(model: Backbone, batch: Batch) -> Tensor | None:
    """Return the batch's token types where the base model tells types apart, else None."""
    types = getattr(model.encoder.config, "type_vocab_size", None) or 0
    return batch.token_types if model.site.token_types and int(types) > 1 else None


def make_batch(encoded: Encoded, rows: NDArray[np.int64], device: torch.device) -> Batch:
    """Pad ``rows`` and put them on the device."""
    ids = encoded.tokens.padded(rows, encoded.pad)
    lengths = encoded.tokens.lengths[rows]
    equal = bool((lengths == ids.shape[1]).all())
    starts = encoded.word_starts.padded(rows, -1)
    n_words = encoded.word_starts.lengths[rows] - 1
    inside = np.arange(starts.shape[1] - 1) < n_words[:, None]
    positions = (starts[:, :-1] + np.arange(len(rows))[:, None] * ids.shape[1])[inside]

    def on_device(array: NDArray[np.integer]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64)).to(device)

    return Batch(
        rows=rows,
        input_ids=on_device(ids),
        attention_mask=None if equal else on_device((np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)),
        word_starts=on_device(starts),
        positions=on_device(positions),
        word=on_device(np.flatnonzero(inside)),
        gold={layer: on_device(values.flat(rows)) for layer, values in encoded.gold.items()},
        token_types=None if encoded.token_types is None else on_device(encoded.token_types.padded(rows, 0)),
    )
