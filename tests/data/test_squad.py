"""SQuAD's JSON: clusters, ids, offsets that do not fit, malformed files; XQuAD and TyDiQA-GoldP as they lie on disk."""

import csv
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from xltransfer.config.manifests import load_datasets
from xltransfer.config.readers import HubReader, SquadReader
from xltransfer.config.resolve import EntryRef
from xltransfer.data.hub import HubSplit
from xltransfer.data.question import Answer, Question
from xltransfer.data.read import read_questions
from xltransfer.data.squad import read_squad
from xltransfer.errors import DataError

Entry = Callable[..., EntryRef]
Write = Callable[[str, str], Path]
CONTEXT = "Ada was born in 1815 in London. \U0001f600 She wrote notes."


def question(name: str, *answers: tuple[str, int], text: str = "When?") -> dict[str, Any]:
    return {"id": name, "question": text, "answers": [{"text": t, "answer_start": at} for t, at in answers]}


def squad(*paragraphs: tuple[str, Sequence[dict[str, Any]]]) -> str:
    """One article a paragraph."""
    articles = [{"title": "t", "paragraphs": [{"context": context, "qas": list(qas)}]} for context, qas in paragraphs]
    return json.dumps({"version": "1.1", "data": articles})


def test_questions_of_one_paragraph_are_one_cluster(write: Write) -> None:
    path = write(
        "x.json",
        squad(
            (CONTEXT, [question("b", ("1815", 16)), question("a", ("London", 24), ("in London", 21))]),
            ("Other 5.", [question("c", ("5", 6))]),
            (CONTEXT, [question("d", ("Ada", 0))]),
        ),
    )
    found = read_squad(path, "eng")
    assert [(each.id, each.cluster) for each in found] == [("b", "b"), ("a", "b"), ("c", "c"), ("d", "b")]
    assert found[1].answers == (Answer("London", 24), Answer("in London", 21))
    assert (found[0].language, found[0].question, found[0].context) == ("eng", "When?", CONTEXT)
    shared = read_squad(path, "eng", parallel="xquad")
    assert [(each.id, each.cluster) for each in shared][1] == ("parallel:xquad:a", "parallel:xquad:b")


def test_offsets_count_code_points(write: Write) -> None:
    (found,) = read_squad(write("x.json", squad((CONTEXT, [question("a", ("She", 34))]))), "eng")
    assert found.answers[0].start == 34 and found.answers[0].end == 37


def test_up_to_one_in_a_hundred_may_be_misplaced(write: Write) -> None:
    right = [question(f"q{n}", ("1815", 16)) for n in range(99)]
    found = read_squad(write("x.json", squad((CONTEXT, [*right, question("bad", ("1815", 15))]))), "eng")
    assert [each.id for each in found if each.misplaced] == ["bad"]
    assert found[-1].answers == (Answer("1815", None),)
    assert (found[-1].answers[0].given, found[-1].there(found[-1].answers[0])) == (15, " 181")
    assert found[0].answers[0].given is None
    two = [question(f"b{n}", ("1815", 15), ("Ada", 999)) for n in (1, 2)]
    with pytest.raises(DataError) as refused:
        read_squad(write("x.json", squad((CONTEXT, [*right[2:], *two]))), "eng")
    lines = str(refused.value).splitlines()
    assert "x.json: 2 of 99 questions (2.02 %, above 1 %) have an answer that does not stand at its offset" in lines[0]
    assert lines[1:] == [
        "  b1: answer '1815' at 15, where ' 181' stands",
        "  b2: answer '1815' at 15, where ' 181' stands",
    ]


BAD = {
    "json": ("{", ":1: no JSON"),
    "form": (
        json.dumps({"data": [{"paragraphs": [{"qas": [{"id": "a"}]}]}]}),
        ": not the form of SQuAD v1.1 .*KeyError",
    ),
    "list": ("[1]", ": not the form of SQuAD v1.1"),
    "empty": (squad(), ": holds no question"),
    "id twice": (squad((CONTEXT, [question("a", ("Ada", 0))] * 2)), ": question id 'a' occurs twice"),
    "no answer": (
        squad((CONTEXT, [question("a")])),
        ": question 'a': has no answer; SQuAD v1.1 answers every question",
    ),
    "empty answer": (squad((CONTEXT, [question("a", (" ", 3))])), ": question 'a': has no answer"),
    "no context": (squad((" ", [question("a", ("Ada", 0))])), ": question 'a': has no context"),
    "no question": (squad((CONTEXT, [question("a", ("Ada", 0), text="")])), ": question 'a': has no text"),
    "deep": ("[" * 100_000, ": nested too deeply to be read; expected the form of SQuAD v1.1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(name: str, write: Write) -> None:
    text, message = BAD[name]
    with pytest.raises(DataError, match=f"bad.json{message}"):
        read_squad(write("bad.json", text), "eng")


ROW = {"id": "a", "question": "Who?", "context": CONTEXT, "answers": [{"text": "Ada", "answer_start": 0}]}
MISTYPED: dict[str, tuple[dict[str, Any], str]] = {
    "null id": ({"id": None}, "id is None, expected text or a whole number"),
    "empty id": ({"id": ""}, "id is '', expected text or a whole number"),
    "null question": ({"question": None}, "question is None, expected text"),
    "a question that is no number": ({"question": float("nan")}, "question is nan, expected text"),
    "null context": ({"context": None}, "context is None, expected text"),
    "null answers": ({"answers": None}, "answers is None, expected a list of text and answer_start"),
    "null text": ({"answers": [{"text": None, "answer_start": 0}]}, "the text of an answer is None, expected text"),
    "no offset": ({"answers": [{"text": "Ada"}]}, "answer_start of 'Ada' is None, expected a whole number"),
    "part of an offset": (
        {"answers": [{"text": "Ada", "answer_start": 0.9}]},
        "answer_start of 'Ada' is 0.9, expected a whole number of code points, from 0",
    ),
    "text for an offset": (
        {"answers": [{"text": "Ada", "answer_start": "0"}]},
        "answer_start of 'Ada' is '0', expected a whole number",
    ),
    "bare answer": ({"answers": ["Ada"]}, "an answer is 'Ada', expected an object with text and answer_start"),
}


@pytest.mark.parametrize("name", MISTYPED)
def test_values_of_another_type_are_refused_with_their_place(
    name: str, write: Write, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file and in a dataset of the hub alike."""
    changes, message = MISTYPED[name]
    row = ROW | changes
    path = write("bad.json", squad((row["context"], [question("b", ("Ada", 0)), row])))
    with pytest.raises(
        DataError,
        match=re.escape(f"bad.json: data[0].paragraphs[0].qas[{0 if 'context' in changes else 1}]: {message}"),
    ):
        read_squad(path, "eng")
    monkeypatch.setattr(HubSplit, "load", lambda self: Rows([ROW | {"id": "b"}, row]))
    with pytest.raises(DataError, match=re.escape(f"o/n/test: row 1: {message}")):
        read_questions(entry({"test": "test"}, HubReader(hub_id="o/n", layout="squad")), "test")


HUB_ANSWERS: dict[str, Any] = {
    "lists of two lengths": {"text": ["Ada", "A"], "answer_start": [0]},
    "one list": {"text": ["Ada"]},
    "no lists": {"text": "Ada", "answer_start": 0},
}


@pytest.mark.parametrize("name", HUB_ANSWERS)
def test_hub_answers_that_are_no_two_lists_are_refused(
    name: str, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HubSplit, "load", lambda self: Rows([ROW | {"answers": HUB_ANSWERS[name]}]))
    with pytest.raises(DataError, match=r"o/n/test: row 0: answers is \{.*\}, expected .* two lists of one length"):
        read_questions(entry({"test": "test"}, HubReader(hub_id="o/n", layout="squad")), "test")


class Rows(list[dict[str, Any]]):
    """What the reader needs of a ``datasets.Dataset``."""

    column_names = ("id", "question", "context", "answers")

    def __getitem__(self, name: Any) -> Any:
        return [row[name] for row in self]


def test_hub_questions(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"id": "a", "question": "When?", "context": CONTEXT, "answers": {"text": ["1815"], "answer_start": [16]}}
    monkeypatch.setattr(HubSplit, "load", lambda self: Rows([row]))
    reader = HubReader(hub_id="o/n", layout="squad", parallel={"test": "xquad"})
    (found,) = read_questions(entry({"test": "validation"}, reader, language="swa"), "test")
    assert found == Question("parallel:xquad:a", "parallel:xquad:a", "swa", "When?", CONTEXT, (Answer("1815", 16),))


def test_limit_and_options_arrive(write: Write, entry: Entry) -> None:
    write("x.json", squad((CONTEXT, [question("a", ("Ada", 0)), question("b", ("Ada", 0))])))
    ref = entry({"test": "x.json"}, SquadReader(parallel={"test": "c"}))
    assert [each.id for each in read_questions(ref, "test", limit=1)] == ["parallel:c:a"]


@pytest.mark.parametrize(("name", "files"), [("xquad-small", 12), ("tydiqa-goldp-small", 12)])
def test_real_files_hold_what_their_manifest_says(shared: Path, name: str, files: int) -> None:
    with (shared / "data" / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        listed = {row["path"]: int(row["rows"]) for row in csv.DictReader(file)}
    manifest, ids, counted = load_datasets()[name], {}, 0
    for each in manifest.entries:
        ref = EntryRef(name, each.name, each.language, manifest.reader, shared / manifest.root, each.files)
        for split, path in each.files.items():
            found = read_questions(ref, split)
            assert len(found) == listed[f"{manifest.root.removeprefix('data/')}/{path}"]
            assert not any(question.misplaced for question in found)
            counted += 1
        ids[each.language] = [(question.id, question.cluster) for question in read_questions(ref, "test")]
    assert counted == files
    assert (len(set(map(tuple, ids.values()))) == 1) == (name == "xquad-small")
    if name == "xquad-small":
        assert len({cluster for _, cluster in ids["eng"]}) == 24
