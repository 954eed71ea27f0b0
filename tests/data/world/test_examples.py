"""Pairs, questions and reviews of a world: their labels derived anew from the words, and the files read back."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from xltransfer.config.manifests import DatasetManifest
from xltransfer.config.resolve import EntryRef
from xltransfer.data.labelled import Labelled
from xltransfer.data.parallel import is_parallel
from xltransfer.data.read import read_examples, read_labelled, read_questions
from xltransfer.data.world import Counts, World, WorldSpec, make_world, write_world
from xltransfer.data.world.meaning import Meaning, Node
from xltransfer.data.world.pairs import NEGATED

NONE = {"nli_test": 0, "qa_test": 0, "reviews_test": 0}
SPEC = WorldSpec(
    seed=11,
    families=((2,), (1,)),
    lemmas=300,
    counts=Counts(
        text=5, train=2, dev=0, test=2, ner_train=2, ner_test=2, parallel=0,
        nli_train=10, nli_test=6, qa_train=8, qa_test=9, reviews_train=7, reviews_test=5,
    ),
)  # fmt: skip


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def negation(world: World, code: str) -> str:
    """Return the word that denies a clause."""
    return world.say(code, Meaning("m", "m", Node("negation-0000", "PART", "root"))).text


def denials(world: World, code: str, text: str) -> int:
    return words(text).count(negation(world, code))


@pytest.mark.parametrize("place", [0, 5, 13])
def test_labels_follow_from_the_words_in_every_language(world: World, place: int) -> None:
    code = world.codes[place]
    found = Counter()
    for pair in world.pairs(code, 80, "test"):
        assert pair.second is not None
        premise, hypothesis = set(words(pair.text)), set(words(pair.second))
        alike = denials(world, code, pair.text) == denials(world, code, pair.second)
        new = hypothesis - premise
        if pair.label == "entailment":
            assert alike and not new
        elif pair.label == "neutral":
            assert alike and len(new) == 1
        else:
            assert not alike and new <= {negation(world, code)}
        found[pair.label] += 1
    assert set(found.values()) == {80}


def test_some_premises_are_negated_and_hypotheses_alone_tell_little(world: World) -> None:
    pairs = world.pairs("qaa", 400, "train")
    negated = [denials(world, "qaa", pair.text) for pair in pairs[::3]]
    assert set(negated) == {0, 1}
    assert sum(negated) / len(negated) == pytest.approx(NEGATED, abs=0.04)
    right = 0
    for pair in pairs:
        guess = "contradiction" if denials(world, "qaa", pair.second or "") else "neutral"
        right += guess == pair.label
    # The contradictions of plain premises, and the neutral ones of plain premises.
    assert right / len(pairs) == pytest.approx((1 - NEGATED + 1 - NEGATED) / 3, abs=0.04)


def test_pairs_mean_the_same_in_all_languages(world: World) -> None:
    first, *others = (
        [(each.id, each.cluster, each.label) for each in world.pairs(code, 12, "test")] for code in world.codes
    )
    assert all(other == first for other in others)
    assert [name for name, _, _ in first] == [str(n) for n in range(1, 37)]
    assert set(Counter(cluster for _, cluster, _ in first).values()) == {3}


def test_more_examples_leave_the_first_as_they_were(world: World) -> None:
    again = make_world(world.spec)
    for few, many in (
        (again.pairs("qab", 5, "test"), world.pairs("qab", 50, "test")),
        (again.questions("qab", 5, "test"), world.questions("qab", 50, "test")),
        (again.reviews("qab", 5, "test"), world.reviews("qab", 50, "test")),
    ):
        assert list(many[: len(few)]) == list(few)
    assert world.pairs("qab", 5, "test") != world.pairs("qab", 5, "train")


@pytest.mark.parametrize("place", [0, 5, 13])
def test_answers_stand_where_they_are_said_to_and_are_names(world: World, place: int) -> None:
    code = world.codes[place]
    questions = world.questions(code, 60, "test")
    assert len({each.id for each in questions}) == 60
    for each in questions:
        (answer,) = each.answers
        assert answer.start is not None
        assert each.context[answer.start : answer.end] == answer.text
        assert all(word[0].isupper() for word in answer.text.split())
        sentence = next(s for s in re.split(r"(?<=[.?!]) ", each.context) if answer.text in s)
        # What is asked is said in that sentence, the gap put for the answer.
        assert set(words(each.question)) <= set(words(sentence))
        assert each.question.split().count("?") == 1
        assert not set(words(answer.text)) & set(words(each.question)) or len(words(sentence)) > len(
            set(words(sentence))
        )
    assert len({each.cluster for each in questions}) < 60


def test_questions_mean_the_same_in_all_languages(world: World) -> None:
    ids = {tuple((each.id, each.cluster) for each in world.questions(code, 20, "test")) for code in world.codes}
    assert len(ids) == 1


def test_stars_can_be_told_from_the_adjectives(world: World) -> None:
    """A count of each word's stars in one half of the reviews tells those of the other half far above chance."""
    reviews = world.reviews("qaa", 600, "train")
    seen: dict[str, Counter[str]] = {}
    for each in reviews[:400]:
        for word in words(each.text):
            seen.setdefault(word, Counter())[each.label] += 1
    stars = Counter(each.label for each in reviews)
    assert set(stars) == set("12345") and min(stars.values()) > 80
    right = 0
    for each in reviews[400:]:
        total: Counter[str] = Counter()
        for word in words(each.text):
            counted = seen.get(word, Counter())
            for label, number in counted.items():
                total[label] += number / sum(counted.values()) if counted[label] > 1 else 0
        right += bool(total) and total.most_common(1)[0][0] == each.label
    assert right / 200 > 0.5


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    world, folder = make_world(SPEC), tmp_path_factory.mktemp("examples")
    write_world(world, folder)
    return world, folder


def refs(folder: Path, kind: str) -> dict[str, EntryRef]:
    """Return the entries of a written manifest by language."""
    text = (folder / f"world-{kind}.yaml").read_text(encoding="utf-8")
    manifest = DatasetManifest.model_validate(yaml.safe_load(text))
    return {
        each.language: EntryRef(manifest.name, each.name, each.language, manifest.reader, folder, each.files)
        for each in manifest.entries
    }


def said(each: Labelled) -> tuple[str, str | None, str]:
    return each.text, each.second, each.label


def test_files_are_read_back(written: tuple[World, Path]) -> None:
    world, folder = written
    for code, ref in refs(folder, "nli").items():
        for split, premises in (("train", 10), ("test", 6)):
            own, read = world.pairs(code, premises, split), read_labelled(ref, split)
            assert list(map(said, read)) == list(map(said, own))
            assert [each.id for each in read] == [f"parallel:world-11-nli-{split}:{one.id}" for one in own]
            assert len({each.cluster for each in read}) == premises
    for code, ref in refs(folder, "qa").items():
        questions, back = world.questions(code, 9, "test"), read_questions(ref, "test")
        assert [(q.question, q.context, q.answers) for q in back] == [
            (q.question, q.context, q.answers) for q in questions
        ]
        assert len({(a.cluster, b.cluster) for a, b in zip(questions, back, strict=True)}) == len(
            {q.cluster for q in back}
        )
    for code, ref in refs(folder, "reviews").items():
        assert list(map(said, read_labelled(ref, "train"))) == list(map(said, world.reviews(code, 7, "train")))


@pytest.mark.parametrize("kind", ["nli", "qa", "reviews"])
def test_items_of_all_languages_share_their_names(written: tuple[World, Path], kind: str) -> None:
    _, folder = written
    names = {tuple((e.id, e.cluster) for e in read_examples(ref, "test")) for ref in refs(folder, kind).values()}
    ((first, *_),) = names
    assert all(map(is_parallel, first))


def test_what_has_no_test_part_is_not_written(tmp_path: Path) -> None:
    counts = SPEC.counts.model_copy(update={**NONE, "qa_test": 3, "qa_train": 0})
    paths = write_world(make_world(SPEC.model_copy(update={"counts": counts})), tmp_path)
    assert [path.stem for path in paths] == ["world-text", "world-ud", "world-ner", "world-qa"]
    assert not (tmp_path / "nli").exists() and not (tmp_path / "reviews").exists()
    assert {path.name for path in (tmp_path / "qa").iterdir()} == {f"{code}-test.json" for code in refs(tmp_path, "qa")}
