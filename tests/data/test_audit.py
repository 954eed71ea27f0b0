"""The audit of a study small enough to count by hand, and of the real data."""

import csv
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xltransfer.config.resolve import ResolvedStudy, resolve
from xltransfer.config.study import Study
from xltransfer.data.audit import Audit, audit
from xltransfer.data.tokenizer import load_tokenizer

Write = Callable[[str, str], Path]
ABOUT = {"title": "t", "source": "s", "licence": "l", "citation": "c"}


def conllu(*sentences: str, upos: str = "NOUN") -> str:
    """Sentences of words joined by spaces; a flat tree with subtyped relations."""
    blocks = []
    for sentence in sentences:
        words = enumerate(sentence.split(), start=1)
        relation = {True: "0\troot", False: "1\tnmod:poss"}
        blocks.append("\n".join(f"{i}\t{word}\t_\t{upos}\t_\t_\t{relation[i == 1]}\t_\t_" for i, word in words))
    return "\n\n".join(blocks) + "\n"


def dataset(name: str, reader: Mapping[str, Any], **entries: Mapping[str, str]) -> dict[str, Any]:
    """An inline manifest; every entry is English."""
    listed = [{"name": entry, "language": "eng", "files": files} for entry, files in entries.items()]
    return {"name": name, "reader": reader, "entries": listed, **ABOUT}


LONG = "the big cats run . the big dog run"  # 8 words without the full stop, one 8-gram
TASKS = ("pos", "dep", "ner")


def small_study(write: Write, **changes: Any) -> Study:
    """A treebank with train and test, an entity file, two texts; every number below follows from this text."""
    write("a-train.conllu", conllu("the cats run", "big dog ."))
    write("a-test.conllu", conllu("THE CATS RUN", LONG, "zebra _ dog"))
    write("n.txt", "dog B-PER\ncats I-PER\n\nrun O\n\nbig B-ORG\n")
    write("t.txt", "dog dog dog\n" * 3 + LONG + " big\n")
    write("h.txt", "dog cats\n" * 5)
    parts: dict[str, Any] = {
        "name": "small",
        "base": {"name": "b", "model": "folder-of-the-base", "seen": ["eng"]},
        "datasets": [
            dataset("tree", {"kind": "conllu"}, A={"train": "a-train.conllu", "test": "a-test.conllu"}),
            dataset("entities", {"kind": "bio"}, N={"train": "n.txt", "test": "n.txt"}),
            dataset("texts", {"kind": "text"}, T={"train": "t.txt", "test": "h.txt"}),
        ],
        "tasks": [
            {"name": "pos", "train": [{"dataset": "tree"}], "targets": [{"dataset": "tree"}], "max_length": 10},
            {"name": "dep", "labels": ["root"], "train": [{"dataset": "tree"}], "targets": [{"dataset": "tree"}]},
            {"name": "ner", "train": [{"dataset": "entities"}], "targets": [{"dataset": "entities"}]},
            {"name": "mlm", "targets": [{"dataset": "texts"}], "block": 8, "max_blocks": 2},
        ],
        "transfer": {"corpora": [{"dataset": "texts"}], "replicates": 2},
        "nudge": {"block": 8, "batch_size": 1},
        "cells": [{"steps": 1}, {"steps": 2, "tasks": ["pos"]}, {"steps": 9}],
    }
    return Study.model_validate(parts | changes)


@pytest.fixture
def run(write: Write, tmp_path: Path, tokenizer: Any) -> Callable[..., Audit]:
    def _run(**changes: Any) -> Audit:
        (tmp_path / "folder-of-the-base").mkdir(exist_ok=True)
        return audit(resolve(small_study(write, **changes), tmp_path), tokenizer)

    return _run


def row(table: pd.DataFrame, **where: str) -> dict[str, Any]:
    """The only row with these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    (record,) = table.to_dict("records")
    return {str(name): value for name, value in record.items()}


def test_treebank_target(run: Callable[..., Audit]) -> None:
    found = row(run().targets, task="pos")
    # THE CATS RUN -> 3 unknown; LONG -> 10 pieces (cats is two); zebra and _ -> unknown, dog
    assert all(pd.isna(found.pop(name)) for name in ("n_entities", "n_unscored", "n_unheld", "n_misplaced", "n_longer"))
    assert {name: found[name] for name in found if name.startswith("n_")} == {
        "n_items": 3, "n_clusters": 3, "n_words": 15, "n_blank": 1, "n_subwords": 16, "n_unknown": 5,
        "n_too_long": 1, "n_foreign_labels": 0,
    }  # fmt: skip
    assert found["blank_share"] == pytest.approx(1 / 15)
    assert found["unknown_rate"] == pytest.approx(5 / 16)
    assert found["fertility"] == pytest.approx(16 / 15)
    assert found["in_train"] == pytest.approx(1 / 3)  # "the cats run", whatever its case
    assert (found["small"], found["aggregate"]) == (True, False)


def test_relations_are_cut_before_they_are_compared_with_the_labels(run: Callable[..., Audit]) -> None:
    assert row(run().targets, task="dep")["n_foreign_labels"] == 12  # nmod:poss is not "root": 15 words, 3 roots
    assert row(run().targets, task="dep")["n_too_long"] == 0


def test_entity_target(run: Callable[..., Audit]) -> None:
    found = row(run().targets, task="ner")
    assert (found["n_items"], found["n_words"], found["n_entities"], found["in_train"]) == (3, 4, 2, 1.0)


def test_text_target(run: Callable[..., Audit]) -> None:
    found = row(run().targets, task="mlm")
    # 5 lines of [CLS] dog cat ##s [SEP]: 25 tokens, 3 blocks of 8, at most 2 scored
    assert (found["n_items"], found["n_words"], found["n_subwords"]) == (2, 10, 15)
    assert pd.isna(found["in_train"])


def test_training_entries(run: Callable[..., Audit]) -> None:
    found = row(run().training, task="pos")
    assert (found["entry"], found["n_items"], found["n_words"], found["n_subwords"]) == ("A", 2, 6, 7)


def test_transfer_corpus_and_replicates(run: Callable[..., Audit]) -> None:
    found = run()
    corpus = row(found.corpora)
    # 3 lines of 5 tokens and one of 13: 28 tokens, 3 blocks of 8
    assert (corpus["n_lines"], corpus["tokens"], corpus["blocks"], corpus["blocks_used"]) == (4, 28, 3, 3)
    assert (corpus["distinct_blocks"], corpus["short"]) == (3, False)
    overlap = found.replicates.set_index("steps")["expected_overlap"]
    assert overlap.to_dict() == pytest.approx({1: 1 / 3, 2: 2 / 3, 9: 1.0})
    assert "1 transfer corpora at k=9: every replicate sees all blocks" in "\n".join(found.warnings)


def test_expected_overlap_agrees_with_drawing(run: Callable[..., Audit]) -> None:
    import numpy as np

    rng = np.random.default_rng(5)
    pairs = [[set(rng.choice(3, size=2, replace=False).tolist()) for _ in range(2)] for _ in range(4000)]
    shared = [len(first & second) / 2 for first, second in pairs]
    assert run().replicates.set_index("steps")["expected_overlap"][2] == pytest.approx(np.mean(shared), abs=0.02)


def test_overlap_table(run: Callable[..., Audit]) -> None:
    found = run()
    train = row(found.overlap, kind="train_test", task="pos")
    assert (train["source"], train["target"], train["n_exact"], train["n_overlap"], train["n_items"]) == (
        "A",
        "A",
        1,
        1,
        3,
    )
    text = row(found.overlap, kind="transfer_test", task="pos")
    assert (text["n_exact"], text["n_contained"], text["share"]) == (0, 1, pytest.approx(1 / 3))
    assert "transfer corpus 'T' holds 1 of 3 test sentences of 'A' (task 'pos'; 0 exactly)" in found.warnings
    assert set(found.overlap["kind"] + found.overlap["task"]) == {
        *(f"train_test{task}" for task in TASKS),
        *(f"transfer_test{task}" for task in (*TASKS, "mlm")),
    }


def test_warnings_say_what_is_doubtful(run: Callable[..., Audit]) -> None:
    warnings = run().warnings
    expected = (
        "task 'pos', target 'A': 31.2 % of its subwords are unknown, out of aggregates by default",
        "task 'pos', target 'A': small (15 words), out of aggregates by default",
        "task 'pos', target 'A': 1 of 3 sentences exceed the length limit",
        "task 'dep', target 'A': 12 labels are none of the task's",
        "task 'pos', target 'A': 33.3 % of its sentences stand in the task's training data",
        "task 'ner', target 'N': small (4 words and 2 entities), out of aggregates by default",
    )
    assert set(expected) <= set(warnings)


def test_study_without_faults_is_not_refused(run: Callable[..., Audit]) -> None:
    assert run().refusals == ()


def test_more_replicates_than_distinct_blocks_are_refused(run: Callable[..., Audit]) -> None:
    found = run(transfer={"corpora": [{"dataset": "texts"}], "replicates": 4})
    assert found.refusals == (
        "transfer corpus 'T': 4 replicates but only 3 distinct blocks of 8 tokens; set fewer replicates, a smaller "
        "block or more text",
    )


def test_equal_blocks_are_not_distinct(run: Callable[..., Audit], write: Write) -> None:
    study = small_study(write).datasets[:2]
    write("same.txt", "dog dog dog dog dog dog\n" * 40)  # every line is one block of 8
    text = dataset("texts", {"kind": "text", "held_out": 0.0}, T={"train": "same.txt", "test": "h.txt"})
    found = run(datasets=[*study, text])
    assert row(found.corpora)["distinct_blocks"] == 1 and row(found.corpora)["blocks"] == 40
    assert "2 replicates but only 1 distinct blocks" in found.refusals[0]


def test_text_shorter_than_one_block_is_refused(run: Callable[..., Audit]) -> None:
    found = run(nudge={"block": 64})
    assert found.refusals == ("transfer corpus 'T': 28 tokens are shorter than one block of 64; add text",)
    assert found.replicates["expected_overlap"].isna().all()


def test_corpus_shorter_than_asked_is_marked(run: Callable[..., Audit]) -> None:
    found = run(transfer={"corpora": [{"dataset": "texts"}], "replicates": 2, "tokens": 80})
    assert row(found.corpora)["short"] and row(found.corpora)["blocks_asked"] == 10
    assert "transfer corpus 'T' is short: 3 blocks, 10 were asked for" in found.warnings


def with_test_file(write: Write, run: Callable[..., Audit], text: str) -> Audit:
    """Audit with another test file of the treebank."""
    study = small_study(write)
    write("bad.conllu", text)
    tree = dataset("tree", {"kind": "conllu"}, A={"train": "a-train.conllu", "test": "bad.conllu"})
    return run(datasets=[tree, *study.datasets[1:]])


def test_blank_treebank_is_refused(run: Callable[..., Audit], write: Write) -> None:
    found = with_test_file(write, run, conllu("_ _ dog"))
    assert found.refusals == tuple(
        f"task {task!r}, target 'A': 67 % of its forms are blank ('_'); the release has no text, leave it out"
        for task in ("pos", "dep")
    )
    assert with_test_file(write, run, conllu("_ dog")).refusals == ()  # half is not over half


def test_files_that_cannot_be_read_are_refused_together_and_once(run: Callable[..., Audit], write: Write) -> None:
    found = with_test_file(write, run, "\n")
    assert len(found.refusals) == 1 and "bad.conllu: holds no sentence" in found.refusals[0]
    assert set(found.targets["task"]) == {"ner", "mlm"}
    found = with_test_file(write, run, "1\tdog\n")
    assert len(found.refusals) == 1 and "bad.conllu:1: 2 tab-separated columns" in found.refusals[0]


def test_missing_annotation_is_refused(run: Callable[..., Audit], write: Write) -> None:
    found = with_test_file(write, run, "1\tdog\t_\t_\t_\t_\t_\t_\t_\t_\n")
    assert found.refusals == tuple(
        f"task {task!r}, test of 'A': 1 of 1 sentences lack the annotation of shape {task}; leave the entry out"
        for task in ("pos", "dep")
    )


def test_held_out_text_below_one_block_is_refused(run: Callable[..., Audit], write: Write) -> None:
    tasks = [task.model_dump() for task in small_study(write).tasks]
    tasks[3]["block"] = 26
    (refusal,) = run(tasks=tasks).refusals
    assert refusal.startswith("task 'mlm', target 'T': its held-out text has 25 tokens, fewer than one block of 26")


def test_tables_are_handed_out_as_copies(run: Callable[..., Audit]) -> None:
    found = run()
    copy = found.frame()
    copy["n_words"] = 0
    assert (found.frame("targets")["n_words"] > 0).all()
    with pytest.raises(ValueError, match="name='x'; the audit's tables are targets, training"):
        found.frame("x")


def real_study(shared: Path) -> ResolvedStudy:
    """All treebanks, entity files and texts of the shared data."""
    readers: dict[str, dict[str, Any]] = {
        "ud": {"kind": "conllu"},
        "masakhaner": {"kind": "bio", "drop_labels": ["DATE"]},
        "uner": {"kind": "bio", "token_column": 1, "tag_column": 2, "separator": "tab", "comments": True},
        "wikiann": {"kind": "bio", "separator": "tab", "language_prefix": True},
        "text": {"kind": "text"},
    }
    entries: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in readers}
    with (shared / "data" / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        for item in csv.DictReader(file):
            path = item["path"]
            collection = path.split("/")[0]
            if collection not in readers:
                continue
            name = (
                path.replace("/", "-").removesuffix(".txt") if collection == "text" else "-".join(path.split("/")[:-1])
            )
            listed: dict[str, Any] = {"name": name, "language": item["iso639_3"], "files": {}}
            entries[collection].setdefault(name, listed)["files"][item["split"]] = path
    datasets = [
        {
            "name": f"{name}-here",
            "root": "data",
            "reader": readers[name],
            "entries": list(entries[name].values()),
            **ABOUT,
        }
        for name in readers
    ]
    tree, entities = (
        [{"dataset": "ud-here"}],
        [{"dataset": f"{name}-here"} for name in ("masakhaner", "uner", "wikiann")],
    )
    both = [{"name": name, "train": tree, "targets": tree, "max_sentences": 150} for name in ("pos", "dep")]
    ner = {"name": "ner", "train": entities, "targets": entities, "max_sentences": 150}
    mlm = {"name": "mlm", "targets": [{"dataset": "text-here"}], "max_blocks": 20}
    parts = {
        "name": "real",
        "base": {"name": "b", "model": "models/mini-mbert", "seen": ["eng"]},
        "datasets": datasets,
        "tasks": [*both, ner, mlm],
        "transfer": {"corpora": [{"dataset": "text-here"}], "replicates": 3},
        "nudge": {"block": 128},
        "cells": [{"steps": 1}, {"steps": 10}],
    }
    return resolve(Study.model_validate(json.loads(json.dumps(parts))), shared)


@pytest.mark.slow
def test_real_data(shared: Path) -> None:
    study = real_study(shared)
    tokenizer = load_tokenizer(study.model)
    start = time.perf_counter()
    found = audit(study, tokenizer)
    assert time.perf_counter() - start < 60
    assert found.refusals == ()
    assert found.targets.groupby("task").size().to_dict() == {"pos": 47, "dep": 47, "ner": 19, "mlm": 48}
    assert set(found.targets["n_foreign_labels"]) == {0}
    neapolitan = row(found.targets, task="pos", entry="ud-UD_Neapolitan-RB")
    assert (neapolitan["n_items"], neapolitan["small"], neapolitan["aggregate"]) == (20, True, False)
    # The data's README: the eng and zho text can hold sentences of UNER's test parts; UD test sentences are left out.
    overlap = found.overlap[(found.overlap["kind"] == "transfer_test") & (found.overlap["n_exact"] > 5)]
    assert {("text-eng", "uner-UNER_English-EWT"), ("text-zho", "uner-UNER_Chinese-GSDSIMP")} <= set(
        zip(overlap["source"], overlap["target"], strict=True)
    )
    assert set(overlap["task"]) == {"ner"}
