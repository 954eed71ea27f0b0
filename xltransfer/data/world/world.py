"""An artificial world: languages with known relatedness, and text, annotated data and parallel sentences in them.

All languages realise the same meanings (``grammar``), so parallel sentences are exact translations, and treebanks,
named-entity data, pairs, questions and reviews are parallel across languages: equal ids are equal meanings. Plain text
is not: each language has its own. Nothing here writes files; ``write`` does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd

from xltransfer.data.labelled import Labelled
from xltransfer.data.question import Answer, Question
from xltransfer.data.sentence import Sentence
from xltransfer.data.world.distances import true_distances
from xltransfer.data.world.grammar import meanings
from xltransfer.data.world.inheritance import Heritage, descend
from xltransfer.data.world.lexicon import Lexicon, make_lexicon
from xltransfer.data.world.meaning import Meaning
from xltransfer.data.world.pairs import LABELS, inferences
from xltransfer.data.world.paragraphs import ANSWER, Asked, asked
from xltransfer.data.world.realise import Speaker, Utterance
from xltransfer.data.world.reviews import reviews
from xltransfer.data.world.scripts import SCRIPTS
from xltransfer.data.world.spec import WorldSpec
from xltransfer.data.world.tree import Branch
from xltransfer.errors import ConfigError, near_match
from xltransfer.languages import Language

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class World:
    """A world; made by ``make_world``.

    Attributes
    ----------
    spec
        What it was made from.
    lexicon
        The concepts that all languages share.
    tree
        Every branch, by the name of the node that it leads to.
    heritage
        Forms, origins, word order and script of every node; the common ancestor has the empty name.
    languages
        The languages, in the order of the tree.
    """

    spec: WorldSpec
    lexicon: Lexicon
    tree: Mapping[str, Branch]
    heritage: Mapping[str, Heritage]
    languages: tuple[Language, ...]
    _speakers: dict[str, Speaker] = field(default_factory=dict, repr=False, compare=False)
    _shared: dict[tuple[str, ...], list[Meaning]] = field(default_factory=dict, repr=False, compare=False)
    _made: dict[tuple[str, str], list[Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the languages."""
        return tuple(language.code for language in self.languages)

    def meanings(self, number: int, *names: str) -> list[Meaning]:
        """Return the first ``number`` meanings of the stream ``names``; different streams are independent."""
        return meanings(self.spec.seed, self.lexicon, number, *names)

    def say(self, code: str, meaning: Meaning) -> Utterance:
        """Return a meaning in a language.

        Raises
        ------
        ConfigError
            If the world has no language with this code.
        """
        if code not in self._speakers:
            if code not in self.codes:
                raise ConfigError(f"code {code!r} is no language of this world{near_match(code, self.codes)}")
            self._speakers[code] = Speaker(self.lexicon, self.heritage[code])
        return self._speakers[code].say(meaning)

    def text(self, code: str, number: int, name: str = "text") -> list[str]:
        """Return ``number`` sentences of running text, a language's own; ``name`` tells its corpora apart."""
        return [self.say(code, meaning).text for meaning in self.meanings(number, "text", name, code)]

    def utterances(self, code: str, number: int, *names: str) -> list[Utterance]:
        """Return the first ``number`` meanings of a stream that all languages share, in one of them."""
        shared = self._shared.get(names, [])
        if len(shared) < number:
            shared = self._shared[names] = self.meanings(number, *names)
        return [self.say(code, meaning) for meaning in shared[:number]]

    def treebank(self, code: str, number: int, split: str) -> list[Sentence]:
        """Return ``number`` trees; a cluster is a document of five sentences. Splits are independent streams."""
        return [utterance.as_tree() for utterance in self.utterances(code, number, "ud", split)]

    def ner(self, code: str, number: int, split: str) -> list[Sentence]:
        """Return ``number`` sentences with IOB2 tags of PER, ORG and LOC; rich in names."""
        return [utterance.as_names() for utterance in self.utterances(code, number, "ner", split)]

    def pairs(self, code: str, premises: int, split: str) -> list[Labelled]:
        """Return three pairs for each of ``premises``; ids are numbers from 1, see ``pairs``."""
        found: list[Labelled] = []
        for inference in self._once(inferences, premises, split):
            premise = self.say(code, inference.premise).text
            for label, hypothesis in zip(LABELS, inference.hypotheses, strict=True):
                name = str(len(found) + 1)
                second = self.say(code, hypothesis).text
                found.append(Labelled(name, inference.premise.id, premise, second, label, ""))
        return found

    def questions(self, code: str, number: int, split: str) -> list[Question]:
        """Return ``number`` questions, see ``paragraphs``; those on one paragraph have one cluster."""
        return [self._question(code, each) for each in self._once(asked, number, split)]

    def reviews(self, code: str, number: int, split: str) -> list[Labelled]:
        """Return ``number`` reviews with their stars, see ``reviews``."""
        found = []
        for stars, meant in self._once(reviews, number, split):
            text = " ".join(self.say(code, meaning).text for meaning in meant)
            found.append(Labelled(meant[0].document, meant[0].document, text, None, str(stars), ""))
        return found

    def _once(self, make: Callable[[int, Lexicon, int, str], list[Made]], number: int, split: str) -> list[Made]:
        """Return the first ``number`` of what all languages share, made once."""
        key = (make.__name__, split)
        if len(self._made.get(key, [])) < number:
            self._made[key] = make(self.spec.seed, self.lexicon, number, split)
        return self._made.get(key, [])[:number]

    def _question(self, code: str, each: Asked) -> Question:
        context, start, answer = "", 0, ""
        for meaning in each.sentences:
            sentence = self.say(code, meaning)
            context += " " if context else ""
            if span := sentence.span(ANSWER):
                start, answer = len(context) + span[0], sentence.text[span[0] : span[1]]
            context += sentence.text
        asking = self.say(code, each.question).text
        return Question(each.id, each.question.document, code, asking, context, (Answer(answer, start),))

    def parallel(self, number: int) -> dict[str, list[str]]:
        """Return ``number`` sentences of running text in every language; equal places are translations."""
        return {code: [u.text for u in self.utterances(code, number, "parallel")] for code in self.codes}

    def distances(self) -> dict[str, pd.DataFrame]:
        """Return the true distances: axis ("sound", "lexical", "order", "script", "tree") -> square frame by code."""
        return true_distances(self.codes, self.tree, self.heritage, self.lexicon.lemmas)


def make_world(spec: WorldSpec | None = None) -> World:
    """Return the world of a spec (default: 14 languages, 3 families, 2 scripts); the same for the same spec."""
    spec = WorldSpec() if spec is None else spec
    lexicon = make_lexicon(spec.lemmas)
    tree, heritage = descend(spec, lexicon)
    languages = tuple(
        Language(b.name, b.title, b.family, b.genus, SCRIPTS[heritage[b.name].script].code)
        for b in tree.values()
        if b.is_language
    )
    return World(spec, lexicon, tree, heritage, languages)
