"""The family tree, the four axes and their distances, and what stays when a world is changed."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from xltransfer.data.world import Rate, World, WorldSpec, make_world
from xltransfer.data.world.distances import AXES
from xltransfer.data.world.phonology import spell_phonemes
from xltransfer.data.world.scripts import SCRIPTS
from xltransfer.errors import ConfigError

STILL = {axis: 0.0 for axis in AXES}
FEW = {"families": ((2, 1), (2,)), "lemmas": 300}


def levenshtein(first: str, second: str) -> int:
    """Return the edit distance, by the textbook's recurrence."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        last, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


def test_default_world_has_the_promised_size(world: World) -> None:
    languages = world.languages
    assert len(languages) == 14 == len({lang.code for lang in languages}) == len({lang.name for lang in languages})
    assert len({lang.family for lang in languages}) == 3
    assert len({lang.genus for lang in languages}) == 6
    assert {lang.script for lang in languages} == {"Latn", "Cyrl"}
    assert all(len(lang.code) == 3 and "qaa" <= lang.code <= "qtz" for lang in languages)
    assert world.lexicon.lemmas >= 2000


@pytest.mark.parametrize("seed", range(5))
def test_both_scripts_are_used_whatever_the_seed(seed: int) -> None:
    world = make_world(WorldSpec(seed=seed, lemmas=200))
    scripts = {lang.code: lang.script for lang in world.languages}
    assert (scripts["qaa"], scripts["qba"], scripts["qbf"]) == ("Latn", "Cyrl", "Latn")


def test_distances_are_metrics(world: World) -> None:
    distances = world.distances()
    assert list(distances) == [*AXES, "tree"]
    for axis, frame in distances.items():
        values = frame.to_numpy()
        assert list(frame.index) == list(frame.columns) == list(world.codes)
        assert (values == values.T).all() and (np.diag(values) == 0).all() and (values >= 0).all()
        assert axis == "tree" or (values <= 1).all()
        for a, b, c in permutations(range(len(values)), 3):
            assert values[a, c] <= values[a, b] + values[b, c] + 1e-12, axis


def test_families_share_no_lexicon_and_genera_share_more_than_families(world: World) -> None:
    lexical = world.distances()["lexical"]
    near: dict[str, list[float]] = {"genus": [], "family": [], "world": []}
    for a, b in combinations(world.languages, 2):
        level = "genus" if a.genus == b.genus else "family" if a.family == b.family else "world"
        near[level].append(float(lexical.loc[a.code, b.code]))
    assert set(near["world"]) == {1.0}
    assert 0 < np.mean(near["genus"]) < np.mean(near["family"]) < 1


def test_lexical_distance_agrees_with_the_forms_when_sounds_stay() -> None:
    world = make_world(WorldSpec(seed=3, **FEW, **{**STILL, "lexical": Rate(founding=1.0, branch=0.3)}))
    lexical = world.distances()["lexical"]
    for a, b in combinations(world.codes, 2):
        n = world.lexicon.lemmas
        differ = (world.heritage[a].forms[:n] != world.heritage[b].forms[:n]).any(axis=1).mean()
        assert abs(differ - lexical.loc[a, b]) <= 0.02  # a coined form may by chance be the old one


def test_sound_distance_is_the_mean_normalised_edit_distance_without_gaps() -> None:
    world = make_world(WorldSpec(seed=2, **FEW, **{**STILL, "sound": 0.1}))
    sound = world.distances()["sound"]
    for a, b in combinations(world.codes, 2):
        forms = [
            [spell_phonemes(form) for form in world.heritage[code].forms[: world.lexicon.lemmas]] for code in (a, b)
        ]
        shares = [sum(x != y for x, y in zip(f, s, strict=True)) / len(f) for f, s in zip(*forms, strict=True)]
        assert sound.loc[a, b] == pytest.approx(np.mean(shares), abs=1e-12)
        edits = [levenshtein(f, s) / len(f) for f, s in zip(*forms, strict=True)]
        assert 0.9 * sound.loc[a, b] <= np.mean(edits) <= sound.loc[a, b] + 1e-12


def test_tree_distance_is_the_path_by_hand(small: World) -> None:
    length = {name: branch.length for name, branch in small.tree.items()}
    tree = small.distances()["tree"]
    assert tree.loc["qaa", "qab"] == pytest.approx(length["qaa"] + length["qab"])
    across = ["qaa", "Tala", "Talic", "Moric", "Mora", "qba"]
    assert tree.loc["qaa", "qba"] == pytest.approx(sum(length[name] for name in across))
    assert all(0.5 <= value <= 1.5 for value in length.values())


@pytest.mark.parametrize("axis", AXES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_one_axis_alone_moves_its_distance_alone(axis: str, seed: int) -> None:
    # One script change more or less makes two sisters differ whatever the seed; chance alone may move all alike.
    rate = Rate(branch=0.5, at={"qaa": 0.0, "qab": 1.0}) if axis == "script" else 0.5
    world = make_world(WorldSpec(seed=seed, **FEW, **{**STILL, axis: rate}))
    distances = world.distances()
    assert distances[axis].to_numpy().sum() > 0
    for other in set(AXES) - {axis}:
        assert distances[other].to_numpy().sum() == 0


@pytest.mark.parametrize("axis", AXES)
def test_one_rate_leaves_the_other_distances_as_they_were(axis: str) -> None:
    rates = {"sound": 0.1, "lexical": 0.2, "order": 0.2, "script": 0.3}
    before = make_world(WorldSpec(seed=8, **FEW, **rates)).distances()
    after = make_world(WorldSpec(seed=8, **FEW, **{**rates, axis: 0.7})).distances()
    assert not after[axis].equals(before[axis])
    for other in {*AXES, "tree"} - {axis}:
        assert after[other].equals(before[other])


def test_axes_show_in_the_sentences() -> None:
    """With all rates 0 all languages are one; each axis alone does to the text what its name says."""
    lines = make_world(WorldSpec(seed=4, **FEW, **STILL)).parallel(30)
    assert len({tuple(texts) for texts in lines.values()}) == 1
    [original] = {tuple(texts) for texts in lines.values()}
    spec = {"seed": 4, **FEW}

    transcribed = make_world(WorldSpec(**spec, **{**STILL, "script": Rate(at={"qab": 1.0})})).parallel(30)
    letters = str.maketrans(
        SCRIPTS[0].letters + SCRIPTS[0].letters.upper(), SCRIPTS[1].letters + SCRIPTS[1].letters.upper()
    )
    assert tuple(transcribed["qaa"]) == original
    assert tuple(transcribed["qab"]) == tuple(line.translate(letters) for line in original)

    ordered = make_world(WorldSpec(**spec, **{**STILL, "order": Rate(at={"qab": 1.0})})).parallel(30)
    assert tuple(ordered["qab"]) != original
    for line, moved in zip(original, ordered["qab"], strict=True):
        assert sorted(line.replace(",", "").split(".")[0]) == sorted(moved.replace(",", "").split(".")[0])

    sounded = make_world(WorldSpec(**spec, **{**STILL, "sound": Rate(at={"qab": 0.5})})).parallel(30)
    assert [len(line) for line in sounded["qab"]] == [len(line) for line in original]
    assert tuple(sounded["qab"]) != original

    replaced = make_world(WorldSpec(**spec, **{**STILL, "lexical": Rate(at={"qab": 0.5})})).parallel(30)
    kept = [
        w == v
        for a, b in zip(original, replaced["qab"], strict=True)
        for w, v in zip(a.split(), b.split(), strict=True)
    ]
    assert 0.2 < np.mean(kept) < 0.7


def test_rates_of_one_branch_one_family_and_all() -> None:
    rate = Rate(founding=0.9, branch=0.1, within={"Talic": 0.3}, at={"qab": 0.7, "Moric": 0.5})
    assert rate.on("Talic", "Talic", founding=True) == 0.9
    assert rate.on("Moric", "Moric", founding=True) == 0.5
    assert rate.on("qaa", "Talic", founding=False) == 0.3
    assert rate.on("qab", "Talic", founding=False) == 0.7
    assert rate.on("qba", "Moric", founding=False) == 0.1
    assert WorldSpec(sound=0.2).sound == Rate(founding=0.2, branch=0.2)  # type: ignore[arg-type]


def test_another_language_leaves_the_others_as_they_were() -> None:
    small = make_world(WorldSpec(seed=6, families=((2, 1), (1,)), lemmas=300))
    large = make_world(WorldSpec(seed=6, families=((3, 2), (1, 1), (2,)), lemmas=300))
    assert set(small.codes) < set(large.codes)
    for language in small.languages:
        assert language in large.languages
        assert small.text(language.code, 40) == large.text(language.code, 40)
        assert small.treebank(language.code, 20, "test") == large.treebank(language.code, 20, "test")
        assert small.ner(language.code, 20, "test") == large.ner(language.code, 20, "test")
    for axis, frame in small.distances().items():
        assert frame.equals(large.distances()[axis].loc[list(small.codes), list(small.codes)])


def test_unknown_language_is_answered_with_the_nearest(small: World) -> None:
    with pytest.raises(ConfigError, match=r"code 'qax' is no language of this world; did you mean 'q[ab][abf]'"):
        small.text("qax", 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sound": {"at": {"Tallic": 0.1}}}, r"'Tallic' is no node of the family tree.*did you mean 'Talic'"),
        ({"order": {"within": {"zzz": 0.1}}}, r"'zzz' is no node of the family tree"),
        ({"families": ()}, r"families has 0 entries; give 1 to 20"),
        ({"families": ((1,) * 6,)}, r"a family with 6 genera; give 1 to 5"),
        ({"families": ((6,),)}, r"less than or equal to 5"),
        ({"lexical": 1.5}, r"less than or equal to 1"),
        ({"lemma": 5}, r"Extra inputs are not permitted"),
    ],
)
def test_impossible_specs_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        WorldSpec.model_validate(fields)
