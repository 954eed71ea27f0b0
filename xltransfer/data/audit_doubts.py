"""What the audit's counts mean: sentences on what cannot run, and on what is doubtful."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from xltransfer.config.task import TaskSpec
from xltransfer.data.labelled import Labelled
from xltransfer.errors import near_match

BLANK_REFUSED = 0.5
UNKNOWN_MARKED = 0.05
UNKNOWN_EXCLUDED = 0.15
OVERLAP_MARKED = 0.01

_LISTED = 20
"""Misplaced answers that a warning lists."""
_LABELS_LISTED = 5
"""Foreign labels of one set that are refused one by one."""


def foreign_refusals(task: TaskSpec, where: str, examples: Sequence[Labelled]) -> list[str]:
    """Return a refusal for each label that is none of the task's, with the place where it first stands."""
    foreign: dict[str, list[Labelled]] = {}
    for each in examples:
        if each.label not in task.labels:
            foreign.setdefault(each.label, []).append(each)
    found = [
        f"{rows[0].place}: label {label!r} is not among the labels of task {task.name!r} ({len(rows)} of "
        f"{len(examples)} items of {where} have it); name it in the reader's rename_labels, list it in the task's "
        f"labels, or correct the file{near_match(label, task.labels)}"
        for label, rows in list(foreign.items())[:_LABELS_LISTED]
    ]
    if len(foreign) > _LABELS_LISTED:
        found.append(f"task {task.name!r}, {where}: {len(foreign) - _LABELS_LISTED} more labels are none of the task's")
    return found


def blank_refusals(sets: pd.DataFrame, tasks: Sequence[TaskSpec]) -> list[str]:
    """Return refusals of sets without text; ``sets`` has a column ``role`` besides the audit's."""
    shape = {task.name: task.shape for task in tasks}
    return [
        f"task {row['task']!r}, {row['role']} {row['entry']!r}: {100 * row['blank_share']:.0f} % of its "
        + _BLANK.get(shape[row["task"]], "forms are blank ('_'); the release has no text, leave it out")
        for row in _records(sets[sets["blank_share"] > BLANK_REFUSED])
    ]


_BLANK = {
    "nli": "pairs lack a premise or a hypothesis; check the reader's columns, or leave it out",
    "classification": "texts are empty; check the reader's columns, or leave it out",
}


def target_warnings(targets: pd.DataFrame, tasks: Sequence[TaskSpec], misplaced: pd.DataFrame) -> list[str]:
    """Return what is doubtful about targets, in the order of the table."""
    warnings = []
    specs = {task.name: task for task in tasks}
    for row in _records(targets):
        spec, doubts = specs[row["task"]], []
        if row["unknown_rate"] > UNKNOWN_MARKED:
            out = ", out of aggregates by default" if row["unknown_rate"] > UNKNOWN_EXCLUDED else ""
            doubts.append(f"{100 * row['unknown_rate']:.1f} % of its subwords are unknown{out}")
        if row["small"]:
            doubts.append(f"small ({_size(row, spec.shape)}), out of aggregates by default")
        if row["n_too_long"]:
            what, then = _TOO_LONG.get(spec.shape, ("sentences", ""))
            doubts.append(f"{row['n_too_long']} of {row['n_items']} {what} exceed the length limit{then}")
        doubts += _losses(row, spec, _OF_TARGETS, misplaced[misplaced["split"] == "test"])
        if row["in_train"] > OVERLAP_MARKED:
            doubts.append(f"{100 * row['in_train']:.1f} % of its sentences stand in the task's training data")
        warnings += [f"task {row['task']!r}, target {row['entry']!r}: {doubt}" for doubt in doubts]
    return warnings


def training_warnings(training: pd.DataFrame, tasks: Sequence[TaskSpec], misplaced: pd.DataFrame) -> list[str]:
    """Return what of the training sets does not train, in the order of the table."""
    specs = {task.name: task for task in tasks}
    return [
        f"task {row['task']!r}, training entry {row['entry']!r}: {doubt}"
        for row in _records(training)
        for doubt in _losses(row, specs[row["task"]], _OF_TRAINING, misplaced[misplaced["split"] == "train"])
    ]


_TOO_LONG = {
    "nli": ("pairs", "; see too_long"),
    "classification": ("texts", "; see too_long"),
    "qa": ("questions with their paragraphs", " and are read in windows"),
}
_UNSCORED = "questions leave so little of max_length that windows of their paragraph would not move on (see stride)"
_OF_TARGETS = {
    "n_blank": "items lack a text and are not scored",
    "n_unscored": f"{_UNSCORED}: they are not scored",
    "n_unheld": "questions have answers that no window holds whole: they are scored, but have no likelihood",
    "n_misplaced": "questions have an answer that does not stand at its offset: it is scored by its text",
    "n_longer": "questions have only answers that are longer than a prediction may be (max_answer)",
}
_OF_TRAINING = {
    "n_blank": "items lack a text and train nothing",
    "n_unscored": f"{_UNSCORED}: they train nothing",
    "n_unheld": "questions have answers that no window holds whole: they train as if without an answer",
    "n_misplaced": "questions have an answer that does not stand at its offset: it trains nothing",
}


def _losses(row: Mapping[str, Any], spec: TaskSpec, counted: Mapping[str, str], misplaced: pd.DataFrame) -> list[str]:
    """Return what of a set is not scored or does not train as it should."""
    doubts = []
    for column, what in counted.items():
        if column == "n_blank" and spec.shape not in ("nli", "classification"):
            continue  # Sentences count forms there.
        if not pd.isna(row[column]) and row[column]:
            doubts.append(f"{row[column]} of {row['n_items']} {what}")
            if column == "n_misplaced":
                own = misplaced[(misplaced["task"] == row["task"]) & (misplaced["entry"] == row["entry"])]
                doubts[-1] += f" ({_listed(own)})"
    if spec.shape in ("pos", "dep", "ner") and row["n_foreign_labels"]:
        doubts.append(f"{row['n_foreign_labels']} labels are none of the task's")
    return doubts


def _listed(misplaced: pd.DataFrame) -> str:
    """Return the ids and offsets of misplaced answers, the first of them if they are many."""
    rows = [f"{row['id']} at {row['answer_start']}" for row in _records(misplaced.head(_LISTED))]
    more = len(misplaced) - _LISTED
    return ", ".join(rows) + (f", and {more} more answers; --csv lists all" if more > 0 else "")


def _size(row: Mapping[str, Any], shape: str) -> str:
    """How large a target is, in what its task counts."""
    if shape in _TOO_LONG:
        return f"{row['n_items']} items"
    return f"{row['n_words']} words" + ("" if pd.isna(row["n_entities"]) else f" and {row['n_entities']} entities")


def corpus_warnings(corpora: pd.DataFrame, replicates: pd.DataFrame) -> list[str]:
    """Return which corpora are shorter than asked, and where all replicates see the same blocks."""
    short = [
        f"transfer corpus {row['corpus']!r} is short: {row['blocks']} blocks, {row['blocks_asked']} were asked for"
        for row in _records(corpora[corpora["short"]])
    ]
    same = replicates[replicates["expected_overlap"] >= 1]
    return short + [
        f"{len(group)} transfer corpora at k={steps}: every replicate sees all blocks (expected overlap 1); replicates "
        "differ in order, masking and dropout only"
        for steps, group in same.groupby("steps")
    ]


def overlap_warnings(overlap: pd.DataFrame) -> list[str]:
    """Return which transfer texts hold more than a hundredth of a test set."""
    marked = overlap[(overlap["kind"] == "transfer_test") & (overlap["share"] > OVERLAP_MARKED)]
    return [
        f"transfer corpus {row['source']!r} holds {row['n_overlap']} of {row['n_items']} test sentences of "
        f"{row['target']!r} (task {row['task']!r}; {row['n_exact']} exactly)"
        for row in _records(marked)
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
