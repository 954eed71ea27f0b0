"""Overlaps in the audit: training with test data of the same task, and transfer text with every test set."""

import numpy as np
import pandas as pd

from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.config.task import TaskSpec
from xltransfer.data.measure import Measurer
from xltransfer.data.overlap import Fingerprint, Overlap, OverlapIndex

OVERLAP_COLUMNS = (
    "kind", "task", "source", "target", "n_items", "n_exact", "n_contained", "n_overlap", "share",
)  # fmt: skip


def audit_overlap(resolved: ResolvedStudy, measurer: Measurer) -> tuple[pd.DataFrame, "pd.Series[float]"]:
    """Compare every test set with the texts that must not hold it.

    Parameters
    ----------
    resolved
        The study.
    measurer
        Reads and fingerprints; the whole text of a transfer corpus counts, also what ``transfer.tokens`` cuts off.

    Returns
    -------
    overlap
        One row per pair: ``kind`` (``train_test`` or ``transfer_test``), ``task``, ``source`` (training entry or
        transfer corpus), ``target``, ``n_items`` (test sentences or held-out lines), ``n_exact``, ``n_contained``,
        ``n_overlap`` (either) and ``share`` (of ``n_items``).
    in_train
        By (task, target): share of test sentences that stand in any training entry of the task; missing where the task
        trains on nothing.
    """
    tests: dict[str, Fingerprint] = {}
    targets: list[tuple[TaskSpec, str, str]] = []
    for task in resolved.study.tasks:
        for ref in resolved.targets[task.name]:
            key = f"{ref.name}\t{task.shape == 'mlm'}\t{task.max_sentences}"
            found = _test(task, ref, measurer)
            if found is not None:
                tests[key] = found
                targets.append((task, ref.name, key))
    index = OverlapIndex(tests)
    rows: list[tuple[object, ...]] = []
    in_train = _train_rows(resolved, measurer, index, targets, rows)
    for ref in resolved.corpora:
        text = measurer.text(ref, "train")
        if text is not None:
            against = index.against(text.fingerprint)
            rows += [("transfer_test", t.name, ref.name, target, *_counts(against[key])) for t, target, key in targets]
    return pd.DataFrame(rows, columns=list(OVERLAP_COLUMNS)), in_train


def _test(task: TaskSpec, ref: EntryRef, measurer: Measurer) -> Fingerprint | None:
    """Fingerprint of one target's test set."""
    if task.shape == "mlm":
        text = measurer.text(ref, "test")
        return None if text is None else text.fingerprint
    found = measurer.examples(ref, "test", task.max_sentences)
    return None if found is None else found.fingerprint


def _train_rows(
    resolved: ResolvedStudy,
    measurer: Measurer,
    index: OverlapIndex,
    targets: list[tuple[TaskSpec, str, str]],
    rows: list[tuple[object, ...]],
) -> "pd.Series[float]":
    """Append the rows of training against test, and return the share that stands in any training entry."""
    cache: dict[tuple[EntryRef, int | None], dict[str, Overlap]] = {}
    shares: dict[tuple[str, str], float] = {}
    for task in resolved.study.tasks:
        own = [(target, key) for t, target, key in targets if t.name == task.name]
        anywhere: dict[str, np.ndarray] = {}
        for ref in resolved.train[task.name]:
            found = measurer.examples(ref, "train", task.max_train_sentences)
            if found is None:
                continue
            source = (ref, task.max_train_sentences)
            if source not in cache:
                cache[source] = index.against(found.fingerprint)
            for target, key in own:
                here = cache[source][key]
                anywhere[target] = here.either | anywhere.get(target, np.False_)
                rows.append(("train_test", task.name, ref.name, target, *_counts(here)))
        shares |= {(task.name, target): float(np.mean(standing)) for target, standing in anywhere.items()}
    keys = pd.MultiIndex.from_arrays([[task for task, _ in shares], [target for _, target in shares]])
    return pd.Series(list(shares.values()), index=keys, dtype="float64")


def _counts(overlap: Overlap) -> tuple[int, int, int, int, float]:
    """The counts of one pair and the share."""
    n_items, either = len(overlap.exact), int(overlap.either.sum())
    return n_items, int(overlap.exact.sum()), int(overlap.contained.sum()), either, either / n_items
