"""Paragraphs and questions in meanings: the first sentences of a document, and a name in one of them to be asked for.

A question is the main clause of a sentence with a gap, written ``?``, in the place of the name, and without the clauses
beside it and the modifiers of its other noun phrases. The answer is the name. So what can be learnt is to find the
sentence that has the question's words and to read off the name that stands in the question's gap; that answers are
capitalised already excludes most of the paragraph. The demo's base with a task adapter (reduction 2, 10 epochs at 3e-3,
200 questions in each of nine languages; half a minute on one core) reaches an F1 of 33 in those languages and 30 in the
five others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xltransfer.data.world.draws import Draws
from xltransfer.data.world.grammar import SENTENCES, meanings
from xltransfer.data.world.lexicon import Lexicon
from xltransfer.data.world.meaning import Meaning, Node
from xltransfer.randomness import stream

LENGTH = 3  # sentences of a paragraph
ANSWER = "ANSWER"
"""Entity of the words that are asked for, in the place of PER, ORG or LOC."""

_ARGUMENTS = ("nsubj", "obj", "obl")
_LEFT_OUT = ("advcl", "conj", "cc", "punct", "advmod", "det", "amod", "nummod", "nmod", "acl", "appos")


@dataclass(frozen=True)
class Asked:
    """A paragraph's sentences, one of them with the answer marked, and the question."""

    id: str
    sentences: tuple[Meaning, ...]
    question: Meaning


def asked(seed: int, lexicon: Lexicon, number: int, split: str) -> list[Asked]:
    """Return the first ``number`` questions of a split; splits are independent."""
    documents = number
    while True:
        sentences = meanings(seed, lexicon, SENTENCES * documents, "qa", split)
        found = [
            each
            for start in range(0, len(sentences), SENTENCES)
            for each in _of_paragraph(seed, sentences[start : start + LENGTH])
        ]
        if len(found) >= number:
            return found[:number]
        documents *= 2


def _of_paragraph(seed: int, paragraph: Sequence[Meaning]) -> Iterator[Asked]:
    """Yield a question for each sentence that has a name to ask for."""
    for place, meaning in enumerate(paragraph):
        if found := _ask(seed, meaning):
            marked, question = found
            yield Asked(meaning.id, (*paragraph[:place], marked, *paragraph[place + 1 :]), question)


def _ask(seed: int, meaning: Meaning) -> tuple[Meaning, Meaning] | None:
    """Return a sentence with a name marked, and the question for it; None where no argument is a name."""
    root = meaning.root
    named = [n for n, child in enumerate(root.children) if child.relation in _ARGUMENTS and child.entity]
    if not named:
        return None
    place = Draws(stream(seed, "question", meaning.id)).one_of(named)
    answer = root.children[place]
    marked = replace(answer, entity=ANSWER, children=tuple(_marked(child) for child in answer.children))
    gap = Node("=?", "PRON", answer.relation, children=tuple(c for c in answer.children if c.relation == "case"))
    statement = replace(root, children=(*root.children[:place], marked, *root.children[place + 1 :]))
    asking = replace(root, children=(*root.children[:place], gap, *root.children[place + 1 :]))
    return replace(meaning, root=statement), Meaning(f"{meaning.id}-question", meaning.document, _short(asking))


def _marked(child: Node) -> Node:
    """Mark the second word of the name."""
    return replace(child, entity=ANSWER) if child.relation == "flat" else child


def _short(root: Node) -> Node:
    """Return the question without what is not needed to tell its sentence; a negation stays."""
    kept = [child for child in root.children if child.relation not in _LEFT_OUT or child.upos == "PART"]
    return replace(root, children=tuple(_short(child) if child.relation in _ARGUMENTS else child for child in kept))
