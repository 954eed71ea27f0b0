"""The audit of pairs, labelled texts and questions, counted by hand."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xltransfer.config.resolve import resolve
from xltransfer.config.study import Study
from xltransfer.data.audit import Audit, audit

Write = Callable[[str, str], Path]
ABOUT = {"title": "t", "source": "s", "licence": "l", "citation": "c"}
HEAD = "premise\thypothesis\tlabel\n"
CONTEXT = "the big cats run . the dog run ."  # 9 words, 10 pieces (cats is two)


def squad(*questions: tuple[str, str, int]) -> str:
    qas = [
        {"id": f"q{n}", "question": text, "answers": [{"text": answer, "answer_start": at}]}
        for n, (text, answer, at) in enumerate(questions)
    ]
    return json.dumps({"data": [{"paragraphs": [{"context": CONTEXT, "qas": qas}]}]})


def dataset(name: str, reader: Mapping[str, Any], **files: str) -> dict[str, Any]:
    entries = [{"name": f"{name}-e", "language": "eng", "files": files}]
    return {"name": name, "reader": reader, "entries": entries, **ABOUT}


@pytest.fixture
def run(write: Write, tmp_path: Path, tokenizer: Any) -> Callable[..., Audit]:
    write("n-train.tsv", HEAD + "the dog run\tdog\tneutral\n")
    write("n.tsv", HEAD + "the dog run\tbig cats\tneutral\nzebra\tdog\tneutral\n\tdog\tneutral\n")
    write("r.jsonl", '{"text": "big big big big dog", "label": 5}\n{"text": "dog", "label": 2}\n')
    write("q-train.json", squad(("the dog", "dog", 23)))
    write("q.json", squad(("dog", "dog", 23), ("dog", "big", 4), ("the dog run", "cats run . the dog", 8)))
    write("t.txt", f"{CONTEXT}\n" + "dog dog dog\n" * 5)
    task = {"max_length": 10}
    parts: dict[str, Any] = {
        "name": "small",
        "base": {"name": "b", "model": "folder-of-the-base", "seen": ["eng"]},
        "datasets": [
            dataset("pairs", {"kind": "pairs", "blank": "unscored"}, train="n-train.tsv", test="n.tsv"),
            dataset("reviews", {"kind": "labelled", "format": "jsonl"}, train="r.jsonl", test="r.jsonl"),
            dataset("questions", {"kind": "squad"}, train="q-train.json", test="q.json"),
            dataset("texts", {"kind": "text", "held_out": 0}, train="t.txt"),
        ],
        "tasks": [
            {"name": name, "shape": shape, "train": [{"dataset": data}], "targets": [{"dataset": data}], **task, **more}
            for name, shape, data, more in (
                ("nli", "nli", "pairs", {"max_length": 8}),
                ("stars", "classification", "reviews", {"labels": ["2", "5"], "max_length": 8}),
                ("qa", "qa", "questions", {"stride": 2}),
            )
        ],
        "transfer": {"corpora": [{"dataset": "texts"}], "replicates": 1},
        "nudge": {"block": 8, "batch_size": 1},
        "cells": [{"steps": 1}],
    }
    (tmp_path / "folder-of-the-base").mkdir()

    def _run(qa: Mapping[str, Any] | None = None) -> Audit:
        changes = {"tasks": [*parts["tasks"][:2], parts["tasks"][2] | (qa or {})]}
        return audit(resolve(Study.model_validate(parts | changes), tmp_path), tokenizer)

    return _run


def row(table: pd.DataFrame, task: str) -> dict[str, Any]:
    (record,) = table[table["task"] == task].to_dict("records")
    return {str(name): value for name, value in record.items()}


def counts(found: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(found[name]) for name in found if name.startswith("n_") and not pd.isna(found[name])}


def test_pairs(run: Callable[..., Audit]) -> None:
    found = row(run().targets, "nli")
    # the dog run + big cats (3 pieces) + 3 special tokens = 9; zebra is unknown; the last pair lacks its premise.
    assert counts(found) == {
        "n_items": 3, "n_clusters": 3, "n_words": 8, "n_blank": 1, "n_subwords": 9, "n_unknown": 1, "n_too_long": 1,
        "n_foreign_labels": 0,
    }  # fmt: skip
    assert found["in_train"] == pytest.approx(1 / 3)  # the premise is what is looked for
    assert (found["small"], found["aggregate"]) == (True, False)


def test_labelled_texts(run: Callable[..., Audit]) -> None:
    found = row(run().targets, "stars")
    assert counts(found) == {
        "n_items": 2, "n_clusters": 2, "n_words": 6, "n_blank": 0, "n_subwords": 6, "n_unknown": 0, "n_too_long": 0,
        "n_foreign_labels": 0,
    }  # fmt: skip


def test_questions(run: Callable[..., Audit]) -> None:
    found = row(run().targets, "qa")
    # Rooms of 6 and 4 subwords for 10; "cats run . the dog" are subwords 2-7, "dog" 7: windows 0-6, 4-10 and 0-4, ...
    assert counts(found) == {
        "n_items": 3, "n_clusters": 1, "n_words": 5 + 3 * 7, "n_blank": 0, "n_subwords": 5 + 3 * 10, "n_unknown": 0,
        "n_too_long": 3, "n_foreign_labels": 0, "n_unscored": 0, "n_unheld": 1, "n_misplaced": 0, "n_longer": 0,
    }  # fmt: skip
    assert found["in_train"] == 1.0


def test_questions_that_are_not_scored_or_out_of_reach_are_told_apart(run: Callable[..., Audit], write: Write) -> None:
    """Rooms of 6, 2 and 0 for 10 subwords; windows share 2, and a paragraph of 1 is read in any room."""
    long = "cats cats dog"  # five pieces
    paragraphs = json.loads(squad(("dog", "dog", 23), (long, "big", 4), (f"{long} cats", "big", 4)))
    short = json.loads(squad((long, "dog", 0)))["data"][0]["paragraphs"][0]
    short["context"], short["qas"][0]["id"] = "dog", "short"
    paragraphs["data"][0]["paragraphs"].append(short)
    write("q.json", json.dumps(paragraphs))
    found = row(run().targets, "qa")
    assert (found["n_items"], found["n_unscored"], found["n_unheld"], found["n_too_long"]) == (4, 2, 0, 1)
    write("q.json", squad(("dog", "big cats", 4), ("dog", "dog", 23)))
    found = run(qa={"max_answer": 2})
    assert row(found.targets, "qa")["n_longer"] == 1  # big, cat, ##s
    said = "1 of 2 questions have only answers that are longer than a prediction may be (max_answer)"
    assert f"task 'qa', target 'questions-e': {said}" in found.warnings


def test_transfer_text_that_holds_a_paragraph_is_found(run: Callable[..., Audit]) -> None:
    overlap = run().overlap
    held = overlap[overlap["kind"] == "transfer_test"].set_index("task")
    assert held["n_overlap"].to_dict() == {"nli": 0, "stars": 0, "qa": 3}


def test_what_is_lost_is_said(run: Callable[..., Audit], write: Write) -> None:
    write("q-train.json", squad(("the dog run", "cats run . the dog", 8), (8 * "dog ", "dog", 23)))
    write("n-train.tsv", HEAD + "the dog run\tdog\tneutral\nbig\tdog\tneutral\nbig\t\tneutral\n")
    found = run()
    assert found.refusals == ()
    warnings = "\n".join(found.warnings)
    for text in (
        "'nli', target 'pairs-e': 1 of 3 pairs exceed the length limit; see too_long",
        "'nli', target 'pairs-e': 1 of 3 items lack a text and are not scored",
        "'nli', target 'pairs-e': small (3 items), out of aggregates by default",
        "'qa', target 'questions-e': 3 of 3 questions with their paragraphs exceed the length limit and are read in",
        "'qa', target 'questions-e': 1 of 3 questions have answers that no window holds whole: they are scored",
        "'nli', training entry 'pairs-e': 1 of 3 items lack a text and train nothing",
        "'qa', training entry 'questions-e': 1 of 2 questions have answers that no window holds whole: they train",
        "'qa', training entry 'questions-e': 1 of 2 questions leave so little of max_length that windows of their",
    ):
        assert text in warnings


@pytest.mark.parametrize(("name", "split"), [("n.tsv", "test"), ("n-train.tsv", "train")])
def test_labels_that_the_task_lacks_are_refused_with_their_place(
    name: str, split: str, run: Callable[..., Audit], write: Write
) -> None:
    rows = ["neutral", "entailement", "entailement", "yes"]
    write(name, HEAD + "".join(f"the dog run\tdog {number}\t{label}\n" for number, label in enumerate(rows)))
    first, second = run().refusals
    assert first.partition(name)[2] == (
        f":3: label 'entailement' is not among the labels of task 'nli' (2 of 4 items of {split} of 'pairs-e' have it);"
        " name it in the reader's rename_labels, list it in the task's labels, or correct the file; did you mean "
        "'entailment'?"
    )
    assert f"{name}:5: label 'yes' is not among the labels of task 'nli' (1 of 4 items" in second


def test_many_foreign_labels_are_counted(run: Callable[..., Audit], write: Write) -> None:
    write("n.tsv", HEAD + "".join(f"the dog run\tdog\tlabel {number}\n" for number in range(8)))
    refusals = run().refusals
    assert len(refusals) == 6
    assert refusals[-1] == "task 'nli', test of 'pairs-e': 3 more labels are none of the task's"


def test_blank_pairs_are_counted_as_pairs(run: Callable[..., Audit], write: Write) -> None:
    """Two of three pairs lack a side, though most words are there."""
    write("n.tsv", HEAD + "the dog run .\tbig cats run .\tneutral\nbig big big\t\tneutral\n\tdog\tneutral\n")
    found = run()
    assert row(found.targets, "nli")["blank_share"] == pytest.approx(2 / 3)
    assert found.refusals == (
        "task 'nli', target 'pairs-e': 67 % of its pairs lack a premise or a hypothesis; check the reader's columns, "
        "or leave it out",
    )


@pytest.mark.parametrize(("n", "small"), [(49, True), (50, False)])
def test_fifty_questions_are_not_small(n: int, small: bool, run: Callable[..., Audit], write: Write) -> None:
    write("q.json", squad(*[("dog", "dog", 23)] * n))
    assert row(run().targets, "qa")["small"] == small


def test_misplaced_answers_are_listed(run: Callable[..., Audit], write: Write) -> None:
    """25 of 2600: below one in a hundred."""
    wrong = [("dog", "dog", 22)] * 25
    write("q.json", squad(*wrong, *[("dog", "dog", 23)] * 2575))
    found = run()
    assert row(found.targets, "qa")["n_misplaced"] == 25 and row(found.targets, "qa")["n_unheld"] == 0
    (warning,) = (each for each in found.warnings if "stand at its offset" in each)
    assert "25 of 2600 questions have an answer that does not stand at its offset: it is scored by its text" in warning
    listed = ", ".join(f"q{number} at 22" for number in range(20))
    assert warning.endswith(f" ({listed}, and 5 more answers; --csv lists all)")
    table = found.frame("misplaced")
    assert table["id"].tolist() == [f"q{number}" for number in range(25)]
    assert table.iloc[0].to_dict() == {
        "task": "qa", "split": "test", "dataset": "questions", "entry": "questions-e", "language": "eng", "id": "q0",
        "answer": "dog", "answer_start": 22, "there": " do",
    }  # fmt: skip


def test_a_file_that_is_refused_is_a_refusal_of_the_audit(run: Callable[..., Audit], write: Write) -> None:
    write("q.json", squad(("dog", "dog", 0)))
    write("n.tsv", HEAD + "a\tb\n")
    first, second = run().refusals
    assert "n.tsv:2: 2 columns, expected 3" in first
    assert "q.json: 1 of 1 questions (100 %, above 1 %)" in second and "q0: answer 'dog' at 0" in second
