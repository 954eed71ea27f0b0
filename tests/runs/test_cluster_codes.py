"""When equal names of clusters mean the same cluster: by the texts' lengths, not by the names."""

import numpy as np
import pytest
from numpy.typing import NDArray

from xltransfer.data.parallel import parallel_name
from xltransfer.randomness import stream
from xltransfer.runs.cluster_codes import cluster_codes

NAMES = [f"test-s{number}" for number in range(200)]


def lengths(name: str, like: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Words of 200 sentences; those of a translation follow the original at a correlation of about 0.85."""
    own = stream(1, name).standard_normal(200)
    logarithms = own if like is None else 0.85 * like + np.sqrt(1 - 0.85**2) * own
    return np.ceil(12 * np.exp(0.5 * logarithms))


def test_tasks_on_one_entry_share_their_clusters() -> None:
    entries = [("wtb", "wol"), ("wtb", "wol"), ("wtb", "fra")]
    unknown = np.full(200, np.nan)
    pos, dep, other = cluster_codes(entries, [NAMES, NAMES[::-1], NAMES], [unknown, unknown, unknown])
    assert pos.tolist() == dep[::-1].tolist()
    assert len(set(pos.tolist())) == 200
    assert not set(pos.tolist()) & set(other.tolist())


def test_unrelated_treebanks_that_count_their_sentences_alike_share_nothing() -> None:
    entries = [f"treebank {number}" for number in range(40)]
    codes = cluster_codes(entries, [NAMES] * 40, [lengths(entry) for entry in entries])
    assert len(np.unique(np.concatenate(codes))) == 40 * 200


def test_translations_share_what_they_have_in_common() -> None:
    source = stream(1, "source").standard_normal(200)
    given = [lengths("a", source)[:150], lengths("b", source)[50:], lengths("c")]
    a, b, c = cluster_codes(["a", "b", "c"], [NAMES[:150], NAMES[50:], NAMES], given)
    assert a[50:].tolist() == b[:100].tolist()
    assert not set(a[:50].tolist()) & set(b.tolist())
    assert not set(c.tolist()) & {*a.tolist(), *b.tolist()}


def test_sameness_passes_on() -> None:
    """a and c have too few sentences in common to show it, but both are translations of b."""
    source = stream(1, "source").standard_normal(200)
    given = [lengths("a", source)[:104], lengths("b", source), lengths("c", source)[100:]]
    a, b, c = cluster_codes(["a", "b", "c"], [NAMES[:104], NAMES, NAMES[100:]], given)
    assert a[100:].tolist() == b[100:104].tolist() == c[:4].tolist()
    alone, apart = cluster_codes(["a", "c"], [NAMES[:104], NAMES[100:]], [given[0], given[2]])
    assert not set(alone.tolist()) & set(apart.tolist())


@pytest.mark.parametrize(("shared", "same"), [(3, False), (8, True)])
def test_sentences_annotated_twice_are_the_same_where_they_are_more_than_three(shared: int, same: bool) -> None:
    words, names = lengths("once")[:shared], NAMES[:shared]
    pos, ner = cluster_codes(["ud", "uner"], [names, names], [words, words])
    assert (pos.tolist() == ner.tolist()) == same


def test_lengths_that_do_not_vary_prove_nothing() -> None:
    one, other = cluster_codes(["a", "b"], [NAMES, NAMES], [np.ones(200), np.ones(200)])
    assert not set(one.tolist()) & set(other.tolist())


def test_the_order_of_test_sets_does_not_matter() -> None:
    source = stream(1, "source").standard_normal(200)
    entries = ["a", "b", "c"]
    given = [lengths("a", source), lengths("c"), lengths("b", source)]
    there = cluster_codes(entries, [NAMES] * 3, given)
    back = cluster_codes(entries[::-1], [NAMES] * 3, given[::-1])[::-1]
    for i in range(3):
        for j in range(3):
            assert (there[i] == there[j]).tolist() == (back[i] == back[j]).tolist()


def test_no_test_sets() -> None:
    assert cluster_codes([], [], []) == []


@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_correlation_as_of_a_translation_is_needed(share: float) -> None:
    """Titles first, long sentences later: what any two texts have in common must not join them."""
    common = stream(2, "position").standard_normal(200)
    given = [
        np.exp(np.sqrt(share) * common + np.sqrt(1 - share) * stream(2, name).standard_normal(200)) for name in "ab"
    ]
    correlation = np.corrcoef(np.log(given))[0, 1]
    a, b = cluster_codes(["a", "b"], [NAMES, NAMES], given)
    assert (a.tolist() == b.tolist()) == (correlation > 0.5) == (share == 0.8)


def test_names_that_a_manifest_declared_shared_are_the_same_whatever_their_lengths() -> None:
    names = [parallel_name("xnli-dev", f"premise-{number}") for number in range(84)]
    three, other = np.full(84, 3.0), [parallel_name("xnli-test", f"premise-{number}") for number in range(84)]
    entries = ["eng", "swa", "tha", "own"]
    named = [names, names[::-1][:60], names[:10], other]
    eng, swa, tha, own = cluster_codes(entries, named, [three[: len(each)] for each in named])
    assert eng.tolist()[::-1][:60] == swa.tolist()
    assert tha.tolist() == eng.tolist()[:10]
    assert not set(own.tolist()) & set(eng.tolist())
    plain = [each.removeprefix("parallel:") for each in names]
    first, second = cluster_codes(["eng", "swa"], [plain, plain], [three, three])
    assert not set(first.tolist()) & set(second.tolist())
