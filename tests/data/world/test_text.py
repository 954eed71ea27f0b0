"""What the text of a world is like: frequencies, variety, length, ambiguity, independence of the draws."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from xltransfer.data.world import World
from xltransfer.data.world.realise import Token


@pytest.fixture(scope="module")
def tokens(world: World) -> list[Token]:
    """Words of 4,000 sentences of one language."""
    return [token for utterance in world.utterances("qaa", 4000, "text", "frequencies") for token in utterance.tokens]


def test_lemma_frequencies_follow_zipf(tokens: list[Token]) -> None:
    counts = Counter((t.lemma, t.upos) for t in tokens if t.upos != "PUNCT")
    frequencies = np.sort(np.array(list(counts.values())))[::-1]
    ranks = np.arange(1, len(frequencies) + 1)
    slope = np.polyfit(np.log(ranks[9:500]), np.log(frequencies[9:500]), 1)[0]
    assert -1.25 < slope < -0.8
    assert len(counts) > 1500


def test_inventory_of_tags_and_relations(tokens: list[Token]) -> None:
    assert len({t.upos for t in tokens}) >= 12
    assert {t.relation for t in tokens} >= {
        "root", "nsubj", "obj", "obl", "det", "amod", "case", "nmod", "advmod", "conj", "cc", "punct", "aux", "cop",
        "nummod", "mark", "ccomp", "advcl", "acl", "appos", "flat",
    }  # fmt: skip
    assert all(t.features == "|".join(sorted(t.features.split("|"))) for t in tokens)


def test_sentences_have_natural_length(world: World) -> None:
    lengths = [len(line.split()) for code in world.codes for line in world.text(code, 200)]
    assert 6 <= np.mean(lengths) <= 12


def test_words_tell_their_tag_better_than_the_majority_does(tokens: list[Token]) -> None:
    tags: dict[str, Counter[str]] = defaultdict(Counter)
    for token in tokens:
        tags[token.form][token.upos] += 1
    by_word = sum(counter.most_common(1)[0][1] for counter in tags.values()) / len(tokens)
    majority = Counter(t.upos for t in tokens).most_common(1)[0][1] / len(tokens)
    assert majority < 0.35
    assert by_word > 0.95


def test_few_homonyms_in_any_language(world: World) -> None:
    for code in world.codes:
        forms = world.heritage[code].forms[: world.lexicon.lemmas]
        assert 1 - len(np.unique(forms, axis=0)) / len(forms) < 0.08, code


def test_draws_are_disjoint(world: World) -> None:
    for code in ("qaa", "qcg"):
        test = [" ".join(sentence.words) for sentence in world.treebank(code, 300, "test")]
        train = {" ".join(sentence.words) for sentence in world.treebank(code, 600, "train")}
        text = {u.text for u in world.utterances(code, 4000, "text", "frequencies")}
        lines = [u.text for u in world.utterances(code, 300, "ud", "test")]
        assert np.mean([sentence in train for sentence in test]) < 0.02
        assert np.mean([line in text for line in lines]) < 0.02
        first, second = world.text(code, 100), world.text(code, 100, name="other")
        assert len(set(first) & set(second)) <= 2


def test_more_sentences_begin_with_the_same_ones(world: World) -> None:
    assert world.text("qab", 23) == world.text("qab", 60)[:23]
    assert world.treebank("qab", 40, "train")[:7] == world.treebank("qab", 7, "train")


def test_documents_are_clusters_of_five(world: World) -> None:
    clusters = Counter(sentence.cluster for sentence in world.treebank("qaa", 100, "train"))
    assert set(clusters.values()) == {5}
    ids = [sentence.id for sentence in world.treebank("qaa", 100, "train")]
    assert len(set(ids)) == 100


def test_sentences_of_a_document_share_words(world: World) -> None:
    """The topic: two sentences of one document share content lemmas more often than two of different ones."""
    documents = defaultdict(list)
    for utterance in world.utterances("qaa", 1000, "text", "topics"):
        documents[utterance.document].append({t.lemma for t in utterance.tokens if t.upos in ("NOUN", "VERB", "ADJ")})
    sentences = list(documents.values())
    within = np.mean([bool(d[0] & d[1]) for d in sentences])
    across = np.mean([bool(d[0] & e[1]) for d, e in zip(sentences, sentences[1:], strict=False)])
    assert within > 1.5 * across
