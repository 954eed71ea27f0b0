"""The audit: what a study's data is like, before anything runs. Counts and shares only.

The smallest detectable effect is not here, it needs statistics; the command joins it to these tables. Thresholds are
those of the project's protocol: over half of the forms (pairs, texts) blank is refused, unknown tokens over 5 % are
marked and over 15 % leave the aggregates by default, as do targets under 300 words, 50 entities, 50 questions or 100
pairs (texts); see `xltransfer.analysis.sizes`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.config.task import TaskSpec
from xltransfer.data.audit_corpora import audit_corpora
from xltransfer.data.audit_doubts import (
    UNKNOWN_EXCLUDED,
    blank_refusals,
    corpus_warnings,
    foreign_refusals,
    overlap_warnings,
    target_warnings,
    training_warnings,
)
from xltransfer.data.audit_overlap import audit_overlap
from xltransfer.data.measure import Measured, MeasuredSentences, MeasuredText, Measurer, lacks_layer
from xltransfer.data.measure_examples import MeasuredLabelled, MeasuredQuestions

MIN_WORDS = 300
MIN_ENTITIES = 50
MIN_QUESTIONS = 50
MIN_DECISIONS = 100
"""Pairs or texts."""

SET_COLUMNS = (
    "task", "dataset", "entry", "language", "n_items", "n_clusters", "n_words", "n_blank", "n_subwords", "n_unknown",
    "n_too_long", "n_entities", "n_foreign_labels", "n_unscored", "n_unheld", "n_misplaced", "n_longer", "blank_share",
    "unknown_rate", "fertility",
)  # fmt: skip
MISPLACED_COLUMNS = ("task", "split", "dataset", "entry", "language", "id", "answer", "answer_start", "there")


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
        (missing but for entities), ``n_foreign_labels`` (labels that the task does not have), and of questions
        ``n_unscored`` (beside which no window of the paragraph has room), ``n_unheld`` (scored, but no window holds an
        answer whole), ``n_misplaced`` (with an answer that does not stand at its offset) and ``n_longer`` (all answers
        have over ``max_answer`` subwords); ``blank_share`` (of forms; of pairs and texts), ``unknown_rate`` (of
        subwords), ``fertility`` (subwords a word); ``in_train`` (share of sentences that stand in any training set of
        the task); ``small``, ``aggregate`` (False: shown, but out of aggregates by default).
    training
        The same counts per task and training entry.
    corpora
        One row per transfer corpus, see :func:`xltransfer.data.audit_corpora.audit_corpora`.
    replicates
        One row per transfer corpus and number of steps.
    overlap
        One row per test set and other text, see :func:`xltransfer.data.audit_overlap.audit_overlap`.
    misplaced
        One row per answer that does not stand at its offset ``answer_start`` (code points, from 0): ``task, split,
        dataset, entry, language, id, answer``, and what stands ``there``.
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
    misplaced: pd.DataFrame
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]

    def frame(self, name: str = "targets") -> pd.DataFrame:
        """Return a copy of a table: ``targets``, ``training``, ``corpora``, ``replicates``, ``overlap``, ``misplaced``.

        Raises
        ------
        ValueError
            For another name.
        """
        tables = ("targets", "training", "corpora", "replicates", "overlap", "misplaced")
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
    rows: list[dict[str, Any]] = []
    tasks = resolved.study.tasks
    training = _sets(tasks, resolved.train, "train", measurer, refusals, rows)
    targets = _sets(tasks, resolved.targets, "test", measurer, refusals, rows)
    misplaced = pd.DataFrame(rows, columns=list(MISPLACED_COLUMNS))
    corpora, replicates, short = audit_corpora(resolved, measurer)
    overlap, in_train = audit_overlap(resolved, measurer)
    targets = _judged(targets, in_train, tasks)
    refusals += blank_refusals(
        pd.concat([targets.assign(role="target"), training.assign(role="training entry")]), tasks
    )
    doubts = [*target_warnings(targets, tasks, misplaced), *training_warnings(training, tasks, misplaced)]
    return Audit(
        targets=targets,
        training=training,
        corpora=corpora,
        replicates=replicates,
        overlap=overlap,
        misplaced=misplaced,
        refusals=tuple(dict.fromkeys([*measurer.problems, *refusals, *short])),
        warnings=(*doubts, *corpus_warnings(corpora, replicates), *overlap_warnings(overlap)),
    )


def _sets(
    tasks: Sequence[TaskSpec],
    entries: Mapping[str, Sequence[EntryRef]],
    split: str,
    measurer: Measurer,
    refusals: list[str],
    misplaced: list[dict[str, Any]],
) -> pd.DataFrame:
    """Count every entry of every task; append what it is refused for, and its answers that are misplaced."""
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
            refusals += _refused(task, f"{split} of {ref.name!r}", found)
            misplaced += _misplaced(head | {"split": split}, found)
    frame = pd.DataFrame(rows, columns=list(SET_COLUMNS)).astype({c: "Int64" for c in SET_COLUMNS if c[:2] == "n_"})
    counts = frame.filter(like="n_").astype("float64")
    whole = frame["task"].isin([task.name for task in tasks if task.shape in ("nli", "classification")])
    return frame.assign(
        blank_share=counts["n_blank"] / counts["n_items"].where(whole, counts["n_words"]),
        unknown_rate=counts["n_unknown"] / counts["n_subwords"],
        fertility=counts["n_subwords"] / counts["n_words"],
    )


def _refused(task: TaskSpec, where: str, found: Measured) -> list[str]:
    """What makes an annotated set unusable for a task."""
    if isinstance(found, MeasuredLabelled):
        return foreign_refusals(task, where, found.examples)
    if isinstance(found, MeasuredSentences) and (lacking := lacks_layer(found.sentences, task)):
        what = f"{lacking} of {len(found.sentences)} sentences lack the annotation of shape {task.shape}"
        return [f"task {task.name!r}, {where}: {what}; leave the entry out"]
    return []


def _misplaced(head: Mapping[str, str], found: Measured) -> list[dict[str, Any]]:
    """Rows of the answers that do not stand at their offsets."""
    if not isinstance(found, MeasuredQuestions):
        return []
    return [
        {**head, "id": each.id, "answer": answer.text, "answer_start": answer.given, "there": each.there(answer)}
        for each in found.examples
        for answer in each.answers
        if answer.start is None
    ]


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
    small |= shape.isin(["nli", "classification"]) & (targets["n_items"] < MIN_DECISIONS)
    small |= (shape == "qa") & (targets["n_items"] < MIN_QUESTIONS)
    small |= (shape == "ner") & (targets["n_entities"].astype("float64") < MIN_ENTITIES)
    keys = pd.MultiIndex.from_frame(targets[["task", "entry"]])
    return targets.assign(
        in_train=in_train.reindex(keys).to_numpy(dtype=np.float64),
        small=small.astype(bool),
        aggregate=(~small & (targets["unknown_rate"] <= UNKNOWN_EXCLUDED)).astype(bool),
    )
