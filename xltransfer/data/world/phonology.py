"""Phonemes, how a family likes to combine them, and the coining of new roots.

A form is a row of phoneme numbers, left-justified and padded with ``PAD``. The inventory has 26 phonemes, so that each
of the two scripts writes one letter for one phoneme. What happens to forms later stands in ``sound``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xltransfer.randomness import stream

CONSONANTS = "pbtdkgfvszxqhmnlrjwc"  # x: as in ship, q: as in loch, c: as in cats
VOWELS = "aeiouy"
PHONEMES = CONSONANTS + VOWELS
NUMBER = {phoneme: number for number, phoneme in enumerate(PHONEMES)}
CODAS = "nrlsmkt"
PAD = -1
LONGEST = 9  # segments: three syllables of consonant, vowel, consonant

Forms = NDArray[np.int8]  # [item, segment]


@dataclass(frozen=True)
class Shape:
    """How roots of one kind are built.

    Attributes
    ----------
    syllables
        Probability of one, two and three syllables.
    coda
        Factor on the family's probability that a syllable ends in a consonant.
    onset
        Probability that the first syllable begins with a consonant.
    """

    syllables: tuple[float, float, float]
    coda: float = 1.0
    onset: float = 1.0


@dataclass(frozen=True)
class Phonotactics:
    """A family's taste: weights of onsets, vowels and codas, and how often a syllable is closed."""

    onsets: NDArray[np.float64]
    vowels: NDArray[np.float64]
    codas: NDArray[np.float64]
    closed: float


def phonotactics(seed: int, family: str) -> Phonotactics:
    """Return the taste of a family (empty name: of the common ancestor)."""
    rng = stream(seed, "phonotactics", family)
    return Phonotactics(
        onsets=rng.dirichlet(np.full(len(CONSONANTS), 3.0)),
        vowels=rng.dirichlet(np.full(len(VOWELS), 5.0)),
        codas=rng.dirichlet(np.full(len(CODAS), 2.0)),
        closed=float(rng.uniform(0.15, 0.45)),
    )


def coin(rng: np.random.Generator, taste: Phonotactics, shapes: list[Shape]) -> Forms:
    """Coin one new form for each shape, no two alike.

    Returns
    -------
    Forms
        [len(shapes), LONGEST] phoneme numbers.
    """
    forms = _draw(rng, taste, shapes)
    while True:
        _, first, of = np.unique(forms, axis=0, return_index=True, return_inverse=True)
        again = np.flatnonzero(first[of.reshape(-1)] != np.arange(len(forms)))
        if not len(again):
            return forms
        forms[again] = _draw(rng, taste, [shapes[i] for i in again])


def _draw(rng: np.random.Generator, taste: Phonotactics, shapes: list[Shape]) -> Forms:
    """Draw forms that may coincide."""
    count = len(shapes)
    codas = np.array([NUMBER[c] for c in CODAS])
    segments = np.empty((count, 3, 3), dtype=np.int8)  # [item, syllable, (onset, vowel, coda)]
    segments[:, :, 0] = rng.choice(len(CONSONANTS), (count, 3), p=taste.onsets)
    segments[:, :, 1] = len(CONSONANTS) + rng.choice(len(VOWELS), (count, 3), p=taste.vowels)
    segments[:, :, 2] = codas[rng.choice(len(CODAS), (count, 3), p=taste.codas)]
    steps = np.cumsum([shape.syllables for shape in shapes], axis=1)
    length = 1 + (rng.random(count)[:, None] > steps[:, :2]).sum(axis=1)
    present = np.repeat((np.arange(3) < length[:, None])[:, :, None], 3, axis=2)
    present[:, :, 2] &= rng.random((count, 3)) < taste.closed * np.array([shape.coda for shape in shapes])[:, None]
    present[:, 0, 0] &= rng.random(count) < np.array([shape.onset for shape in shapes])
    return _pack(segments.reshape(count, LONGEST), present.reshape(count, LONGEST))


def _pack(segments: Forms, present: NDArray[np.bool_]) -> Forms:
    """Shift the present segments to the left and pad."""
    order = np.argsort(~present, axis=1, kind="stable")
    packed = np.take_along_axis(segments, order, axis=1)
    packed[~np.take_along_axis(present, order, axis=1)] = PAD
    return packed


def spell_phonemes(form: Forms) -> str:
    """Return one form in the common transcription, one letter a phoneme."""
    return "".join(PHONEMES[number] for number in form if number != PAD)


def read_phonemes(words: list[str]) -> Forms:
    """Return forms from their transcription; the inverse of ``spell_phonemes``."""
    forms = np.full((len(words), max(LONGEST, *map(len, words))), PAD, dtype=np.int8)
    for row, word in zip(forms, words, strict=True):
        row[: len(word)] = [NUMBER[phoneme] for phoneme in word]
    return forms
