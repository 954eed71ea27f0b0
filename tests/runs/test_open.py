"""Reading a results folder back into frames."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from runs_work import cell, units

from xltransfer.errors import RunFolderError
from xltransfer.metrics import metric
from xltransfer.runs.cells import Cell
from xltransfer.runs.columns import COLUMNS
from xltransfer.runs.folder import Header, claim
from xltransfer.runs.open import Run, open_run
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

NER = {"tp": [2, 0], "fp": [0, 1], "fn": [1, 1], "total": [5, 6]}


def ner_cell() -> Cell:
    counts = {name: np.array(values) for name, values in NER.items()} | {"nll": np.array([0.5, 2.5])}
    labels = {name: (("PER", "LOC"), np.array([values, [0, 0]])) for name, values in NER.items() if name != "total"}
    return cell(
        task="ner", shape="ner", dataset="masakha", target="yor", n_items=2, n_scored=2, counts=counts,
        label_counts=labels,
    )  # fmt: skip


@pytest.fixture
def run(store: Store, six: list[Unit]) -> Run:
    """Two units with a pos and a ner cell each, and one that failed."""
    claim(store.folder, Header({"name": "s"}, {}, {}))
    store.write_targets("pos", "ud", "wol", ["p1", "p2", "p3", "p4"], ["d1", "d1", "d2", "d2"])
    store.write_targets("ner", "masakha", "yor", ["n1", "n2"], ["n1", "n2"])
    for n in (0, 1):
        store.write(six[n], [cell(n), ner_cell(), cell(n, setting="baseline", transfer="", steps=None, replicate=None)])
    store.record_failure(six[2], "out of memory")
    return open_run(store.folder)


def test_measurements_have_the_declared_columns_and_types(run: Run) -> None:
    frame = run.measurements()
    assert list(frame.columns) == [column.name for column in COLUMNS]
    kinds = {"text": "str", "integer": "Int64", "number": "float64"}
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {c.name: kinds[c.kind] for c in COLUMNS}
    baseline = frame[frame["setting"] == "baseline"]
    assert baseline["steps"].isna().all()
    assert (baseline["transfer"] == "").all()
    assert len(frame) == 2 * (3 + 2 + 1 + 3)


def test_rows_of_single_labels_can_be_left_out(run: Run) -> None:
    whole, plain = run.measurements(), run.measurements(labels=False)
    assert set(plain["metric"]) == {"accuracy", "span_f1", "nll", "f1"}
    kept = whole[~whole["metric"].str.contains("[", regex=False)].reset_index(drop=True)
    pd.testing.assert_frame_equal(plain, kept)
    assert len(whole) == len(plain) + 2


def test_an_undefined_score_beside_equal_ones_stays_undefined(store: Store, six: list[Unit]) -> None:
    """The footer's smallest and largest score pass over NaN: a column of 100, NaN is no constant column."""
    nothing = {name: np.zeros(4, dtype=np.int64) for name in ("correct", "total", "span_tp", "span_fp", "span_fn")}
    counts = nothing | {"correct": np.ones(4, dtype=np.int64), "total": np.ones(4, dtype=np.int64), "nll": [100.0] * 4}
    claim(store.folder, Header({}, {}, {}))
    store.write(six[0], [cell(counts={name: np.array(values) for name, values in counts.items()})])
    scores = open_run(store.folder).measurements().set_index("metric")["score"]
    assert scores.drop("span_f1").tolist() == [100.0, 100.0]
    assert np.isnan(scores["span_f1"])


def test_items_of_some_settings_are_the_same_rows_and_no_other_shard_is_decoded(run: Run, six: list[Unit]) -> None:
    store, items = Store(run.folder), run.items()
    for names in (["baseline"], ("nudged", "baseline"), ["no_such_setting"]):
        kept = items[items["setting"].isin(names)]
        chosen = run.items(settings=names)
        assert len(chosen) == len(kept)
        for name in ("unit", "setting", "task", "item", "cluster", "nll") if len(kept) else ():
            assert chosen[name].tolist() == kept[name].tolist()
    store.write(six[3], [cell(3)])
    path = store.items_path(six[3].id)
    content, group = path.read_bytes(), pq.read_metadata(path).row_group(0)
    # Spoil the counts and leave the footer: whoever decodes them notices.
    begin = group.column(group.num_columns - 1).data_page_offset
    path.write_bytes(content[:begin] + bytes(40) + content[begin + 40 :])
    assert len(run.items(settings=["baseline"])) == 2 * 4
    with pytest.raises(RunFolderError, match=f"items/{six[3].id}.parquet is damaged"):
        run.items()


def test_items_have_a_row_per_item_with_its_identity(run: Run, six: list[Unit]) -> None:
    frame = run.items(task="pos", target="wol", dataset="ud")
    assert len(frame) == 2 * 2 * 4
    nudged = frame[(frame["unit"] == six[1].id) & (frame["setting"] == "nudged")]
    assert nudged["item"].tolist() == ["p1", "p2", "p3", "p4"]
    assert nudged["cluster"].tolist() == ["d1", "d1", "d2", "d2"]
    assert nudged["correct"].tolist() == [2, 3, 3, 1]
    assert nudged["steps"].tolist() == [10] * 4
    assert list(frame.columns)[-6:] == ["correct", "span_fn", "span_fp", "span_tp", "total", "nll"]
    assert str(frame["correct"].dtype) == "Int64"
    assert frame["nll"].dtype == np.float64


def test_counts_that_a_task_does_not_have_are_missing_not_zero(run: Run) -> None:
    frame = run.items()
    assert len(frame) == 2 * (4 + 4 + 2)
    assert frame.loc[frame["task"] == "ner", "correct"].isna().all()
    assert frame.loc[frame["task"] == "pos", "tp"].isna().all()
    assert frame.loc[frame["task"] == "ner", "total"].tolist() == [5, 6, 5, 6]


def test_items_per_label_have_only_rows_with_a_count(run: Run, six: list[Unit]) -> None:
    frame = run.items(task="ner", labels=True)
    assert list(frame.columns).index("label") == list(frame.columns).index("cluster") + 1
    one = frame[frame["unit"] == six[0].id]
    rows = one[["item", "label", "tp", "fp", "fn"]].to_numpy().tolist()
    assert rows == [["n1", "PER", 2, 0, 1], ["n2", "PER", 0, 1, 1]]
    assert len(run.items(task="pos", labels=True)) == 0


def test_failures_and_study(run: Run, six: list[Unit]) -> None:
    frame = run.failures()
    assert frame[["unit", "error", "message"]].to_numpy().tolist() == [[six[2].id, "UnitError", "out of memory"]]
    assert run.study == {"name": "s"} == run.header.study


def test_an_empty_folder_gives_empty_frames_with_columns(tmp_path: Path) -> None:
    claim(tmp_path, Header({}, {}, {}))
    run = open_run(str(tmp_path))
    assert list(run.measurements().columns) == [column.name for column in COLUMNS]
    assert run.items().empty
    assert {"unit", "steps", "item", "cluster"} <= set(run.items().columns)
    assert run.failures().empty


def test_a_unit_whose_measurements_are_absent_has_no_items(run: Run, six: list[Unit]) -> None:
    Store(run.folder).measurements_path(six[0].id).unlink()
    assert set(run.items()["unit"]) == {six[1].id}


def test_a_folder_without_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is not a results folder"):
        open_run(tmp_path)


def test_counts_without_matching_items_are_refused(run: Run) -> None:
    store = Store(run.folder)
    (path,) = [path for path in store.placed("targets") if "wol" in path.name]
    path.unlink()
    with pytest.raises(RunFolderError, match="lacks the items of target pos/ud/wol"):
        run.items(task="pos")
    store.write_targets("pos", "ud", "wol", ["p1"], ["d1"])
    with pytest.raises(RunFolderError, match="counts 4 items of target pos/ud/wol, targets/ lists 1"):
        run.items(task="pos")


@st.composite
def pos_cells(draw: st.DrawFn) -> list[Cell]:
    """Cells of one target with any counts, and per label with any subset of labels counted."""
    size = draw(st.integers(1, 5))
    integers = arrays(np.int64, size, elements=st.integers(0, 2**40))
    floats = arrays(np.float32, size, elements=st.floats(0, 1e6, width=32))
    labels = tuple(draw(st.lists(st.text(max_size=3).filter(bool), unique=True, max_size=3)))
    names = ("correct", "total", "span_tp", "span_fp", "span_fn")
    found = []
    for steps in draw(st.lists(st.none() | st.integers(0, 1000), min_size=1, max_size=3, unique=True)):
        counts: dict[str, Any] = {name: draw(integers) for name in names} | {"nll": draw(floats)}
        table = arrays(np.int64, (len(labels), size), elements=st.integers(0, 300))
        per_label = {name: (labels, draw(table)) for name in ("correct", "total")}
        found.append(cell(steps=steps, n_items=size, n_scored=size, counts=counts, label_counts=per_label))
    return found


@settings(max_examples=25, deadline=None)
@given(cells=pos_cells())
def test_cells_come_back_item_by_item_and_label_by_label(cells: list[Cell]) -> None:
    with tempfile.TemporaryDirectory() as name:
        store, size = Store(name), cells[0].n_items
        claim(name, Header({}, {}, {}))
        store.write_targets("pos", "ud", "wol", [f"i{n}" for n in range(size)], ["d"] * size)
        store.write(units(1)[0], cells)
        run = open_run(name)
        items, labelled, measured = run.items(), run.items(labels=True), run.measurements()
    assert len(items) == size * len(cells)
    for given_cell in cells:
        mine = _of(items, given_cell)
        assert mine["item"].tolist() == [f"i{n}" for n in range(size)]
        for name, values in given_cell.counts.items():
            assert mine[name].tolist() == values.tolist()
        for name, (labels, table) in given_cell.label_counts.items():
            if not table.any():
                continue
            sums = _of(labelled, given_cell).groupby("label", observed=True)[name].sum()
            for label, row in zip(labels, table, strict=True):
                assert sums.get(label, 0) == row.sum()
        row = _of(measured, given_cell).set_index("metric")["score"]
        again = metric("pos", "accuracy").score({name: mine[name].sum() for name in ("correct", "total")})
        np.testing.assert_equal(row["accuracy"], float(again))


def _of(frame: pd.DataFrame, wanted: Cell) -> pd.DataFrame:
    return frame[frame["steps"].isna() if wanted.steps is None else (frame["steps"] == wanted.steps).fillna(False)]


def test_reading_works_where_torch_cannot_be_imported(run: Run) -> None:
    script = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "submitit"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
from xltransfer.runs.open import open_run
run = open_run(sys.argv[1])
print(len(run.measurements()), len(run.items()), len(run.failures()))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", script, str(run.folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("18 20 1\n", "")


def test_the_unit_of_a_row_can_be_looked_up(run: Run, six: list[Unit]) -> None:
    keys = Store(run.folder).present()
    assert {keys[unit]["n"] for unit in run.measurements()["unit"]} == {0, 1}
