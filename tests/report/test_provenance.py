"""What a run was made with and what it still lacks, from hand-made headers and rows."""

import json
from typing import Any

import pandas as pd

from xltransfer.report.provenance import describe, file_lines, progress, run_facts, stored_options
from xltransfer.runs.folder import Header

STUDY: dict[str, Any] = {
    "name": "s",
    "transfer": {"replicates": 2},
    "cells": [{"steps": 1, "languages": None}, {"steps": 10, "languages": ["aaa"]}],
    "controls": {"random_sign": {"steps": [10], "languages": None}, "shuffled_text": None},
}
HEADER = Header(STUDY, {"base": "b", "seed": 7}, {"device": "cpu", "torch": "2"}, {"z/test": "ff", "a/train": "00"},
                {"blocks of corpus": {"text-a": 1, "text-b": 1, "text-c": 1}})  # fmt: skip


def rows(*done: tuple[str, int, str, int]) -> pd.DataFrame:
    frame = pd.DataFrame(done, columns=["setting", "steps", "corpus", "replicate"])
    return frame.assign(transfer=frame["corpus"].map({"text-a": "aaa", "text-b": "bbb", "": ""}))


def test_wanted_models_are_counted_by_k_and_language() -> None:
    table = progress(HEADER, rows(("nudge", 1, "text-a", 0), ("nudge", 10, "text-a", 0), ("nudge", 1, "text-b", 1)))
    counts = table.set_index(["setting", "steps"])[["wanted", "there", "missing"]].to_dict("index")
    assert counts == {
        # Of text-c nothing is known; all languages are asked for, so it counts.
        ("nudge", 1): {"wanted": 6, "there": 2, "missing": 4},
        ("nudge", 10): {"wanted": 2, "there": 1, "missing": 1},
        ("random_sign", 10): {"wanted": 6, "there": 0, "missing": 6},
    }
    assert table["examples"].tolist()[1] == "text-a (replicate 1)"
    assert table["examples"].tolist()[0].endswith("and 1 more")


def test_a_header_without_parts_counts_what_was_seen() -> None:
    bare = Header(STUDY, {}, {}, {}, {})
    assert progress(bare, rows(("nudge", 1, "text-a", 0)))["wanted"].tolist() == [2, 2, 2]
    assert dict(run_facts(bare, "0.1"))["device"] == "?"


def test_facts_and_files() -> None:
    facts = dict(run_facts(HEADER, "0.1"))
    assert facts["base model"] == "b" and facts["torch"] == "2" and facts["seed of the study"] == "7"
    assert file_lines(HEADER).splitlines() == ["00  a/train", "ff  z/test"]


def test_options_of_rows_are_counted() -> None:
    frame = pd.DataFrame(
        {"options": [json.dumps({"pooler": "keep"})] * 2 + [json.dumps({"pooler": "x", "block": 8}), ""]}
    )
    table = stored_options(frame)
    assert table.to_numpy().tolist() == [["block", "8", 1], ["pooler", '"keep"', 2], ["pooler", '"x"', 1]]


def test_units_are_described_in_a_few_words() -> None:
    assert describe({"kind": "task_adapter", "task": "pos", "adapter_seed": 1}) == "task adapter pos, seed 1"
    key = {"setting": "nudge", "corpus": "text-a", "replicate": 0, "scores": {"10": 1, "1": 1}}
    assert describe(key) == "nudge, corpus text-a, replicate 0, k=1,10"
    assert describe({}) == "unit"
