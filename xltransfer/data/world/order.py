"""Word-order parameters, and where a dependent stands relative to its head.

A language's order is one truth value a parameter: whether the dependent comes before its head. How near a dependent
stands, given its side, is the same in all languages (``CLOSENESS``): a determiner stands outside an adjective, an
adposition outside the whole noun phrase. The parameters follow the usual typological pairs (Dryer's, in WALS 81-97).

References
----------
Dryer & Haspelmath (2013), The World Atlas of Language Structures Online, chapters 81-97.
"""

from collections.abc import Mapping

from xltransfer.randomness import stream

PROTO_ORDER: Mapping[str, bool] = {
    "subject_verb": True,
    "object_verb": False,
    "oblique_verb": False,
    "adverb_verb": True,
    "auxiliary_verb": True,
    "adposition_noun": True,
    "adjective_noun": True,
    "genitive_noun": False,
    "determiner_noun": True,
    "numeral_noun": True,
    "relative_noun": False,
    "marker_clause": True,
    "adverbial_clause": False,
}  # parameter -> whether the dependent comes first, in the common ancestor

PARAMETER: Mapping[str, str] = {
    "nsubj": "subject_verb",
    "obj": "object_verb",
    "ccomp": "object_verb",
    "obl": "oblique_verb",
    "advmod": "adverb_verb",
    "aux": "auxiliary_verb",
    "cop": "auxiliary_verb",
    "case": "adposition_noun",
    "amod": "adjective_noun",
    "nmod": "genitive_noun",
    "det": "determiner_noun",
    "nummod": "numeral_noun",
    "acl": "relative_noun",
    "mark": "marker_clause",
    "advcl": "adverbial_clause",
}  # relation -> the parameter that decides its side

FIXED: Mapping[str, bool] = {"flat": False, "appos": False, "conj": False, "cc": True}  # the same in every language

CLOSENESS: Mapping[str, int] = {
    relation: rank
    for rank, relation in enumerate(
        "flat amod nummod nmod appos acl det aux cop advmod obj ccomp obl nsubj advcl conj mark case cc punct".split()
    )
}  # relation -> 0 nearest to the head

Placement = Mapping[str, bool]  # relation -> whether the dependent comes first


def placement(order: Mapping[str, bool]) -> Placement:
    """Return the side of every relation but ``punct``, whose side hangs on its head's (see ``realise``)."""
    return {**FIXED, **{relation: order[parameter] for relation, parameter in PARAMETER.items()}}


def flipped(seed: int, branch: str, chance: float, order: Mapping[str, bool]) -> dict[str, bool]:
    """Return ``order`` after a branch on which each parameter flips with probability ``chance``."""
    return {
        parameter: first != (float(stream(seed, "order", branch, parameter).random()) < chance)
        for parameter, first in order.items()
    }
