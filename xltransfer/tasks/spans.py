"""Spans of a tag sequence, by the chunk rules of CoNLL-2000's evaluation as seqeval applies them, vectorised.

A tag is a prefix (its first character) and a type (the rest, behind a hyphen if there is one). The published POS scores
are span F1 over part-of-speech tags read in just this way: ``NOUN`` is prefix ``N`` and type ``OUN``, so neighbouring
equal tags are one span, and tags that begin with ``S`` stand alone. Source of the rules: seqeval 1.2.2, default mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TagSystem:
    """Tags split into prefix and type, each as a number by tag; the last row is the boundary ``O``."""

    prefix: NDArray[np.int64]
    kind: NDArray[np.int64]
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, tags: Sequence[str]) -> "TagSystem":
        """Read prefix and type off each tag."""
        names = [tag[1:].split("-", maxsplit=1)[-1] or "_" for tag in (*tags, "O")]
        kinds = tuple(dict.fromkeys(names))
        prefix = np.array([ord(tag[0]) for tag in (*tags, "O")], dtype=np.int64)
        return cls(prefix, np.array([kinds.index(name) for name in names], dtype=np.int64), kinds)


@dataclass(frozen=True)
class Spans:
    """Spans as numbers: type, first and last flat position, and one key that is equal for equal spans."""

    kind: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    key: NDArray[np.int64]


def find_spans(tags: NDArray[np.integer], sentence: NDArray[np.integer], system: TagSystem) -> Spans:
    """Return the spans of flat ``tags`` [word]; ``sentence`` [word] changes where a new sentence begins."""
    n = len(tags)
    empty = np.empty(0, dtype=np.int64)
    if n == 0:
        return Spans(empty, empty, empty, empty)
    # One boundary tag goes behind each sentence, as seqeval does.
    shift = np.concatenate(([0], np.cumsum(sentence[1:] != sentence[:-1])))
    padded = np.full(n + int(shift[-1]) + 1, len(system.prefix) - 1, dtype=np.int64)
    padded[np.arange(n) + shift] = tags
    original = np.zeros(len(padded), dtype=np.int64)
    original[np.arange(n) + shift] = np.arange(n)
    prefix, kind = system.prefix[padded], system.kind[padded]
    outside = len(system.prefix) - 1
    before = np.concatenate(([outside], padded[:-1]))
    last_prefix, last_kind = system.prefix[before], system.kind[before]
    ends, starts = _chunk_edges(last_prefix, prefix, last_kind != kind)
    position = np.arange(len(padded))
    # A span opened at i can end at i + 1 at the earliest: what counts is the last start before.
    opened = np.maximum.accumulate(np.where(starts, position, 0))
    opened = np.concatenate(([0], opened[:-1]))
    at = np.flatnonzero(ends)
    begin, end, kinds = original[opened[at]], original[at - 1], last_kind[at]
    key = (begin * n + end) * len(system.kinds) + kinds
    return Spans(kinds, begin, end, key)


def _chunk_edges(
    last: NDArray[np.int64], this: NDArray[np.int64], other_kind: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    b, e, i, o, s, dot = (ord(letter) for letter in "BEIOS.")
    ends = np.isin(last, (e, s))
    ends |= np.isin(last, (b, i)) & np.isin(this, (b, s, o))
    ends |= ~np.isin(last, (o, dot)) & other_kind
    starts = np.isin(this, (b, s))
    starts |= np.isin(last, (e, s, o)) & np.isin(this, (e, i))
    starts |= ~np.isin(this, (o, dot)) & other_kind
    return ends, starts


def match(gold: Spans, predicted: Spans) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which gold spans were found, and which predicted spans are right."""
    return np.isin(gold.key, predicted.key), np.isin(predicted.key, gold.key)
