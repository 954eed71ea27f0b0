"""Meanings: abstract trees without order or forms, which every language of a world realises.

A meaning is a value; ``dataclasses.replace`` makes another one from it (a negated clause, a more general noun), which
is how tasks over pairs of sentences can be built on the same grammar.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A word of the abstract tree with its dependents.

    Attributes
    ----------
    concept
        Name in the lexicon, or ``=`` and the form itself for what all languages write alike (digits, punctuation).
    upos, relation
        Universal part of speech, and relation to the head (``root`` at the top).
    features
        Universal features in CoNLL-U's writing, sorted, empty for none; they choose the endings.
    entity
        PER, ORG or LOC for every word of a name, else empty; the dependents ``flat`` continue their head's name.
    children
        Dependents, in no meaningful order.
    """

    concept: str
    upos: str
    relation: str
    features: str = ""
    entity: str = ""
    children: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """Yield this node and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Meaning:
    """A sentence's meaning, with its id and that of its document."""

    id: str
    document: str
    root: Node
