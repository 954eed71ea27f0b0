"""Loading a tokenizer, and words or texts turned into arrays of subword ids.

Everything here is without special tokens; who builds a model's input adds them by :func:`special_ids`. The arrays are
flat (one for the ids of all sentences), because a batch planner and a GPU want them so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from logging import ERROR
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xltransfer.errors import ModelError

_CHUNK = 4096  # sentences handed to the Rust tokenizer at once: bounds the memory of its Encoding objects


class SpecialIds(NamedTuple):
    """Ids of the special tokens; ``unknown`` and ``mask`` are None where the tokenizer has no such token."""

    start: int
    end: int
    pad: int
    mask: int | None
    unknown: int | None


@dataclass(frozen=True)
class WordPieces:
    """The subwords of many tokenised sentences, flat.

    Attributes
    ----------
    ids
        int32 [subword]: subword ids of all words of all sentences in order, no special tokens.
    word_lengths
        int32 [word]: subwords of every word, at least 1.
    words_per_sentence
        int32 [sentence].
    blank_words
        Words that the tokenizer turned into nothing; each is held as one unknown token.
    """

    ids: NDArray[np.int32]
    word_lengths: NDArray[np.int32]
    words_per_sentence: NDArray[np.int32]
    blank_words: int

    def sentence_lengths(self) -> NDArray[np.int64]:
        """Subwords of every sentence, int64 [sentence]; 0 for a sentence without words."""
        total = np.concatenate([[0], np.cumsum(self.word_lengths, dtype=np.int64)])
        ends = np.cumsum(self.words_per_sentence, dtype=np.int64)
        return np.asarray(total[ends] - total[ends - self.words_per_sentence], dtype=np.int64)


def load_tokenizer(folder_or_hub_id: str) -> Any:
    """Load a fast tokenizer, quietly.

    A byte-level BPE that would read a word at the start of a pre-tokenised unit differently from one behind a space is
    switched to put the space there, so that every word is read as inside a text.

    Raises
    ------
    ModelError
        If there is none at this place, or only a slow (pure Python) one.
    """
    from transformers import AutoTokenizer
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(ERROR)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder_or_hub_id)
    except (OSError, ValueError, KeyError) as err:
        first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise ModelError(
            f"no tokenizer at {folder_or_hub_id!r} ({first}); give a folder with tokenizer.json, or a hub id that is "
            "in the local cache or can be downloaded"
        ) from err
    finally:
        logging.set_verbosity(verbosity)
    if not getattr(tokenizer, "is_fast", False):
        kind = type(tokenizer).__name__
        raise ModelError(f"the tokenizer at {folder_or_hub_id!r} is {kind}, not a fast one; save a tokenizer.json")
    _put_space_before_words(tokenizer.backend_tokenizer)
    return tokenizer


def _put_space_before_words(backend: Any) -> None:
    """Set ``add_prefix_space`` on a byte-level pre-tokenizer, alone or inside a sequence."""
    from tokenizers.pre_tokenizers import ByteLevel, Sequence

    step: Any = backend.pre_tokenizer
    several = isinstance(step, Sequence)
    for part in list(step) if several else [step]:
        if isinstance(part, ByteLevel) and not part.add_prefix_space:
            part.add_prefix_space = True


def special_ids(tokenizer: Any) -> SpecialIds:
    """Return the ids of start (``cls`` or ``bos``), end (``sep`` or ``eos``), pad, mask and unknown.

    Raises
    ------
    ModelError
        If the tokenizer lacks a start, end or pad token.
    """
    start = _first(tokenizer.cls_token_id, tokenizer.bos_token_id)
    end = _first(tokenizer.sep_token_id, tokenizer.eos_token_id)
    pad = tokenizer.pad_token_id
    if start is None or end is None or pad is None:
        missing = [name for name, value in (("start", start), ("end", end), ("pad", pad)) if value is None]
        raise ModelError(
            f"the tokenizer {tokenizer.name_or_path!r} has no {' and no '.join(missing)} token; use an encoder's "
            "tokenizer (cls/sep or bos/eos, and pad)"
        )
    return SpecialIds(start, end, pad, tokenizer.mask_token_id, tokenizer.unk_token_id)


def _first(*ids: int | None) -> int | None:
    """The first id that is there (0 is one)."""
    return next((value for value in ids if value is not None), None)


def encode_words(tokenizer: Any, sentences_words: Sequence[Sequence[str]]) -> WordPieces:
    """Split the words of every sentence into subwords.

    Parameters
    ----------
    tokenizer
        A fast tokenizer as :func:`load_tokenizer` gives it.
    sentences_words
        The words of every sentence.

    Returns
    -------
    WordPieces
        Without truncation and without special tokens.

    Raises
    ------
    ModelError
        If a word yields no subword and the tokenizer has no unknown token to stand for it.
    """
    per_sentence = np.fromiter((len(words) for words in sentences_words), dtype=np.int32, count=len(sentences_words))
    first_word = np.concatenate([[0], np.cumsum(per_sentence, dtype=np.int64)])
    backend = untruncated(tokenizer)
    ids: list[int] = []
    owners: list[int] = []
    for start in range(0, len(sentences_words), _CHUNK):
        chunk = [list(words) for words in sentences_words[start : start + _CHUNK]]
        encoded = backend.encode_batch(chunk, is_pretokenized=True, add_special_tokens=False)
        for offset, encoding in zip(first_word[start:].tolist(), encoded, strict=False):
            ids.extend(encoding.ids)
            owners.extend([offset + word for word in encoding.word_ids])
    lengths = np.bincount(np.asarray(owners, dtype=np.int64), minlength=int(first_word[-1])).astype(np.int32)
    return _with_unknown_for_blank(tokenizer, np.asarray(ids, dtype=np.int32), lengths, per_sentence)


def _with_unknown_for_blank(
    tokenizer: Any, ids: NDArray[np.int32], lengths: NDArray[np.int32], per_sentence: NDArray[np.int32]
) -> WordPieces:
    """Give every word of length 0 one unknown token."""
    blank = np.flatnonzero(lengths == 0)
    if blank.size:
        unknown = tokenizer.unk_token_id
        if unknown is None:
            raise ModelError(
                f"{blank.size} words yield no subword and the tokenizer {tokenizer.name_or_path!r} has no unknown "
                "token; add one to its special tokens"
            )
        before = (np.cumsum(lengths, dtype=np.int64) - lengths)[blank]
        ids = np.insert(ids, before, unknown).astype(np.int32)
        lengths = np.maximum(lengths, 1).astype(np.int32)
    return WordPieces(ids, lengths, per_sentence, int(blank.size))


def token_ids(tokenizer: Any, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return the subword ids of each text, without special tokens."""
    encoded = untruncated(tokenizer).encode_batch_fast(list(texts), add_special_tokens=False)
    return [np.asarray(each.ids, dtype=np.int64) for each in encoded]


def token_offsets(tokenizer: Any, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return ids [subword] and characters [subword, 2] (first, and behind the last) of each text; equal texts once."""
    distinct = list(dict.fromkeys(texts))
    encoded = untruncated(tokenizer).encode_batch(distinct, add_special_tokens=False)
    found = {
        text: (np.asarray(each.ids, dtype=np.int64), np.asarray(each.offsets, dtype=np.int64).reshape(-1, 2))
        for text, each in zip(distinct, encoded, strict=True)
    }
    return [found[text] for text in texts]


def untruncated(tokenizer: Any) -> Any:
    """Return the Rust tokenizer with the truncation and padding off that a call of the Python one may have left on."""
    backend = tokenizer.backend_tokenizer
    if backend.truncation is not None:
        backend.no_truncation()
    if backend.padding is not None:
        backend.no_padding()
    return backend
