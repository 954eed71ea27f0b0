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
    write("n.tsv", HEAD + "the dog run\tbig cats\tneutral\nzebra\tdog\tyes\n\tdog\tneutral\n")
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

    def _run(**changes: Any) -> Audit:
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
        "n_foreign_labels": 1,
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
        "n_too_long": 3, "n_foreign_labels": 0, "n_unheld": 1, "n_misplaced": 0,
    }  # fmt: skip
    assert found["in_train"] == 1.0


def test_transfer_text_that_holds_a_paragraph_is_found(run: Callable[..., Audit]) -> None:
    overlap = run().overlap
    held = overlap[overlap["kind"] == "transfer_test"].set_index("task")
    assert held["n_overlap"].to_dict() == {"nli": 0, "stars": 0, "qa": 3}


def test_what_is_lost_is_said(run: Callable[..., Audit]) -> None:
    found = run()
    assert found.refusals == ()
    warnings = "\n".join(found.warnings)
    for text in (
        "'nli', target 'pairs-e': 1 of 3 pairs exceed the length limit; see too_long",
        "'nli', target 'pairs-e': 1 of 3 items lack a text and are not scored",
        "'nli', target 'pairs-e': 1 labels are none of the task's",
        "'nli', target 'pairs-e': small (3 items), out of aggregates by default",
        "'qa', target 'questions-e': 3 of 3 questions with their paragraphs exceed the length limit and are read in",
        "'qa', target 'questions-e': 1 of 3 questions have an answer that no window holds whole",
    ):
        assert text in warnings


def test_a_file_that_is_refused_is_a_refusal_of_the_audit(run: Callable[..., Audit], write: Write) -> None:
    write("q.json", squad(("dog", "dog", 0)))
    write("n.tsv", HEAD + "a\tb\n")
    first, second = run().refusals
    assert "n.tsv:2: 2 columns, expected 3" in first
    assert "q.json: 1 of 1 questions (100 %, above 1 %)" in second and "q0: answer 'dog' at 0" in second
