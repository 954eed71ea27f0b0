"""Regular sound change: a catalogue of natural changes, each of which a branch adopts or not.

A change replaces a segment by another wherever its context holds, in every form of the language at once, and so keeps
the number of segments: forms of one root stay aligned segment by segment, and the true distance is a Hamming distance
(``distances``). Changes work on stems and endings, not on inflected words: stem alternations are levelled at once. No
deletion and no insertion, knowingly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xltransfer.data.world.phonology import CONSONANTS, NUMBER, PAD, Forms
from xltransfer.randomness import stream

FRONT = "eiy"


@dataclass(frozen=True)
class SoundChange:
    """One change, applied to all its pairs at once.

    Attributes
    ----------
    pairs
        Pairs such as ``"pf kq"`` in the common transcription: each first letter becomes the second.
    context
        "" everywhere, "V_V" between vowels, "_front" before e, i and y, "#_" initially, "_#" finally.
    """

    pairs: str
    context: str = ""

    @property
    def name(self) -> str:
        """The change's name, which is also that of its random stream."""
        return f"{self.pairs}/{self.context}"


# Pairs by context. Consonants: shifts, lenition, fortition, palatalisation; vowels: chain shifts, raising, lowering.
_CHANGES = {
    "": (
        "pf kq; bp dt gk; bv gq; cs xc; cx zx; xs qx; qh hq; hf; vb wv; jx; rl lr; "
        "ao ou uy; ei ie; ae eo; oa ao; yi iy; uo ou; ya; ye"
    ),
    "V_V": "pb tc; tz dz; kg fv; sz xz; zr sr; nl",
    "_front": "kc gj; tc ds; sx zj",
    "#_": "bp vf; dt zs; gk qk; pw fh; sh; wg; jz; ai; eo",
    "_#": "lw; mn nm; tk kt; ei ou; ae yu; ie uo",
}
CATALOGUE = tuple(SoundChange(pairs, context) for context, all_ in _CHANGES.items() for pairs in all_.split("; "))


def adopted(seed: int, branch: str, chance: float) -> tuple[SoundChange, ...]:
    """Return the changes that a branch adopts, in their order.

    Each change has one uniform draw per branch and is adopted if it lies below ``chance``; the smallest draw comes
    first, so that a higher chance adds changes behind those of a lower one.
    """
    draws = [(float(stream(seed, "sound", branch, change.name).random()), change) for change in CATALOGUE]
    return tuple(change for draw, change in sorted(draws, key=lambda pair: pair[0]) if draw < chance)


def apply(changes: Sequence[SoundChange], forms: Forms) -> Forms:
    """Return ``forms`` [item, segment] after the ordered ``changes``; lengths stay."""
    for change in changes:
        forms = _apply_one(change, forms)
    return forms


def _apply_one(change: SoundChange, forms: Forms) -> Forms:
    """Apply one change to every form."""
    becomes = np.arange(len(NUMBER) + 1, dtype=np.int8)
    becomes[PAD] = PAD  # the last entry, which index -1 reaches
    for pair in change.pairs.split():
        becomes[NUMBER[pair[0]]] = NUMBER[pair[1]]
    return np.where(_holds(change.context, forms), becomes[forms], forms)


def _holds(context: str, forms: Forms) -> NDArray[np.bool_]:
    """Return where in ``forms`` a context holds."""
    if context == "":
        return np.ones(forms.shape, dtype=np.bool_)
    edge = np.full((len(forms), 1), PAD, dtype=np.int8)
    previous: Forms = np.hstack([edge, forms[:, :-1]])
    following: Forms = np.hstack([forms[:, 1:], edge])
    if context == "V_V":
        return np.logical_and(previous >= len(CONSONANTS), following >= len(CONSONANTS))
    if context == "_front":
        return np.isin(following, [NUMBER[vowel] for vowel in FRONT])
    return np.equal(previous if context == "#_" else following, PAD)
