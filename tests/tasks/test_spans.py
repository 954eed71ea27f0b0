"""Spans against seqeval, on random tags of both kinds that are scored: entity tags and parts of speech."""

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from xltransfer.config.task import UPOS
from xltransfer.tasks.spans import TagSystem, find_spans, match

ENTITY_TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
ODD_TAGS = ("O", "B", "I", "E-PER", "S-PER", "B-A-B", "I-A-B", ".", "X", "B-PER")


def sentences_of(tags: Sequence[str]) -> st.SearchStrategy[list[list[str]]]:
    return st.lists(st.lists(st.sampled_from(tags), min_size=1, max_size=8), min_size=1, max_size=5)


def expected_spans(sentences: list[list[str]]) -> set[tuple[str, int, int]]:
    """What seqeval finds, with the boundary that it puts behind each sentence taken out of the positions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_entities(sentences)
    # Position of each of seqeval's places in the flat words.
    places = list(itertools.chain(*([1] * len(sentence) + [0] for sentence in sentences)))
    flat = np.concatenate(([0], np.cumsum(places)))
    return {(kind, int(flat[begin]), int(flat[end])) for kind, begin, end in found}


def flat_numbers(sentences: list[list[str]], tags: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    numbers = [tags.index(tag) for sentence in sentences for tag in sentence]
    owners = [number for number, sentence in enumerate(sentences) for _ in sentence]
    return np.array(numbers), np.array(owners)


@pytest.mark.parametrize("tags", [ENTITY_TAGS, UPOS, ODD_TAGS], ids=["entities", "upos", "odd"])
@given(data=st.data())
def test_spans_are_seqevals(tags: Sequence[str], data: st.DataObject) -> None:
    sentences = data.draw(sentences_of(tags))
    system = TagSystem.of(tags)
    spans = find_spans(*flat_numbers(sentences, tags), system)
    found = {(system.kinds[k], int(b), int(e)) for k, b, e in zip(spans.kind, spans.begin, spans.end, strict=True)}
    assert found == expected_spans(sentences)


@pytest.mark.parametrize("tags", [ENTITY_TAGS, UPOS], ids=["entities", "upos"])
@given(data=st.data())
def test_f1_is_seqevals(tags: Sequence[str], data: st.DataObject) -> None:
    gold = data.draw(sentences_of(tags))
    predicted = [[data.draw(st.sampled_from(tags)) for _ in sentence] for sentence in gold]
    system = TagSystem.of(tags)
    wanted, found = (find_spans(*flat_numbers(side, tags), system) for side in (gold, predicted))
    hit, correct = match(wanted, found)
    if len(wanted.key) + len(found.key) == 0:
        return
    ours = 2 * hit.sum() / (len(wanted.key) + len(found.key))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ours == pytest.approx(f1_score(gold, predicted))
    assert hit.sum() == correct.sum()


def test_neighbouring_equal_tags_are_one_span_and_s_tags_stand_alone() -> None:
    tags = ["NOUN", "NOUN", "VERB", "SYM", "SYM", "CCONJ", "CCONJ"]
    spans = find_spans(*flat_numbers([tags], UPOS), TagSystem.of(UPOS))
    assert list(zip(spans.begin, spans.end, strict=True)) == [(0, 1), (2, 2), (3, 3), (4, 4), (5, 6)]


def test_no_words_no_spans() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert len(find_spans(nothing, nothing, TagSystem.of(UPOS)).key) == 0
