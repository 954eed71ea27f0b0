"""When equal names of clusters mean the same cluster: by the texts' lengths, not by the names."""

import numpy as np
import pytest
from numpy.typing import NDArray
from runs_work import cell

from xltransfer.data.parallel import parallel_name
from xltransfer.randomness import stream
from xltransfer.runs.cluster_codes import cluster_codes, united
from xltransfer.runs.folder import Header, claim
from xltransfer.runs.open import open_run
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

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


def test_clusters_that_share_a_declared_item_are_one_whatever_they_are_named_after() -> None:
    """Three questions of one paragraph; the second file lacks the first of them, so its cluster is named otherwise."""
    q = [parallel_name("qa", f"q{number}") for number in range(1, 6)]
    items = np.array([q[0], q[1], q[2], q[3], q[1], q[2], q[3], q[4]], dtype=object)
    clusters = np.array([q[0], q[0], q[0], q[3], q[1], q[1], q[3], q[4]], dtype=object)
    found = united(items, clusters)
    assert len(set(found[[0, 1, 2, 4, 5]])) == 1
    assert found[3] == found[6] != found[0] and found[7] == q[4]


def test_two_clusters_of_a_file_are_one_where_a_translation_has_them_in_one() -> None:
    q = [parallel_name("nli", f"{number}") for number in range(4)]
    # Translated, the premises of 0 and 1 are equal; of 2 and 3 they are in a third file, and 1 and 2 in a fourth.
    items = np.array([*q, q[0], q[1], q[2], q[3], q[1], q[2]], dtype=object)
    clusters = np.array([*q, q[0], q[0], q[2], q[2], q[1], q[1]], dtype=object)
    assert len(set(united(items[:6], clusters[:6]))) == 3
    assert len(set(united(items, clusters))) == 1


def test_items_that_are_not_declared_parallel_unite_nothing() -> None:
    items = np.array(["1", "2", "2", "3"], dtype=object)
    clusters = np.array(["1", "1", "2", "2"], dtype=object)
    assert united(items, clusters).tolist() == clusters.tolist()
    declared = np.array([parallel_name("a", name) for name in clusters], dtype=object)
    assert united(items, declared).tolist() == declared.tolist()


def test_a_folder_with_gaps_in_its_parallel_sets_gives_shared_clusters(store: Store) -> None:
    q = [parallel_name("qa", f"q{number}") for number in range(5)]
    claim(store.folder, Header({"name": "s"}, {}, {}))
    store.write_targets("pos", "ud", "hau", q[1:], [q[1], q[1], q[3], q[4]])
    store.write_targets("pos", "ud", "wol", q[:4], [q[0], q[0], q[2], q[3]])
    unit = Unit({"protocol": "transfer", "base": "mini"})
    store.write(unit, [cell(0, setting="nudge", target="hau"), cell(0, setting="nudge", target="wol")])
    (part,) = open_run(store.folder).cluster_counts()
    hau, wol = np.split(part.targets.cluster, part.targets.starts[1:-1])
    # q0 to q2 are one: the one file has the first two together, the other the last two.
    assert (len(hau), len(wol)) == (3, 2) and hau[:2].tolist() == wol.tolist() and hau[2] not in wol
    assert part.targets.items.tolist() == [2, 1, 1, 3, 1]
    items = open_run(store.folder).items(target="wol")["correct"].to_numpy(dtype=np.float64)
    assert part.counts["correct"][0, 3:].tolist() == [items[:3].sum(), items[3]]
