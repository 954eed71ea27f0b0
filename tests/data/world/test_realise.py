"""A meaning in two opposite languages by hand, and properties of every tree that the grammar makes."""

from collections import Counter

import numpy as np
import pytest

from xltransfer.data.world import World
from xltransfer.data.world.inheritance import Heritage
from xltransfer.data.world.lexicon import make_lexicon
from xltransfer.data.world.meaning import Meaning, Node
from xltransfer.data.world.order import CLOSENESS, FIXED, PARAMETER, PROTO_ORDER
from xltransfer.data.world.phonology import read_phonemes
from xltransfer.data.world.realise import Speaker, endings

STEMS = {
    "noun-0000": "kato", "noun-0001": "domu", "given-0000": "ana", "surname-0000": "polin", "verb-0000": "vid",
    "adj-0000": "neg", "det-0000": "la", "adp-0000": "en", "aux-0001": "pot", "ending-plural": "j",
    "ending-accusative": "n", "ending-genitive": "s", "ending-present": "as", "ending-past": "is",
    "ending-future": "os", "ending-3pl": "t",
}  # fmt: skip


def speaker(**order: bool) -> Speaker:
    """Return a speaker with the stems above (``x`` for all others) and an order that differs from the ancestor's."""
    lexicon = make_lexicon(200)
    forms = read_phonemes([STEMS.get(concept, "x") for concept in lexicon.concepts])
    origins = np.full(len(forms), "", dtype=np.object_)
    return Speaker(lexicon, Heritage(forms, origins, forms, {**PROTO_ORDER, **order}, 0))


def example() -> Meaning:
    """'the black cats of Ana Polin could see in (a) house, .' as an abstract tree."""
    name = Node("given-0000", "PROPN", "nmod", "Case=Gen|Number=Sing", "PER", (
        Node("surname-0000", "PROPN", "flat", "Number=Sing", "PER"),))  # fmt: skip
    cats = Node("noun-0000", "NOUN", "nsubj", "Case=Nom|Number=Plur", children=(
        name, Node("adj-0000", "ADJ", "amod"), Node("det-0000", "DET", "det")))  # fmt: skip
    house = Node("noun-0001", "NOUN", "obl", "Case=Nom|Number=Sing", children=(Node("adp-0000", "ADP", "case"),))
    aux = Node("aux-0001", "AUX", "aux", "Number=Plur|Person=3|Tense=Past")
    root = Node("verb-0000", "VERB", "root", "VerbForm=Inf", children=(
        house, cats, Node("=.", "PUNCT", "punct"), aux))  # fmt: skip
    return Meaning("m-1", "m", root)


def test_hand_worked_head_initial_order() -> None:
    said = speaker().say(example())
    assert said.text == "la neg katoj Anas Polin potist vid en domu."
    assert [t.head for t in said.tokens] == [3, 3, 7, 3, 4, 7, 0, 9, 7, 7]
    assert [t.entity for t in said.tokens] == ["O", "O", "O", "B-PER", "I-PER", "O", "O", "O", "O", "O"]
    assert [t.lemma for t in said.tokens][3:7] == ["Ana", "Polin", "pot", "vid"]


def test_hand_worked_head_final_order() -> None:
    flips = {"genitive_noun": True, "adposition_noun": False, "auxiliary_verb": False, "oblique_verb": True}
    said = speaker(**flips, determiner_noun=False, adjective_noun=False).say(example())
    assert said.text == "Anas Polin katoj neg la domu en vid potist."
    assert [t.head for t in said.tokens] == [3, 1, 8, 3, 3, 8, 6, 0, 8, 8]


def test_comma_stands_between_clause_and_head() -> None:
    clause = Node("verb-0000", "VERB", "advcl", "VerbForm=Inf", children=(Node("=,", "PUNCT", "punct"),))
    root = Node("noun-0000", "NOUN", "root", children=(clause, Node("=.", "PUNCT", "punct")))
    assert speaker().say(Meaning("m", "m", root)).text == "kato, vid."
    assert speaker(adverbial_clause=True).say(Meaning("m", "m", root)).text == "vid, kato."


@pytest.mark.parametrize(
    ("upos", "features", "expected"),
    [
        ("NOUN", "Case=Gen|Number=Plur", ["plural", "genitive"]),
        ("NOUN", "Case=Nom|Number=Sing", []),
        ("PROPN", "Case=Acc|Number=Sing", ["accusative"]),
        ("PRON", "Case=Acc|Number=Plur|Person=1", ["accusative"]),
        ("PRON", "Case=Nom|Number=Plur|Person=1", []),
        ("VERB", "Number=Plur|Person=2|Tense=Fut", ["future", "2pl"]),
        ("AUX", "Number=Sing|Person=3|Tense=Pres", ["present"]),
        ("VERB", "VerbForm=Inf", []),
        ("ADJ", "", []),
    ],
)
def test_endings(upos: str, features: str, expected: list[str]) -> None:
    assert endings(upos, features) == expected


def test_every_relation_has_a_side_and_a_closeness() -> None:
    assert set(PARAMETER) | set(FIXED) | {"punct"} == set(CLOSENESS)
    assert set(PARAMETER.values()) == set(PROTO_ORDER)


def is_tree(heads: tuple[int, ...]) -> bool:
    """Return whether heads make one tree: one root, every word reaches it."""
    for word in range(1, len(heads) + 1):
        seen = set()
        while word:
            if word in seen:
                return False
            seen.add(word)
            word = heads[word - 1]
    return heads.count(0) == 1


def crossing(heads: tuple[int, ...]) -> bool:
    """Return whether two arcs cross (naively, the arc to the root included)."""
    arcs = [tuple(sorted((head, word))) for word, head in enumerate(heads, start=1)]
    return any(a < c < b < d for a, b in arcs for c, d in arcs)


def test_trees_are_well_formed_and_projective_in_all_languages(world: World) -> None:
    for code in world.codes:
        for sentence in world.treebank(code, 100, "train"):
            assert sentence.heads is not None and sentence.relations is not None and sentence.tags is not None
            assert len(sentence.words) == len(sentence.heads) == len(sentence.relations) == len(sentence.tags)
            assert is_tree(sentence.heads)
            assert not crossing(sentence.heads)
            assert [h == 0 for h in sentence.heads] == [r == "root" for r in sentence.relations]
            assert sentence.relations[-1] == "punct"


def test_the_checkers_find_known_faults() -> None:
    assert crossing((3, 4, 0, 3)) and not crossing((2, 3, 0, 3))
    assert is_tree((2, 0)) and not is_tree((2, 1)) and not is_tree((0, 0))


def test_word_order_shows_in_the_treebank(world: World) -> None:
    for code in world.codes:
        before = Counter[str]()
        total = Counter[str]()
        for sentence in world.treebank(code, 300, "train"):
            assert sentence.heads is not None and sentence.relations is not None
            for word, (head, relation) in enumerate(zip(sentence.heads, sentence.relations, strict=True), start=1):
                total[relation] += 1
                before[relation] += word < head
        order = world.heritage[code].order
        for relation, parameter in PARAMETER.items():
            assert total[relation] > 0
            assert before[relation] == (total[relation] if order[parameter] else 0), (code, relation)


def test_parallel_sentences_are_exact_translations(world: World) -> None:
    per_language = [world.treebank(code, 60, "dev") for code in world.codes]
    for versions in zip(*per_language, strict=True):
        assert len({(v.id, v.cluster) for v in versions}) == 1
        assert len({tuple(sorted(zip(v.tags or (), v.relations or (), strict=True))) for v in versions}) == 1
    lines = world.parallel(40)
    assert set(lines) == set(world.codes)
    assert len({tuple(line.count(" ") for line in lines[code]) for code in world.codes}) == 1


def test_names_are_well_formed_bio_and_carry_over(world: World) -> None:
    spans = {}
    for code in world.codes:
        found = Counter[str]()
        for sentence in world.ner(code, 150, "train"):
            assert sentence.entities is not None
            previous = "O"
            for tag in sentence.entities:
                assert not tag.startswith("I-") or previous[2:] == tag[2:]
                found[tag] += 1
                previous = tag
        spans[code] = found
    assert all(found == spans["qaa"] for found in spans.values())
    assert {"B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "O"} == set(spans["qaa"])
    assert sum(n for tag, n in spans["qaa"].items() if tag.startswith("B-")) > 100
