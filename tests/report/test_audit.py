"""The audit of targets against counts by hand, and the audit's overlaps as tables."""

from collections.abc import Callable

import pandas as pd
import pytest

from xltransfer.report.audit import overlap_tables
from xltransfer.report.choose import untouched_items
from xltransfer.report.subject import Subject
from xltransfer.runs.open import Run


def test_targets_are_counted_from_items(found: Callable[..., Subject], simulated: Callable[[str], Run]) -> None:
    targets = found("small").findings["targets"].set_index(["task", "dataset"])
    items = untouched_items(simulated("small"))
    own = items[(items["setting"] == "baseline") & (items["task"] == "pos")]
    for dataset, rows in own.groupby("dataset"):
        row = targets.loc[("pos", dataset)]
        assert row["n_items"] == len(rows) and row["n_lost"] == 0
        assert row["n_clusters"] == rows["cluster"].nunique()
        assert (row["counted"], row["size"], row["limit"]) == ("words", rows["total"].sum(), 300)
        assert row["small"] == (rows["total"].sum() < 300)
        assert row["baseline"] == pytest.approx(100 * rows["correct"].sum() / rows["total"].sum())
    assert (targets.loc["ner", "counted"] == "entities").all()


def test_the_floor_is_told_with_its_p(found: Callable[..., Subject]) -> None:
    targets = found("zero baseline").findings["targets"]
    assert targets["at_floor"].any() and not targets["at_floor"].all()
    assert (targets.loc[targets["at_floor"], "p_floor"] > 0.05).all()
    assert (targets.loc[~targets["at_floor"], "p_floor"] <= 0.05).all()


def test_overlaps_show_pairs_that_share_something_and_count_all() -> None:
    overlap = pd.DataFrame({
        "kind": "transfer_test", "task": "pos", "source": ["a", "b", "c"], "target": "t", "n_items": 10,
        "n_exact": [0, 1, 5], "n_contained": 0, "n_overlap": [0, 1, 5], "share": [0.0, 0.1, 0.5],
    })  # fmt: skip
    corpora = pd.DataFrame({"corpus": ["a"], "n_lines": [9], "tokens": [99], "blocks": [3], "blocks_used": [2],
                            "unknown_rate": [0.01], "short": [False]})  # fmt: skip
    replicates = pd.DataFrame({"corpus": ["a", "a"], "steps": [1, 10], "expected_overlap": [0.1, 1.0]})
    tables = overlap_tables(overlap, corpora, replicates)
    assert tables["overlaps"].frame["source"].tolist() == ["c", "b"]
    assert tables["overlaps"].caption.startswith("2 of 3 pairs of texts share sentences")
    assert [column.title for column in tables["corpora"].columns][-2:] == ["overlap at k = 1", "overlap at k = 10"]
    assert tables["corpora"].frame[["overlap_k1", "overlap_k10"]].to_numpy().tolist() == [[0.1, 1.0]]
