"""The one grammar of all languages: random meanings, document by document.

A document has a topic: nouns, verbs and adjectives are drawn more often from the topic's part of the vocabulary, which
makes the sentences of a document alike, as in real text. Every document has its own named stream: the first n sentences
are the same however many are asked for. Noun phrases are made in ``phrases``, clauses here.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from xltransfer.data.world.draws import Draws
from xltransfer.data.world.lexicon import TOPICS, Lexicon
from xltransfer.data.world.meaning import Meaning, Node
from xltransfer.data.world.phrases import Phrases, punctuation
from xltransfer.randomness import stream

SENTENCES = 5  # a document
TENSES = ("Pres", "Past", "Past", "Fut")
NAMES = {"ner": 0.45}  # share of noun phrases that are names; elsewhere the default
DEFAULT_NAMES = 0.13


def meanings(seed: int, lexicon: Lexicon, number: int, *names: str) -> list[Meaning]:
    """Return the first ``number`` meanings of a stream.

    Parameters
    ----------
    seed
        Seed of the world.
    lexicon
        Concepts and their frequencies.
    number
        How many sentences; the last document may be cut.
    names
        Name of the stream; its first part is the kind of text ("ner" is rich in names), the rest make the ids.
    """
    return list(islice(_endless(seed, lexicon, names), number))


def _endless(seed: int, lexicon: Lexicon, names: tuple[str, ...]) -> Iterator[Meaning]:
    """Yield meanings without end."""
    prefix = "-".join(names)
    number = 0
    while True:
        number += 1
        document = f"{prefix}-{number:04d}"
        draws = Draws(stream(seed, "meanings", *names, number))
        clauses = Clauses(Phrases(lexicon, draws, topic=draws.below(TOPICS), names=NAMES.get(names[0], DEFAULT_NAMES)))
        for sentence in range(1, SENTENCES + 1):
            yield Meaning(f"{document}-{sentence}", document, clauses.sentence())


class Clauses:
    """Clauses of one document."""

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases
        self.draws = phrases.draws

    def sentence(self) -> Node:
        """Return a whole sentence."""
        draws = self.draws
        root = self._clause("root", depth=0)
        extra: list[Node] = []
        if draws.chance(0.10):
            extra.append(self._subordinate("advcl", depth=1, comma=draws.chance(0.7)))
        if draws.chance(0.12):
            second = self._clause("conj", depth=1)
            link = [self.phrases.word("cconj", "cc")]
            if draws.chance(0.6):
                link.append(punctuation(","))
            extra.append(replace(second, children=(*second.children, *link)))
        end = "." if draws.chance(0.9) else draws.one_of("?!")
        return replace(root, children=(*root.children, *extra, punctuation(end)))

    def _clause(self, relation: str, depth: int) -> Node:
        """Return a clause with its subject."""
        subject, agreement = self.phrases.subject(depth)
        finite = f"{agreement}|Tense={self.draws.one_of(TENSES)}"
        if self.draws.chance(0.16):
            return self._copular(relation, subject, finite, depth)
        return self._verbal(relation, [subject], finite, depth)

    def _subordinate(self, relation: str, depth: int, comma: bool) -> Node:
        """Return a clause with a subordinating conjunction."""
        clause = self._clause(relation, depth)
        marker = self.phrases.word("sconj", "mark", first=2) if relation == "advcl" else self._complementiser()
        commas = (punctuation(","),) if comma else ()
        return replace(clause, children=(*clause.children, marker, *commas))

    @staticmethod
    def _complementiser() -> Node:
        """Return the conjunction of complement clauses."""
        return Node("sconj-0000", "SCONJ", "mark")

    def _copular(self, relation: str, subject: Node, finite: str, depth: int) -> Node:
        """Return a clause whose predicate is an adjective or a noun."""
        copula = Node("aux-0000", "AUX", "cop", finite)
        if self.draws.chance(0.6):
            predicate = self.phrases.adjective(relation)
        else:
            predicate = self.phrases.noun_phrase(relation, "Nom", depth + 1)
        return replace(predicate, children=(*predicate.children, subject, copula, *self._negation()))

    def _verbal(self, relation: str, children: list[Node], finite: str, depth: int) -> Node:
        """Return a clause whose predicate is a verb; the verb itself says what it takes."""
        draws, phrases = self.draws, self.phrases
        verb, valency = phrases.verb()
        if draws.chance(0.18):
            children.append(replace(phrases.word("aux", "aux", first=1), features=finite))
            finite = "VerbForm=Inf"
        children += self._negation()
        if draws.chance(0.18):
            children.append(phrases.word("adv", "advmod"))
        if valency == "clausal" and depth == 0:
            children.append(self._subordinate("ccomp", depth=1, comma=False))
        elif valency != "intransitive":
            children.append(phrases.object(depth))
        if draws.chance(0.55 if valency == "intransitive" else 0.25):
            children.append(phrases.adpositional("obl", depth))
        return Node(verb, "VERB", relation, finite, children=tuple(children))

    def _negation(self) -> list[Node]:
        """Return a negation, or none."""
        return [Node("negation-0000", "PART", "advmod")] if self.draws.chance(0.09) else []
