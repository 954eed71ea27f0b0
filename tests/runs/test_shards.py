"""Shards: scores against a hand-worked table, labels, and bytes that depend on the content alone."""

import io
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from runs_work import cell, units

from xltransfer.runs.cells import Cell
from xltransfer.runs.columns import COLUMNS
from xltransfer.runs.shards import items_shard, measurements_shard, scores
from xltransfer.runs.unit import Unit

UNIT = units(1)[0]


def rows(shard: bytes) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = pq.read_table(io.BytesIO(shard)).to_pylist()
    return table


def dep_cell() -> Cell:
    """Two sentences: 2 of 3 and 1 of 2 words with the right head, 1 and 1 with the right label too."""
    counts = {"las": np.array([1, 1]), "uas": np.array([2, 1]), "total": np.array([3, 2]), "nll": np.array([3.0, 1.5])}
    labels = {
        "las": (("nsubj", "obj"), np.array([[1, 1], [0, 0]])),
        "total": (("nsubj", "obj", "root"), np.array([[1, 1], [2, 1], [0, 0]])),
    }
    return cell(task="dep", shape="dep", n_items=2, n_scored=2, counts=counts, label_counts=labels)


def ner_cell() -> Cell:
    """Three sentences: 3 entities found of 5, 1 wrong."""
    counts = {
        "tp": np.array([2, 0, 1]), "fp": np.array([0, 1, 0]), "fn": np.array([1, 1, 0]),
        "nll": np.array([1.0, 2.0, 3.0]), "total": np.array([10, 6, 4]),
    }  # fmt: skip
    labels = {
        "tp": (("PER", "LOC"), np.array([[2, 0, 1], [0, 0, 0]])),
        "fp": (("PER", "LOC", "ORG"), np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]])),
        "fn": (("PER", "LOC"), np.array([[0, 0, 0], [1, 1, 0]])),
    }
    return cell(task="ner", shape="ner", n_items=3, n_scored=3, counts=counts, label_counts=labels)


def test_pos_scores_by_hand() -> None:
    # 5 of 8 words right; spans: tp 4, fp 3, fn 2, so F1 = 8 / 13; nll 4.0 nats over 8 words.
    expected = {"accuracy": 62.5, "span_f1": 100 * 8 / 13, "nll": 0.5}
    assert dict(scores(cell())) == pytest.approx(expected, abs=1e-12)


def test_dep_scores_by_hand_with_relations() -> None:
    # `root` was never gold: its score is undefined and has no row. nll and uas were not counted per relation.
    expected = {"las": 40.0, "uas": 60.0, "nll": 0.9, "las[nsubj]": 100.0, "las[obj]": 0.0}
    assert dict(scores(dep_cell())) == pytest.approx(expected, abs=1e-12)


def test_ner_scores_by_hand_with_types() -> None:
    # PER: tp 3, fp 1, fn 0; LOC: only two missed; ORG: nothing at all.
    expected = {"f1": 100 * 6 / 9, "nll": 0.3, "f1[PER]": 100 * 6 / 7, "f1[LOC]": 0.0}
    assert dict(scores(ner_cell())) == pytest.approx(expected, abs=1e-12)


def test_score_of_no_items_is_nan_and_keeps_its_row() -> None:
    empty = np.zeros(0, dtype=int)
    nothing = {name: empty for name in cell().counts} | {"nll": np.zeros(0)}
    found = rows(measurements_shard(UNIT, [cell(n_items=0, n_scored=0, counts=nothing)]))
    assert [row["metric"] for row in found] == ["accuracy", "span_f1", "nll"]
    assert all(np.isnan(row["score"]) for row in found)


def test_measurements_have_the_declared_columns_and_missing_is_null() -> None:
    baseline = cell(setting="baseline", transfer="", corpus="", steps=None, replicate=None, options={"stack": "a"})
    row = rows(measurements_shard(UNIT, [baseline]))[0]
    assert list(row) == [column.name for column in COLUMNS]
    assert all(column.meaning.endswith(".") for column in COLUMNS)
    assert (row["unit"], row["protocol"], row["base"]) == (UNIT.id, "transfer", "mini")
    assert (row["steps"], row["replicate"], row["seed"], row["adapter_seed"]) == (None, None, None, 1)
    assert (row["transfer"], row["corpus"], row["options"], row["n_items"]) == ("", "", '{"stack":"a"}', 4)


def test_many_counts_in_a_small_type_are_summed_without_overflow() -> None:
    full = {name: np.full(1000, 255) for name in cell().counts}
    big = cell(n_items=1000, n_scored=1000, counts=full | {"correct": np.full(1000, 51)})
    assert big.counts["total"].dtype == np.uint8
    assert dict(scores(big))["accuracy"] == 20.0


def test_bytes_do_not_depend_on_the_order_of_cells_columns_or_options() -> None:
    first = [cell(0, steps=steps, options={"a": 1, "b": 2}) for steps in (1, 10)] + [cell(steps=None), ner_cell()]
    backwards: dict[str, Any] = {"counts": dict(reversed(list(cell().counts.items()))), "options": {"b": 2, "a": 1}}
    second = [ner_cell(), cell(steps=None), cell(steps=10, **backwards), cell(steps=1, **backwards)]
    assert items_shard(UNIT, first) == items_shard(UNIT, second)
    assert measurements_shard(UNIT, first) == measurements_shard(UNIT, second)


def test_a_label_with_any_count_is_kept_in_all_columns_and_one_without_in_none() -> None:
    labelled = [row for row in rows(items_shard(UNIT, [ner_cell()])) if row["label"]]
    expected = {(count, label) for count in ("tp", "fp", "fn") for label in ("PER", "LOC")}
    assert {(row["count"], row["label"]) for row in labelled} == expected
    only = next(row for row in labelled if (row["count"], row["label"]) == ("tp", "LOC"))
    assert (only["dtype"], only["values"]) == ("uint8", b"\0\0\0")


def test_two_cells_of_one_identity_are_refused() -> None:
    with pytest.raises(ValueError, match='two cells of one unit are both {"adapter_seed":1.*tell them apart'):
        measurements_shard(UNIT, [cell(0), cell(1)])
    with pytest.raises(ValueError, match="two cells of one unit"):
        items_shard(UNIT, [cell(0), cell(1)])


@pytest.mark.parametrize("key", [{"base": "mini"}, {"protocol": "transfer", "base": 3}])
def test_a_key_without_protocol_or_base_is_refused(key: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"key\['(protocol|base)'\] is (None|3); measurements need it as text"):
        measurements_shard(Unit(key), [cell()])
