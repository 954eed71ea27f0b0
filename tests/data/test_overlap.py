"""Overlaps: hand-made sentences, and the fast index against a plain set comparison."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xltransfer.data.overlap import Fingerprinter, OverlapIndex, overlap


def test_exact_match_ignores_case_and_all_white_space() -> None:
    prints = Fingerprinter()
    test = prints.of(["The cat 's here .", "the dog", "A b"])
    other = prints.of(["the CAT's  here.", "a bc"])
    assert overlap(test, other).exact.tolist() == [True, False, False]


def letters(text: str) -> str:
    return " ".join(text)


def test_contained_is_more_than_half_of_the_8_grams() -> None:
    prints = Fingerprinter()
    test = prints.of([letters("abcdefghijk"), letters("abcdefghijk") + " z"])  # 4 and 5 8-grams
    two, three = prints.of([letters("abcdefghi")]), prints.of([letters("abcdefghij")])  # the first 2, the first 3
    assert overlap(test, two).contained.tolist() == [False, False]
    assert overlap(test, three).contained.tolist() == [True, True]
    assert overlap(test, three).either.tolist() == [True, True]


def test_grams_do_not_cross_sentences_and_short_sentences_have_none() -> None:
    prints = Fingerprinter()
    other = prints.of([letters("abcd"), letters("efgh")])
    test = prints.of([letters("abcdefgh"), letters("abcdefg")])
    assert other.grams.size == 0 and test.grams.size == 1
    assert overlap(test, other).either.tolist() == [False, False]


def test_punctuation_parts_words_and_counts_for_nothing() -> None:
    prints = Fingerprinter()
    test = prints.of(["one two , three ; four five ( six ) seven eight"])
    other = prints.of(["“One two, three… four—five six, seven/eight nine”"])
    assert overlap(test, other).contained.tolist() == [True]


def test_scripts_without_spaces_are_compared_by_letter() -> None:
    prints = Fingerprinter()
    test = prints.of(["柏洛兹 于 青春 期 早期 。"])
    other = prints.of(["昨天柏洛兹于青春期早期着手。"])
    assert overlap(test, other).either.tolist() == [True]


def test_marks_stay_in_their_word() -> None:
    assert Fingerprinter().of(["हिन्दी भाषा"]).n_words == 2


def plain(test: list[str], other: list[str]) -> list[tuple[bool, bool]]:
    """The definition in sets of tuples."""

    def grams(sentence: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", sentence.lower())
        return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}

    known = set().union(*map(grams, other)) if other else set()
    sentences = {re.sub(r"\s", "", s.lower()) for s in other}
    return [
        (re.sub(r"\s", "", s.lower()) in sentences, bool(own := grams(s)) and 2 * len(own & known) > len(own))
        for s in test
    ]


SENTENCES = st.lists(st.lists(st.sampled_from("a b A c, d. ,".split(" ")), max_size=14).map(" ".join), max_size=6)


@given(st.lists(SENTENCES, max_size=3), SENTENCES)
def test_index_agrees_with_plain_sets(tests: list[list[str]], other: list[str]) -> None:
    prints = Fingerprinter()
    index = OverlapIndex({str(i): prints.of(test) for i, test in enumerate(tests)})
    found = index.against(prints.of(other))
    assert list(found) == [str(i) for i in range(len(tests))]
    for i, test in enumerate(tests):
        expected = np.array(plain(test, other), dtype=bool).reshape(-1, 2)
        alone = overlap(prints.of(test), prints.of(other))
        for part in (found[str(i)], alone):
            assert np.array_equal(np.stack([part.exact, part.contained], axis=1), expected)
