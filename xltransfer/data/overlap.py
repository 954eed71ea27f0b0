"""Which sentences of a test set also stand in another text, exactly or by long shared stretches.

Two views of each text are compared. *Exact*: the sentence without any white space and without case, so that a tokenised
treebank and raw text of the same sentence agree. *Contained*: more than half of a sentence's word 8-grams occur in the
other text; words are here runs of letters, digits and marks without case, punctuation parts them and each character of
a script without spaces is a word of its own. A sentence of fewer than 8 such words has no 8-gram and can only match
exactly. Multiword tokens that a treebank splits (French *du* as *de le*) differ from raw text in both views.

A :class:`Fingerprinter` gives equal numbers to equal strings; texts are compared only if one fingerprinter made them.
"""

import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

N_GRAM = 8
CONTAINED_ABOVE = 0.5
"""Share of a sentence's 8-grams that must be exceeded."""

_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x9FFF),
    (0x20000, 0x2FFFF),
)
"""Thai and Lao, Burmese, Khmer, kana, and Han ideographs."""


@dataclass(frozen=True)
class Fingerprint:
    """A text as numbers.

    Attributes
    ----------
    exact
        int64 [sentence]: one number per distinct sentence.
    grams
        uint64 [gram]: hashes of the 8-grams of all sentences in order, each once per sentence.
    owner
        int64 [gram]: the sentence of each 8-gram.
    n_words
        Words of all sentences, as 8-grams count them.
    """

    exact: NDArray[np.int64]
    grams: NDArray[np.uint64]
    owner: NDArray[np.int64]
    n_words: int

    def __len__(self) -> int:
        return len(self.exact)


@dataclass(frozen=True)
class Overlap:
    """Per sentence of a test set: whether it stands in the other text.

    Attributes
    ----------
    exact, contained
        bool [sentence]; ``contained`` is False for sentences of fewer than 8 words.
    """

    exact: NDArray[np.bool_]
    contained: NDArray[np.bool_]

    @property
    def either(self) -> NDArray[np.bool_]:
        """Exact or contained, bool [sentence]."""
        return self.exact | self.contained


@dataclass(frozen=True)
class Fingerprinter:
    """Numbers strings in order of first use, the same for all texts that it is given."""

    sentences: dict[str, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)

    def of(self, sentences: Iterable[str]) -> Fingerprint:
        """Return the fingerprint of a text, one string a sentence (words of a treebank joined by spaces)."""
        folded = [sentence.casefold() for sentence in sentences]
        numbers = self.sentences
        exact = [numbers.setdefault("".join(sentence.split()), len(numbers)) for sentence in folded]
        table = _word_table()
        vocabulary = self.words
        words: list[int] = []
        lengths: list[int] = []
        for sentence in folded:
            before = len(words)
            words.extend([vocabulary.setdefault(word, len(vocabulary)) for word in sentence.translate(table).split()])
            lengths.append(len(words) - before)
        grams, owner = _grams(np.asarray(words, dtype=np.uint64), np.asarray(lengths, dtype=np.int64))
        return Fingerprint(np.asarray(exact, dtype=np.int64), grams, owner, len(words))


def overlap(test: Fingerprint, other: Fingerprint) -> Overlap:
    """Return which sentences of ``test`` stand in ``other``."""
    found = np.isin(test.grams, other.grams)
    hits = np.bincount(test.owner[found], minlength=len(test))
    total = np.bincount(test.owner, minlength=len(test))
    return Overlap(np.isin(test.exact, other.exact), hits > CONTAINED_ABOVE * total)


class OverlapIndex:
    """Many test sets, against which one other text after the other is held; as :func:`overlap`, once sorted.

    Parameters
    ----------
    tests
        Test sets by name, all of one fingerprinter.
    """

    def __init__(self, tests: Mapping[str, Fingerprint]) -> None:
        parts = list(tests.values())
        sizes = np.cumsum([0, *(len(part) for part in parts)])
        starts = sizes.tolist()
        self._parts = {name: slice(a, b) for name, a, b in zip(tests, starts, starts[1:], strict=False)}
        self._size = starts[-1]
        self._exact = np.concatenate([np.empty(0, np.int64), *(part.exact for part in parts)])
        grams = np.concatenate([np.empty(0, np.uint64), *(part.grams for part in parts)])
        self._owner = np.concatenate(
            [np.empty(0, np.int64), *(part.owner + start for part, start in zip(parts, starts, strict=False))]
        )
        self._total = np.bincount(self._owner, minlength=self._size)
        self._grams, self._which = np.unique(grams, return_inverse=True)

    def against(self, other: Fingerprint) -> dict[str, Overlap]:
        """Return for every test set which of its sentences stand in ``other``."""
        known = np.zeros(len(self._grams) + 1, dtype=np.bool_)
        theirs = np.unique(other.grams)
        place = np.searchsorted(self._grams, theirs)
        met = np.append(self._grams, np.uint64(0))[place] == theirs
        known[place[met & (place < len(self._grams))]] = True
        hits = np.bincount(self._owner[known[self._which]], minlength=self._size)
        exact = np.isin(self._exact, other.exact)
        contained = hits > CONTAINED_ABOVE * self._total
        return {name: Overlap(exact[part], contained[part]) for name, part in self._parts.items()}


def _grams(words: NDArray[np.uint64], lengths: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of all 8-grams inside sentences, and their sentences; one flat pass over all of them."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    n_grams = max(words.size - N_GRAM + 1, 0)
    inside = owner[:n_grams] == owner[N_GRAM - 1 :][:n_grams]
    mixed = _mix(words)
    hashes = np.zeros(n_grams, dtype=np.uint64)
    for place in range(N_GRAM):  # Horner in an odd base, modulo 2**64; words are mixed, so equal sums are chance only
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + mixed[place : place + n_grams]
    owner, hashes = owner[:n_grams][inside], hashes[inside]
    order = np.lexsort((hashes, owner))
    owner, hashes = owner[order], hashes[order]
    first = np.ones(len(hashes), dtype=np.bool_)
    first[1:] = (hashes[1:] != hashes[:-1]) | (owner[1:] != owner[:-1])
    return hashes[first], owner[first]


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): spreads small integers over 64 bits, one to one."""
    z = numbers + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


@cache
def _word_table() -> dict[int, str]:
    """What parts words: punctuation and symbols become spaces, letters of unspaced scripts get spaces around them."""
    apart = {code: " " for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] in "PS"}
    for first, last in _UNSPACED:
        letters = (code for code in range(first, last + 1) if unicodedata.category(chr(code))[0] == "L")
        apart.update({code: f" {chr(code)} " for code in letters})
    return apart
