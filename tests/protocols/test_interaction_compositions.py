"""What is fused with what: counted by hand, and the numbers of the 38 languages of the paper."""

from itertools import combinations
from string import ascii_lowercase

import pytest
from mini_study import MiniStudy

from xltransfer.config.interaction import Interaction, TripleSample
from xltransfer.engine import Fuse, Stack, parse_composition
from xltransfer.protocols.interaction.compositions import Mix, languages, mix_of, mixes, pairs, scored_on, triples

CODES = [f"q{a}{b}" for a in "ab" for b in ascii_lowercase[:19]]


def test_mini_study_has_the_compositions_counted_by_hand(interaction_files: MiniStudy) -> None:
    assert languages(interaction_files.resolved) == ("qaa", "qab", "qba")
    fused = ["qaa+qaa'", "qab+qab'", "qba+qba'", "qaa+qab", "qaa+qba", "qab+qba", "qaa+qab+qba"]
    expected = ["qaa", "qab", "qba"] + [f"{m};{kind}" for kind in ("trained", "untrained", "uniform") for m in fused]
    assert [mix.text for mix in mixes(interaction_files.resolved)] == expected


def test_38_languages_have_703_pairs_and_8436_triples() -> None:
    assert len(CODES) == 38
    assert len(pairs(Interaction(), CODES)) == 703
    assert len(triples(Interaction(triples="all"), CODES)) == 8436
    assert triples(Interaction(), CODES) == []


def test_listed_pairs_stand_in_the_order_of_the_study() -> None:
    spec = Interaction(pairs=(("yor", "wol"), ("eng", "yor")))
    assert pairs(spec, ["wol", "eng", "yor"]) == [("wol", "yor"), ("eng", "yor")]


def test_a_sample_of_triples_is_one_of_them_and_belongs_to_its_seed() -> None:
    def drawn(seed: int) -> list[tuple[str, ...]]:
        return triples(Interaction(triples=TripleSample(sample=200, seed=seed)), CODES)

    every = list(combinations(CODES, 3))
    first = drawn(1)
    assert first == drawn(1) != drawn(2)
    assert len(set(first)) == 200
    assert [triple for triple in every if triple in set(first)] == first


def test_every_triple_is_as_likely_as_any_other() -> None:
    codes, counts = CODES[:5], dict.fromkeys(combinations(CODES[:5], 3), 0)
    for seed in range(2000):
        for triple in triples(Interaction(triples=TripleSample(sample=3, seed=seed)), codes):
            counts[triple] += 1
    # 600 of 2,000 expected, standard deviation 20.5.
    assert all(abs(count - 600) < 5 * 20.5 for count in counts.values())


@pytest.mark.parametrize(
    ("mix", "composition"),
    [
        (Mix(("wol",)), Stack("wol", "pos@0")),
        (Mix(("wol", "wol'"), "trained"), Stack(Fuse("wol", "wol+2"), "pos@0")),
        (Mix(("wol", "yor"), "trained"), Stack(Fuse("wol", "yor"), "pos@0")),
        (
            Mix(("wol", "yor", "fra"), "uniform"),
            Stack(Fuse("wol", "yor", "fra", fusion="wol,yor,fra,@uniform"), "pos@0"),
        ),
    ],
)
def test_mixes_are_the_paper_s_compositions(mix: Mix, composition: Stack) -> None:
    assert mix.below("pos@0") == composition
    assert parse_composition(str(composition)) == composition
    assert mix_of(mix.text) == mix


def test_members_or_all_targets() -> None:
    found = [Mix(("a",)), Mix(("b",)), Mix(("a", "a'"), "trained"), Mix(("a", "b"), "trained")]
    assert [mix.label for mix in scored_on(Interaction(), found, "a")] == ["a", "a+a'", "a+b"]
    assert [mix.label for mix in scored_on(Interaction(), found, "b")] == ["b", "a+b"]
    assert list(scored_on(Interaction(targets="all"), found, "c")) == found
