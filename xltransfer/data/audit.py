"""The audit: what a study's data is like, before anything runs. Counts and shares only.

The smallest detectable effect is not here, it needs statistics; the command joins it to these tables. Thresholds are
those of the project's protocol: over half of the forms blank is refused, unknown tokens over 5 % are marked and over
15 % leave the aggregates by default, as do targets under 300 words, 50 entities or 100 pairs (texts, questions).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.config.task import TaskSpec
from xltransfer.data.audit_corpora import audit_corpora
from xltransfer.data.audit_overlap import audit_overlap
from xltransfer.data.measure import MeasuredSentences, MeasuredText, Measurer, lacks_layer

BLANK_REFUSED = 0.5
UNKNOWN_MARKED = 0.05
UNKNOWN_EXCLUDED = 0.15
MIN_WORDS = 300
MIN_ENTITIES = 50
MIN_DECISIONS = 100
"""Pairs, texts or questions."""
OVERLAP_MARKED = 0.01

SET_COLUMNS = (
    "task", "dataset", "entry", "language", "n_items", "n_clusters", "n_words", "n_blank", "n_subwords", "n_unknown",
    "n_too_long", "n_entities", "n_foreign_labels", "n_unheld", "n_misplaced", "blank_share", "unknown_rate",
    "fertility",
)  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """Tables about a study's data, and what follows from them.

    Attributes
    ----------
    targets
        One row per task and target: ``task, dataset, entry, language``; counts ``n_items`` (sentences, pairs, texts,
        questions; blocks of masked text), ``n_clusters``, ``n_words`` (in plain text a letter of a script without
        spaces is a word), ``n_blank`` (forms ``_`` or empty; pairs and texts that lack a side), ``n_subwords``,
        ``n_unknown``, ``n_too_long`` (items over the length limit; questions read in several windows), ``n_entities``
        (missing but for entities), ``n_foreign_labels`` (labels that the task does not have), ``n_unheld`` (questions
        whose answer lies in no window whole) and ``n_misplaced`` (questions with an answer that does not stand at its
        offset; both missing but for questions); ``blank_share``, ``unknown_rate`` (of subwords),
        ``fertility`` (subwords a word); ``in_train`` (share of sentences that stand in any training set of the task);
        ``small``, ``aggregate`` (False: shown, but out of aggregates by default).
    training
        The same counts per task and training entry.
    corpora
        One row per transfer corpus, see :func:`xltransfer.data.audit_corpora.audit_corpora`.
    replicates
        One row per transfer corpus and number of steps.
    overlap
        One row per test set and other text, see :func:`xltransfer.data.audit_overlap.audit_overlap`.
    refusals
        Sentences; a study with any cannot run.
    warnings
        Sentences.
    """

    targets: pd.DataFrame
    training: pd.DataFrame
    corpora: pd.DataFrame
    replicates: pd.DataFrame
    overlap: pd.DataFrame
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]

    def frame(self, name: str = "targets") -> pd.DataFrame:
        """Return a copy of the table ``targets``, ``training``, ``corpora``, ``replicates`` or ``overlap``.

        Raises
        ------
        ValueError
            For another name.
        """
        tables = ("targets", "training", "corpora", "replicates", "overlap")
        if name not in tables:
            raise ValueError(f"name={name!r}; the audit's tables are {', '.join(tables)}")
        table: pd.DataFrame = getattr(self, name)
        return table.copy()


def audit(resolved: ResolvedStudy, tokenizer: Any) -> Audit:
    """Count everything that a study's data should be judged by.

    Parameters
    ----------
    resolved
        The study with its entries found.
    tokenizer
        The base model's tokenizer, see :func:`xltransfer.data.tokenizer.load_tokenizer`.

    Returns
    -------
    Audit
        Files that cannot be read are refusals, all of them together, and missing from the tables.
    """
    measurer = Measurer(tokenizer)
    refusals: list[str] = []
    tasks = resolved.study.tasks
    training = _sets(tasks, resolved.train, "train", measurer, refusals)
    targets = _sets(tasks, resolved.targets, "test", measurer, refusals)
    corpora, replicates, short = audit_corpora(resolved, measurer)
    overlap, in_train = audit_overlap(resolved, measurer)
    targets = _judged(targets, in_train, tasks)
    refusals += _blank(pd.concat([targets.assign(role="target"), training.assign(role="training entry")]))
    return Audit(
        targets=targets,
        training=training,
        corpora=corpora,
        replicates=replicates,
        overlap=overlap,
        refusals=tuple(dict.fromkeys([*measurer.problems, *refusals, *short])),
        warnings=(*_set_warnings(targets, tasks), *_corpus_warnings(corpora, replicates), *_overlap_warnings(overlap)),
    )


def _sets(
    tasks: Sequence[TaskSpec],
    entries: Mapping[str, Sequence[EntryRef]],
    split: str,
    measurer: Measurer,
    refusals: list[str],
) -> pd.DataFrame:
    """Count every entry of every task; entries that lack the task's annotation are refused."""
    rows = []
    for task in tasks:
        limit = task.max_sentences if split == "test" else task.max_train_sentences
        for ref in entries[task.name]:
            head = {"task": task.name, "dataset": ref.dataset, "entry": ref.name, "language": ref.language}
            if task.shape == "mlm":
                text = measurer.text(ref, split)
                if text is not None:
                    rows.append(head | _text_counts(task, ref, text, refusals))
                continue
            found = measurer.examples(ref, split, limit)
            if found is None:
                continue
            rows.append(head | found.counts(task))
            if isinstance(found, MeasuredSentences) and (lacking := lacks_layer(found.sentences, task)):
                what = f"{lacking} of {len(found.sentences)} sentences lack the annotation of shape {task.shape}"
                refusals.append(f"task {task.name!r}, {split} of {ref.name!r}: {what}; leave the entry out")
    frame = pd.DataFrame(rows, columns=list(SET_COLUMNS)).astype({c: "Int64" for c in SET_COLUMNS if c[:2] == "n_"})
    counts = frame.filter(like="n_").astype("float64")
    return frame.assign(
        blank_share=counts["n_blank"] / counts["n_words"],
        unknown_rate=counts["n_unknown"] / counts["n_subwords"],
        fertility=counts["n_subwords"] / counts["n_words"],
    )


def _text_counts(task: TaskSpec, ref: EntryRef, text: MeasuredText, refusals: list[str]) -> dict[str, int | None]:
    """Counts of a held-out text; its items are the blocks that are scored."""
    available = len(text.cut(task.block))
    if available == 0:
        what = f"its held-out text has {text.stream.size} tokens, fewer than one block of {task.block}"
        refusals.append(f"task {task.name!r}, target {ref.name!r}: {what}; leave it out or set a smaller block")
    n_items = available if task.max_blocks is None else min(available, task.max_blocks)
    return {
        "n_items": n_items,
        "n_clusters": n_items,
        "n_words": text.n_words,
        "n_blank": 0,
        "n_subwords": text.n_subwords,
        "n_unknown": text.n_unknown,
        "n_too_long": 0,
        "n_entities": None,
        "n_foreign_labels": 0,
    }


def _judged(targets: pd.DataFrame, in_train: pd.Series, tasks: Sequence[TaskSpec]) -> pd.DataFrame:
    """Add ``in_train``, ``small`` and ``aggregate``."""
    shape = targets["task"].map({task.name: str(task.shape) for task in tasks})
    # Masked text is as long as the study makes it and is never small.
    small = shape.isin(["pos", "dep", "ner"]) & (targets["n_words"] < MIN_WORDS)
    small |= shape.isin(["nli", "qa", "classification"]) & (targets["n_items"] < MIN_DECISIONS)
    small |= (shape == "ner") & (targets["n_entities"].astype("float64") < MIN_ENTITIES)
    keys = pd.MultiIndex.from_frame(targets[["task", "entry"]])
    return targets.assign(
        in_train=in_train.reindex(keys).to_numpy(dtype=np.float64),
        small=small.astype(bool),
        aggregate=(~small & (targets["unknown_rate"] <= UNKNOWN_EXCLUDED)).astype(bool),
    )


def _blank(sets: pd.DataFrame) -> list[str]:
    """Refusals of sets without text."""
    blank = sets[sets["blank_share"] > BLANK_REFUSED]
    return [
        f"task {row['task']!r}, {row['role']} {row['entry']!r}: {100 * row['blank_share']:.0f} % of its forms are "
        "blank ('_'); the release has no text, leave it out"
        for row in _records(blank)
    ]


def _set_warnings(targets: pd.DataFrame, tasks: Sequence[TaskSpec]) -> list[str]:
    """What is doubtful about targets, in the order of the table."""
    warnings = []
    shape = {task.name: task.shape for task in tasks}
    for row in _records(targets):
        doubts = []
        if row["unknown_rate"] > UNKNOWN_MARKED:
            out = ", out of aggregates by default" if row["unknown_rate"] > UNKNOWN_EXCLUDED else ""
            doubts.append(f"{100 * row['unknown_rate']:.1f} % of its subwords are unknown{out}")
        if row["small"]:
            doubts.append(f"small ({_size(row, shape[row['task']])}), out of aggregates by default")
        if row["n_too_long"]:
            what, then = _TOO_LONG.get(shape[row["task"]], ("sentences", ""))
            doubts.append(f"{row['n_too_long']} of {row['n_items']} {what} exceed the length limit{then}")
        if shape[row["task"]] in _TOO_LONG and row["n_blank"]:
            doubts.append(f"{row['n_blank']} of {row['n_items']} items lack a text and are not scored")
        for column, what in _UNPLACED.items():
            if not pd.isna(row[column]) and row[column]:
                doubts.append(f"{row[column]} of {row['n_items']} questions have {what}")
        if row["n_foreign_labels"]:
            doubts.append(f"{row['n_foreign_labels']} labels are none of the task's")
        if row["in_train"] > OVERLAP_MARKED:
            doubts.append(f"{100 * row['in_train']:.1f} % of its sentences stand in the task's training data")
        warnings += [f"task {row['task']!r}, target {row['entry']!r}: {doubt}" for doubt in doubts]
    return warnings


_TOO_LONG = {
    "nli": ("pairs", "; see too_long"),
    "classification": ("texts", "; see too_long"),
    "qa": ("questions with their paragraphs", " and are read in windows"),
}
_UNPLACED = {
    "n_unheld": "an answer that no window holds whole: they are scored, but have no likelihood",
    "n_misplaced": "an answer that does not stand at its offset: scored by its text",
}


def _size(row: Mapping[str, Any], shape: str) -> str:
    """How large a target is, in what its task counts."""
    if shape in _TOO_LONG:
        return f"{row['n_items']} items"
    return f"{row['n_words']} words" + ("" if pd.isna(row["n_entities"]) else f" and {row['n_entities']} entities")


def _corpus_warnings(corpora: pd.DataFrame, replicates: pd.DataFrame) -> list[str]:
    """Which corpora are shorter than asked, and where all replicates see the same blocks."""
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


def _overlap_warnings(overlap: pd.DataFrame) -> list[str]:
    """Transfer texts that hold more than a hundredth of a test set."""
    marked = overlap[(overlap["kind"] == "transfer_test") & (overlap["share"] > OVERLAP_MARKED)]
    return [
        f"transfer corpus {row['source']!r} holds {row['n_overlap']} of {row['n_items']} test sentences of "
        f"{row['target']!r} (task {row['task']!r}; {row['n_exact']} exactly)"
        for row in _records(marked)
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
