"""The concepts that every language of a world has a word or an ending for, and how often each is used.

A concept is a name such as ``noun-0012``; it has no form of its own (``inheritance`` gives one per language). Within a
word class the r-th concept has the weight 1/(r + offset): Zipf's law as Mandelbrot wrote it.

References
----------
Mandelbrot (1953), An informational theory of the statistical structure of language.
"""

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xltransfer.data.world.phonology import Shape

TOPICS = 8
TOPICAL = ("noun", "verb", "adj")

_WORD = Shape((0.0, 0.7, 0.3))
_SHORT = Shape((1.0, 0.0, 0.0), coda=1.3)
_NAME = Shape((0.0, 0.6, 0.4), coda=1.3)


@dataclass(frozen=True)
class WordClass:
    """A class of concepts that are used alike.

    Attributes
    ----------
    name
        First part of its concepts' names.
    upos
        Universal part of speech.
    size
        Share of the world's content lemmas, or a number of words if above 1.
    offset
        Zipf-Mandelbrot offset: the larger, the flatter the head.
    shape
        How its roots are built.
    """

    name: str
    upos: str
    size: float
    offset: float
    shape: Shape


CONTENT = (
    WordClass("noun", "NOUN", 0.40, 3.0, _WORD),
    WordClass("verb", "VERB", 0.22, 3.0, _WORD),
    WordClass("adj", "ADJ", 0.14, 3.0, _WORD),
    WordClass("adv", "ADV", 0.05, 1.0, _WORD),
    WordClass("given", "PROPN", 0.05, 3.0, _NAME),
    WordClass("surname", "PROPN", 0.05, 5.0, _NAME),
    WordClass("place", "PROPN", 0.05, 3.0, _NAME),
    WordClass("organisation", "PROPN", 0.04, 3.0, _NAME),
)
FUNCTION = (
    WordClass("geography", "PROPN", 8, 1.0, _WORD),  # River, Lake: second part of a place's name
    WordClass("institution", "PROPN", 8, 1.0, _WORD),  # Bank, Union: second part of an organisation's name
    WordClass("num", "NUM", 12, 1.0, _WORD),
    WordClass("pron", "PRON", 6, 0.0, _SHORT),  # 1sg 2sg 3sg 1pl 2pl 3pl
    WordClass("det", "DET", 5, 0.0, _SHORT),
    WordClass("adp", "ADP", 9, 0.5, _SHORT),
    WordClass("aux", "AUX", 4, 0.0, _SHORT),  # aux-0000 is the copula
    WordClass("cconj", "CCONJ", 3, 0.0, _SHORT),
    WordClass("sconj", "SCONJ", 6, 0.0, _SHORT),  # sconj-0000 introduces complements, sconj-0001 relative clauses
    WordClass("degree", "ADV", 4, 0.0, _SHORT),
    WordClass("negation", "PART", 1, 0.0, _SHORT),
)
ENDINGS = ("plural", "accusative", "genitive", "present", "past", "future", "1sg", "2sg", "1pl", "2pl", "3pl")
_ENDING = Shape((1.0, 0.0, 0.0), coda=1.5, onset=0.4)


@dataclass(frozen=True)
class Lexicon:
    """All concepts of a world.

    Attributes
    ----------
    concepts
        Names of lemmas, then of endings; the rows of every table of forms.
    lemmas
        How many of them are lemmas.
    shapes
        How the root of each is built.
    upos
        Part of speech of each lemma's concept.
    members
        Word class -> its concepts, the most frequent first.
    cumulative
        Word class -> cumulative probabilities in the same order.
    """

    concepts: tuple[str, ...]
    lemmas: int
    shapes: tuple[Shape, ...]
    upos: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]
    cumulative: Mapping[str, tuple[float, ...]]

    def pick(self, word_class: str, draw: float) -> int:
        """Return the rank (from 0) that a uniform ``draw`` in [0, 1) falls on."""
        return min(bisect(self.cumulative[word_class], draw), len(self.members[word_class]) - 1)


def make_lexicon(lemmas: int) -> Lexicon:
    """Return the lexicon with ``lemmas`` content lemmas, function words and endings."""
    concepts: list[str] = []
    shapes: list[Shape] = []
    upos: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    cumulative: dict[str, tuple[float, ...]] = {}
    for word_class in CONTENT + FUNCTION:
        size = int(word_class.size) if word_class.size >= 1 else max(1, round(word_class.size * lemmas))
        names = tuple(f"{word_class.name}-{rank:04d}" for rank in range(size))
        weights = 1.0 / (np.arange(1, size + 1) + word_class.offset)
        members[word_class.name] = names
        cumulative[word_class.name] = tuple(np.cumsum(weights / weights.sum()).tolist())
        upos.update(dict.fromkeys(names, word_class.upos))
        concepts += names
        shapes += [word_class.shape] * size
    count = len(concepts)
    concepts += [f"ending-{ending}" for ending in ENDINGS]
    shapes += [_ENDING] * len(ENDINGS)
    return Lexicon(tuple(concepts), count, tuple(shapes), upos, members, cumulative)
