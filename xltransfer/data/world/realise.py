"""From a meaning to a sentence of one language: endings, word order, spelling, and the annotation that goes with them.

A head's block is its dependents' blocks around it, so every tree is projective. Endings are agglutinative: stem, then
number and case on nouns, case on pronouns, tense and agreement on verbs and auxiliaries.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xltransfer.data.sentence import Sentence
from xltransfer.data.world.inheritance import Heritage
from xltransfer.data.world.lexicon import Lexicon
from xltransfer.data.world.meaning import Meaning, Node
from xltransfer.data.world.order import CLOSENESS, Placement, placement
from xltransfer.data.world.scripts import SCRIPTS

NOUN_ENDINGS = {"Number=Plur": "plural", "Case=Acc": "accusative", "Case=Gen": "genitive"}
TENSE_ENDINGS = {"Tense=Pres": "present", "Tense=Past": "past", "Tense=Fut": "future"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a sentence, as a row of CoNLL-U has it, with its IOB2 tag.

    Attributes
    ----------
    head
        0 for the root, else the 1-based number of the head.
    entity
        IOB2 tag.
    """

    form: str
    lemma: str
    upos: str
    features: str
    head: int
    relation: str
    entity: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """A meaning in a language."""

    id: str
    document: str
    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """Running text: spaces between words, none before punctuation."""
        return "".join(("" if t.upos == "PUNCT" else " ") + t.form for t in self.tokens).lstrip()

    def span(self, entity: str) -> tuple[int, int] | None:
        """Return the characters of `text`, first and behind the last, of the words marked as ``entity``, if any are."""
        at, found = 0, []
        for number, token in enumerate(self.tokens):
            start = at + (number > 0 and token.upos != "PUNCT")
            at = start + len(token.form)
            if token.entity[2:] == entity:
                found.append((start, at))
        return (found[0][0], found[-1][1]) if found else None

    def as_tree(self) -> Sentence:
        """Return the sentence with tags, heads and relations, as a treebank has it."""
        words, tags, heads, relations = zip(*((t.form, t.upos, t.head, t.relation) for t in self.tokens), strict=True)
        return Sentence(self.id, self.document, words, tags=tags, heads=heads, relations=relations)

    def as_names(self) -> Sentence:
        """Return the sentence with IOB2 tags, as a named-entity file has it."""
        words = tuple(t.form for t in self.tokens)
        return Sentence(self.id, self.document, words, entities=tuple(t.entity for t in self.tokens))


class Speaker:
    """One language's way to say a meaning."""

    def __init__(self, lexicon: Lexicon, heritage: Heritage) -> None:
        spell = SCRIPTS[heritage.script].spell
        self._stems = {concept: spell(form) for concept, form in zip(lexicon.concepts, heritage.forms, strict=True)}
        self._placement = placement(heritage.order)
        self._forms: dict[tuple[str, str, str], tuple[str, str]] = {}

    def say(self, meaning: Meaning) -> Utterance:
        """Return the meaning's sentence in this language."""
        rows = list(linearise(meaning.root, self._placement))
        place = {id(node): number for number, (node, _) in enumerate(rows, start=1)}
        tokens = tuple(self._token(node, place[id(head)] if head is not None else 0) for node, head in rows)
        return Utterance(meaning.id, meaning.document, tokens)

    def word(self, concept: str, upos: str, features: str) -> tuple[str, str]:
        """Return form and lemma of a word."""
        key = (concept, upos, features)
        if key not in self._forms:
            self._forms[key] = self._inflect(*key)
        return self._forms[key]

    def _inflect(self, concept: str, upos: str, features: str) -> tuple[str, str]:
        """Build form and lemma of a word."""
        if concept.startswith("="):
            return concept[1:], concept[1:]
        stem = self._stems[concept]
        form = stem + "".join(self._stems[f"ending-{ending}"] for ending in endings(upos, features))
        return (form.capitalize(), stem.capitalize()) if upos == "PROPN" else (form, stem)

    def _token(self, node: Node, head: int) -> Token:
        """Return the row of a node."""
        form, lemma = self.word(node.concept, node.upos, node.features)
        tag = "O" if not node.entity else f"{'I' if node.relation == 'flat' else 'B'}-{node.entity}"
        return Token(form, lemma, node.upos, node.features, head, node.relation, tag)


def endings(upos: str, features: str) -> list[str]:
    """Return the endings of a word in their order."""
    values: Mapping[str, str] = dict(feature.split("=") for feature in features.split("|") if feature)
    if upos in ("NOUN", "PROPN"):
        return [name for feature, name in NOUN_ENDINGS.items() if feature in features.split("|")]
    if upos == "PRON":  # number and person are the pronoun's own
        return ["accusative"] if values.get("Case") == "Acc" else []
    if "Tense" not in values:
        return []
    agreement = f"{values['Person']}{'sg' if values['Number'] == 'Sing' else 'pl'}"
    return [TENSE_ENDINGS[f"Tense={values['Tense']}"], *([agreement] if agreement != "3sg" else [])]


def linearise(root: Node, places: Placement) -> Iterator[tuple[Node, Node | None]]:
    """Yield the nodes of a tree with their heads, in the order of a language.

    Parameters
    ----------
    root
        Top of the tree. Nodes are told apart by identity: none may stand in it twice.
    places
        Relation -> whether the dependent comes before its head.
    """
    yield from _block(root, None, False, places)


def _block(node: Node, head: Node | None, first: bool, places: Placement) -> Iterator[tuple[Node, Node | None]]:
    """Yield a node's block; ``first`` says whether the block comes before the node's head."""
    before: list[Node] = []
    after: list[Node] = []
    for child in sorted(node.children, key=_closeness):
        # A sentence's mark closes it; a clause's comma stands between the clause and its head.
        ahead = places[child.relation] if child.relation != "punct" else head is not None and not first
        (before if ahead else after).append(child)
    for child in reversed(before):
        yield from _block(child, node, True, places)
    yield node, head
    for child in after:
        yield from _block(child, node, False, places)


def _closeness(node: Node) -> int:
    """Return how near to its head a dependent stands."""
    return CLOSENESS[node.relation]
