"""The audit of targets against counts by hand, and the audit's overlaps as tables."""

from collections.abc import Callable

import pandas as pd
import pytest

from xltransfer.report.audit import overlap_tables, target_audit
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


def test_what_is_odd_about_questions_is_told_apart() -> None:
    """Of four questions one is not scored, one misplaced, one in no window: only the last is unheld."""
    model, head = {"base": "b", "device": "cpu"}, {"adapter_seed": 0, "task": "qa", "dataset": "d", "target": "eng"}
    scores = {"baseline": 50.0, "trivial": 0.0}
    measurements = pd.DataFrame(
        model
        | head
        | {"unit": setting, "setting": setting, "metric": metric, "score": score, "n_items": 4, "n_scored": 3}
        for setting, score in scores.items()
        for metric in ("squad_f1", "squad_em", "span_nll")
    )
    counts = {"item": list("abcd"), "cluster": list("abcd"), "total": [1.0, 1, 1, 0], "in_window": [1.0, 0, 0, 0],
              "f1": 0.0, "em": 0.0, "nll": 0.0}  # fmt: skip
    odd = {"unheld": [0.0, 0, 1, 0], "misplaced": [0.0, 1, 0, 0], "longer": [0.0, 0, 1, 1]}
    baseline = pd.DataFrame(head | {"unit": "baseline", "setting": "baseline"} | counts)
    trivial = pd.DataFrame(head | {"unit": "trivial", "setting": "trivial"} | counts)
    (row,) = target_audit(measurements, pd.concat([baseline, trivial.assign(**odd)])).to_dict("records")
    assert (row["n_lost"], row["n_unscored"], row["n_unheld"], row["n_misplaced"], row["n_longer"]) == (1, 1, 1, 1, 2)
    (row,) = target_audit(measurements, pd.concat([baseline, trivial])).to_dict("records")
    assert row["n_unscored"] == 1 and pd.isna([row["n_unheld"], row["n_misplaced"], row["n_longer"]]).all()
