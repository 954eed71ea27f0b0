"""Words and noun phrases of the interlingual grammar; clauses are made in ``grammar``."""

from dataclasses import replace

from xltransfer.data.world.draws import Draws
from xltransfer.data.world.lexicon import TOPICAL, TOPICS, Lexicon
from xltransfer.data.world.meaning import Node

PRONOUNS = (("Sing", 1), ("Sing", 2), ("Sing", 3), ("Plur", 1), ("Plur", 2), ("Plur", 3))
TOPIC_SHARE = 0.6  # of nouns, verbs and adjectives that come from the document's topic
VALENCIES = ("intransitive", "transitive", "transitive", "clausal", "transitive", "intransitive", "transitive")


def punctuation(mark: str) -> Node:
    """Return a punctuation mark."""
    return Node(f"={mark}", "PUNCT", "punct")


class Phrases:
    """Words and noun phrases of one document.

    Parameters
    ----------
    lexicon
        Concepts and their frequencies.
    draws
        The document's stream.
    topic
        Number of the document's topic.
    names
        Share of noun phrases that are names.
    """

    def __init__(self, lexicon: Lexicon, draws: Draws, topic: int, names: float) -> None:
        self.lexicon = lexicon
        self.draws = draws
        self.topic = topic
        self.names = names

    def word(self, word_class: str, relation: str, first: int = 0, features: str = "", entity: str = "") -> Node:
        """Return a word of a class without dependents; ``first`` leaves out the concepts before that rank."""
        members = self.lexicon.members[word_class]
        rank = self._rank(word_class)
        while rank < first:
            rank = self._rank(word_class)
        return Node(members[rank], self.lexicon.upos[members[rank]], relation, features, entity)

    def _rank(self, word_class: str) -> int:
        """Return the rank of a concept by its frequency, and mostly of the topic where the class has topics."""
        rank = self.lexicon.pick(word_class, self.draws.uniform())
        if word_class in TOPICAL and self.draws.chance(TOPIC_SHARE):
            # The topic's concept in the same block of neighbours: nearly as frequent over all documents.
            on_topic = rank - rank % TOPICS + self.topic
            return on_topic if on_topic < len(self.lexicon.members[word_class]) else rank
        return rank

    def verb(self) -> tuple[str, str]:
        """Return a verb's concept and its valency, which is a property of the verb."""
        rank = self._rank("verb")
        return self.lexicon.members["verb"][rank], VALENCIES[rank % len(VALENCIES)]

    def adjective(self, relation: str) -> Node:
        """Return an adjective, perhaps with an adverb of degree."""
        adjective = self.word("adj", relation)
        if self.draws.chance(0.15):
            return replace(adjective, children=(self.word("degree", "advmod"),))
        return adjective

    def subject(self, depth: int) -> tuple[Node, str]:
        """Return a subject and what a finite verb agrees with, as features."""
        if self.draws.chance(0.3):
            rank = self.lexicon.pick("pron", self.draws.uniform())
            number, person = PRONOUNS[rank]
            features = f"Case=Nom|Number={number}|Person={person}"
            return Node(f"pron-{rank:04d}", "PRON", "nsubj", features), f"Number={number}|Person={person}"
        phrase = self.noun_phrase("nsubj", "Nom", depth)
        plural = "Number=Plur" in phrase.features or any(child.relation == "conj" for child in phrase.children)
        return phrase, f"Number={'Plur' if plural else 'Sing'}|Person=3"

    def object(self, depth: int) -> Node:
        """Return a direct object."""
        if self.draws.chance(0.12):
            rank = self.lexicon.pick("pron", self.draws.uniform())
            number, person = PRONOUNS[rank]
            return Node(f"pron-{rank:04d}", "PRON", "obj", f"Case=Acc|Number={number}|Person={person}")
        return self.noun_phrase("obj", "Acc", depth)

    def adpositional(self, relation: str, depth: int) -> Node:
        """Return a noun phrase with an adposition."""
        phrase = self.noun_phrase(relation, "Nom", depth, places=0.6)
        return replace(phrase, children=(*phrase.children, self.word("adp", "case")))

    def noun_phrase(self, relation: str, case: str, depth: int, places: float = 0.12) -> Node:
        """Return a noun phrase; the deeper, the simpler. ``places`` is the share of places among names."""
        if self.draws.chance(self.names):
            return self.name(relation, case, places)
        draws = self.draws
        children = self._modifiers()
        counted = any(child.relation == "nummod" for child in children)
        number = "Plur" if counted or draws.chance(0.25) else "Sing"
        if depth == 0:
            children += self._complements(case)
        noun = self.word("noun", relation, features=f"Case={case}|Number={number}")
        return replace(noun, children=tuple(children))

    def _modifiers(self) -> list[Node]:
        """Return determiner, numeral and adjective of a noun, each perhaps."""
        draws = self.draws
        children = []
        if draws.chance(0.45):
            children.append(self.word("det", "det"))
        if draws.chance(0.08):
            digits = Node(f"={2 + draws.below(98)}", "NUM", "nummod")
            children.append(digits if draws.chance(0.3) else self.word("num", "nummod"))
        if draws.chance(0.25):
            children.append(self.adjective("amod"))
        return children

    def _complements(self, case: str) -> list[Node]:
        """Return possessor, relative clause, coordinated noun or apposition of a noun: one of them at most."""
        draw = self.draws.uniform()
        if draw < 0.10:
            return [self.noun_phrase("nmod", "Gen", 1)]
        if draw < 0.15:
            return [self.adpositional("nmod", 1)]
        if draw < 0.19:
            return [self._relative()]
        if draw < 0.25:
            second = self.noun_phrase("conj", case, 1)
            return [replace(second, children=(*second.children, self.word("cconj", "cc")))]
        return [self.name("appos", case, places=0.2)] if draw < 0.28 else []

    def _relative(self) -> Node:
        """Return a relative clause: the marker, a verb, and its object where it takes one."""
        verb, valency = self.verb()
        children = [Node("sconj-0001", "SCONJ", "mark")]
        if valency == "transitive":
            children.append(self.noun_phrase("obj", "Acc", 1))
        return Node(verb, "VERB", "acl", "Number=Sing|Person=3|Tense=Past", children=tuple(children))

    def name(self, relation: str, case: str, places: float) -> Node:
        """Return the name of a place, a person or an organisation, of one or two words; the first carries the case."""
        draw = self.draws.uniform()
        if draw < places:
            kind, first, second, two_words = "LOC", "place", "geography", 0.3
        elif draw < places + (1 - places) * 0.6:
            kind, first, second, two_words = "PER", "given", "surname", 0.6
        else:
            kind, first, second, two_words = "ORG", "organisation", "institution", 0.7
        head = self.word(first, relation, features=f"Case={case}|Number=Sing", entity=kind)
        if self.draws.chance(two_words):
            return replace(head, children=(self.word(second, "flat", features="Number=Sing", entity=kind),))
        return head
