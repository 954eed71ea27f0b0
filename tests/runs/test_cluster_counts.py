"""Item counts summed over clusters: against pandas on the frame of items, and what a damaged folder says."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mini_study import MiniStudy
from runs_work import cell
from simulate_run import Spec, simulate

from xltransfer.errors import RunFolderError
from xltransfer.runs.cells import Cell
from xltransfer.runs.cluster_counts import ClusterCounts
from xltransfer.runs.folder import Header, claim
from xltransfer.runs.open import Run, open_run
from xltransfer.runs.shards import encode
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

IDENTITY = ["setting", "corpus", "steps", "adapter_seed", "task", "replicate", "dataset", "target"]
COUNTS = ("pos", {"correct", "total", "span_tp", "span_fp", "span_fn", "nll"})


def sums_of_items(run: Run) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Return the sums over clusters of every cell, in the order of their first items; no number is -1."""
    items = run.items()
    numbers = ["steps", "adapter_seed", "replicate"]
    items = items.assign(**{name: items[name].fillna(-1) for name in numbers})
    counts = list(items.columns)[list(items.columns).index("cluster") + 1 :]
    found = {}
    for key, rows in items.groupby([*IDENTITY, "unit"], observed=True):
        sums = rows.groupby("cluster", sort=False, observed=True)[counts].sum(min_count=1).astype("float64")
        # A kind of device is a unit of its own; without a replicate that is all that tells two cells apart.
        found.setdefault(key[:-1], sums)
    return found


def assert_equals_items(run: Run, parts: Sequence[ClusterCounts]) -> int:
    """Compare every cell of ``parts`` with the frame of items and return how many cells there are."""
    items, cells = sums_of_items(run), 0
    for part in parts:
        starts = part.targets.starts
        seed = -1 if part.adapter_seed is None else part.adapter_seed
        steps = -1 if part.steps is None else part.steps
        for row, replicate in enumerate(part.replicates.tolist()):
            for target, name in enumerate(part.targets.names):
                key = (part.setting, part.corpus, steps, seed, part.targets.task, replicate, *name)
                assert part.scored[row, target] == (key in items)
                for column, values in part.counts.items():
                    found = values[row, starts[target] : starts[target + 1]]
                    wanted = items[key][column] if key in items else np.full(len(found), np.nan)
                    np.testing.assert_allclose(found, wanted, rtol=1e-12)
                cells += key in items
    return cells


def number_of_cells(run: Run, settings: Sequence[str]) -> int:
    rows = run.measurements(labels=False)
    return len(rows.loc[rows["setting"].isin(settings), [*IDENTITY, "device"]].drop_duplicates())


def test_a_real_run_adds_up_to_its_items(mini_study: MiniStudy) -> None:
    run = open_run(mini_study.folder)
    settings = ["baseline", "trivial", "nudge", "zero_steps", "shuffled_text", "random_sign", "noise_batching"]
    parts = list(run.cluster_counts(settings))
    assert {part.setting for part in parts} == set(settings)
    assert assert_equals_items(run, parts) == number_of_cells(run, settings) > 100


def test_entries_come_sorted_with_all_their_replicates(mini_study: MiniStudy) -> None:
    parts = list(open_run(mini_study.folder).cluster_counts())
    place = [
        (p.base, p.setting, p.corpus, p.steps, p.targets.task, -1 if p.adapter_seed is None else p.adapter_seed)
        for p in parts
    ]
    assert place == sorted(place) and len(set(place)) == len(place)
    assert {tuple(part.replicates.tolist()) for part in parts} == {(0, 1)}
    assert {part.devices for part in parts} == {("cpu", "cpu")}
    # k=1 is scored on pos and mlm only.
    assert {part.targets.task for part in parts if part.steps == 1} == {"pos", "mlm"}


def test_tasks_and_steps_can_be_chosen_and_the_untouched_model_has_none(mini_study: MiniStudy) -> None:
    run = open_run(mini_study.folder)
    parts = list(run.cluster_counts(["baseline", "nudge"], tasks=["pos"], steps=[2]))
    assert {(part.setting, part.steps, part.targets.task) for part in parts} == {
        ("baseline", None, "pos"),
        ("nudge", 2, "pos"),
    }
    untouched = [part for part in parts if part.setting == "baseline"]
    assert [part.replicates.tolist() for part in untouched] == [[-1]]
    assert (untouched[0].transfer, untouched[0].corpus) == ("", "")
    assert list(run.cluster_counts(["no_such_setting"])) == []
    with pytest.raises(ValueError, match="tasks names 'poss', which the results do not have; did you mean 'pos'"):
        run.cluster_counts(tasks=["pos", "poss"])


def test_pos_and_dep_of_one_treebank_share_their_clusters_and_ner_has_its_own(mini_study: MiniStudy) -> None:
    parts = list(open_run(mini_study.folder).cluster_counts(["baseline"]))
    codes = {part.targets.task: set(part.targets.cluster.tolist()) for part in parts}
    assert codes["pos"] == codes["dep"]
    assert not codes["pos"] & (codes["ner"] | codes["mlm"])


@pytest.fixture(scope="module")
def small() -> Spec:
    return Spec(transfers=3, replicates=3, steps=(1, 10), targets={"pos": 9, "dep": 6, "ner": 4}, mean_items=20)


def test_a_unit_may_hold_all_k(tmp_path: Path, small: Spec) -> None:
    """Whether a path is shared by the k or not, the same counts are the same counts."""
    parts = []
    for schedule in ("linear", "constant"):
        simulate(tmp_path / schedule, Spec(**{**vars(small), "schedule": schedule}))
        parts.append(list(open_run(tmp_path / schedule).cluster_counts()))
    assert len(parts[0]) == len(parts[1]) == 3 * 2 * 3
    for one, other in zip(*parts, strict=True):
        assert (one.corpus, one.steps, one.targets.task) == (other.corpus, other.steps, other.targets.task)
        for column, values in one.counts.items():
            np.testing.assert_array_equal(values, other.counts[column])


def test_a_grown_study_is_put_together_and_missing_cells_are_nan(tmp_path: Path, small: Spec) -> None:
    simulate(tmp_path, Spec(**{**vars(small), "late_targets": 2}))
    run = open_run(tmp_path)
    parts = list(run.cluster_counts())
    assert assert_equals_items(run, parts) == number_of_cells(run, ["nudge"])
    last = max(part.corpus for part in parts)
    for part in parts:
        late = np.arange(len(part.targets.names)) >= len(part.targets.names) - 2
        assert (part.scored == (~late if part.corpus == last else np.ones_like(late))).all()


def test_documents_are_summed_and_each_device_has_its_own_row(tmp_path: Path, small: Spec) -> None:
    simulate(tmp_path, Spec(**{**vars(small), "devices": ("cpu", "cuda"), "adapter_seeds": 2}))
    run = open_run(tmp_path)
    parts = list(run.cluster_counts(["baseline"]))
    assert [(part.targets.task, part.adapter_seed) for part in parts] == [
        (task, seed) for task in ("dep", "ner", "pos") for seed in (0, 1)
    ]
    assert {part.devices for part in parts} == {("cpu", "cuda")}
    assert {part.devices for part in run.cluster_counts()} == {("cpu", "cuda", "cpu")}
    pos = parts[-1].targets
    assert pos.items.max() > 1 and pos.items.sum() > len(pos.items)
    for part in parts:
        rows = run.measurements()
        rows = rows[(rows["setting"] == "baseline") & (rows["task"] == part.targets.task) & rows["metric"].eq("nll")]
        for row, device in enumerate(part.devices):
            own = rows[(rows["device"] == device) & (rows["adapter_seed"] == part.adapter_seed)]
            sums = np.add.reduceat(part.counts["nll"][row], part.targets.starts[:-1])
            words = np.add.reduceat(part.counts["total"][row], part.targets.starts[:-1])
            score = own.set_index(["dataset", "target"])["score"].reindex(list(part.targets.names))
            np.testing.assert_allclose(sums / words, score.to_numpy(dtype=np.float64), rtol=1e-12)


def test_parallel_treebanks_share_clusters_and_equal_names_by_accident_do_not(tmp_path: Path) -> None:
    simulate(tmp_path, Spec(transfers=1, replicates=1, steps=(1,), targets={"pos": 24, "ner": 3}, mean_items=60))
    run = open_run(tmp_path)
    (part,) = run.cluster_counts(["baseline"], tasks=["pos"])
    targets, owners = part.targets, np.repeat(np.arange(24), np.diff(part.targets.starts))
    shared = {int(code) for code, owner in pd.Series(owners).groupby(targets.cluster).nunique().items() if owner > 1}
    tables = Store(tmp_path).targets()
    names = [set(tables["pos", *name]["cluster"].to_pylist()) for name in targets.names]
    translations = {t for t in range(24) if "n01000000" in names[t]}
    assert len(translations) == 5
    assert {int(owners[place]) for place in np.flatnonzero(np.isin(targets.cluster, list(shared)))} == translations
    accidents = [t for t in range(24) if "test-s1" in names[t] or "doc-0" in names[t]]
    assert len(accidents) > 5


def unit(number: int, **key: Any) -> Unit:
    return Unit({"protocol": "transfer", "base": "mini", "n": number, **key})


def nudged(replicate: int, **changes: Any) -> Cell:
    return cell(replicate, **({"setting": "nudge", "replicate": replicate} | changes))


@pytest.fixture
def two(store: Store) -> Store:
    """Two replicates on one target of four sentences in two documents."""
    claim(store.folder, Header({"name": "s"}, {}, {}))
    store.write_targets("pos", "ud", "wol", ["p1", "p2", "p3", "p4"], ["d1", "d2", "d1", "d2"])
    for replicate in (0, 1):
        store.write(unit(replicate), [nudged(replicate)])
    return store


def test_worked_by_hand(two: Store) -> None:
    (part,) = open_run(two.folder).cluster_counts()
    assert (part.base, part.setting, part.transfer, part.corpus, part.steps) == ("mini", "nudge", "yor", "bible", 10)
    assert part.targets.names == (("ud", "wol"),)
    assert part.targets.starts.tolist() == [0, 2]
    assert part.targets.items.tolist() == [2, 2]
    # correct is 1 2 2 0 in replicate 0 and one more each in replicate 1.
    assert part.counts["correct"].tolist() == [[3.0, 2.0], [5.0, 4.0]]
    assert part.counts["nll"].tolist() == [[1.75, 2.25], [1.75, 2.25]]
    assert part.counts["correct"].dtype == np.float64


def test_counts_of_every_width_and_shards_of_other_rows(two: Store) -> None:
    """Shards with wider counts, and with more targets, between shards like the first ones."""
    two.write_targets("pos", "ud", "fra", ["f1"], ["f1"])
    wide = {name: np.array([255, 256, 70_000, 2**40]) for name in COUNTS[1] - {"nll"}} | {"nll": np.full(4, 0.5)}
    one = {name: np.array([7]) for name in COUNTS[1] - {"nll"}} | {"nll": np.array([0.5])}
    two.write(unit(2), [nudged(2, counts=wide)])
    two.write(unit(3), [nudged(3), nudged(3, target="fra", n_items=1, n_scored=1, counts=one)])
    two.write(unit(4), [nudged(4)])
    (part,) = open_run(two.folder).cluster_counts()
    assert part.replicates.tolist() == [0, 1, 2, 3, 4]
    # The targets are sorted: fra, then wol.
    nan = np.nan
    np.testing.assert_array_equal(
        part.counts["correct"],
        [[nan, 3, 2], [nan, 5, 4], [nan, 70_255, 2**40 + 256], [7, 9, 8], [nan, 11, 10]],
    )
    assert part.scored.tolist() == [[False, True]] * 3 + [[True, True], [False, True]]


def test_a_unit_may_hold_several_models(two: Store) -> None:
    cells = [nudged(r, corpus=corpus) for r in (5, 6) for corpus in ("bible", "news")]
    two.write(unit(9), cells)
    bible, news = open_run(two.folder).cluster_counts()
    assert (bible.corpus, bible.replicates.tolist()) == ("bible", [0, 1, 5, 6])
    assert (news.corpus, news.replicates.tolist()) == ("news", [5, 6])
    assert news.counts["correct"].tolist() == [[13.0, 12.0], [15.0, 14.0]]


def test_a_unit_without_measurements_is_not_there(two: Store) -> None:
    two.measurements_path(unit(0).id).unlink()
    (part,) = open_run(two.folder).cluster_counts()
    assert part.replicates.tolist() == [1]


def test_a_replicate_that_two_devices_scored_has_two_rows(two: Store) -> None:
    two.write_targets("pos", "ud", "fra", ["f1"], ["f1"])
    one = {name: np.array([7]) for name in COUNTS[1] - {"nll"}} | {"nll": np.array([0.5])}
    two.write(unit(2), [nudged(0, target="fra", n_items=1, n_scored=1, counts=one, device="cuda")])
    (part,) = open_run(two.folder).cluster_counts()
    assert list(zip(part.replicates.tolist(), part.devices, strict=True)) == [(0, "cpu"), (0, "cuda"), (1, "cpu")]
    assert part.scored.tolist() == [[False, True], [True, False], [False, True]]


def test_only_what_is_due_is_read(two: Store) -> None:
    """The shard of a later corpus is opened when its turn comes, not before."""
    two.write(unit(7), [nudged(0, corpus="news")])
    two.items_path(unit(7).id).unlink()
    parts = open_run(two.folder).cluster_counts()
    assert next(parts).corpus == "bible"
    with pytest.raises(
        RunFolderError, match=rf"items/{unit(7).id}.parquet is missing; delete measurements/{unit(7).id}"
    ):
        next(parts)


def test_a_folder_without_finished_units_is_refused_at_once(store: Store) -> None:
    claim(store.folder, Header({}, {}, {}))
    with pytest.raises(RunFolderError, match="holds no finished units"):
        open_run(store.folder).cluster_counts()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def other_version(path: Path) -> None:
    table = pq.read_table(path)
    renamed = table.drop_columns(["task"]).append_column("year", pa.array([1] * table.num_rows))
    path.write_bytes(encode([renamed], {"n": 0}))


@pytest.mark.parametrize("kind", ["items", "measurements"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "is damaged: "),
        (other_version, r"does not have the columns of this version \(lacks task; has year besides\)"),
    ],
)
def test_a_spoilt_shard_is_named_with_what_to_do(two: Store, kind: str, spoil: Any, said: str) -> None:
    path = two.folder / kind / f"{unit(1).id}.parquet"
    spoil(path)
    remedy = rf"delete measurements/{path.name}.* then run the study again"
    with pytest.raises(RunFolderError, match=f"{kind}/{path.name} {said}.*{remedy}"):
        list(open_run(two.folder).cluster_counts())
    read = open_run(two.folder).items if kind == "items" else open_run(two.folder).measurements
    with pytest.raises(RunFolderError, match=f"{kind}/{path.name} {said}.*{remedy}"):
        read()


def test_a_damaged_list_of_targets_is_named(two: Store) -> None:
    (path,) = two.placed("targets")
    cut(path)
    with pytest.raises(RunFolderError, match=f"{path.name} is damaged: .*delete it, then run the study again"):
        list(open_run(two.folder).cluster_counts())


def test_other_items_than_listed_are_refused(two: Store) -> None:
    (path,) = two.placed("targets")
    path.unlink()
    with pytest.raises(RunFolderError, match="lacks the items of target pos/ud/wol"):
        list(open_run(two.folder).cluster_counts())
    two.write_targets("pos", "ud", "wol", ["p1"], ["d1"])
    with pytest.raises(RunFolderError, match="counts 4 items of target pos/ud/wol, targets/ lists 1; .* two versions"):
        list(open_run(two.folder).cluster_counts())


def test_a_cell_that_was_scored_twice_is_refused(two: Store) -> None:
    two.write(unit(8), [nudged(1)])
    with pytest.raises(RunFolderError, match="target pos/ud/wol .* replicate 1 once more than another unit"):
        list(open_run(two.folder).cluster_counts())


def test_one_cell_under_two_options_is_refused(two: Store) -> None:
    two.write(unit(8), [nudged(3), nudged(3, options={"pooler": "keep"})])
    with pytest.raises(RunFolderError, match="twice for one model, under two options"):
        list(open_run(two.folder).cluster_counts())


def test_two_devices_in_one_unit_are_refused(two: Store) -> None:
    two.write(unit(8), [nudged(3), nudged(4, device="cuda")])
    with pytest.raises(RunFolderError, match="mixes base models or kinds of device in one unit"):
        open_run(two.folder).cluster_counts()


def test_an_unknown_type_of_counts_is_refused(two: Store) -> None:
    path = two.items_path(unit(1).id)
    table = pq.read_table(path)
    place = table.column_names.index("dtype")
    field = table.schema.field("dtype")
    path.write_bytes(encode([table.set_column(place, field, pa.array(["int128"] * table.num_rows))], {"n": 1}))
    with pytest.raises(RunFolderError, match="counts of the type 'int128'"):
        list(open_run(two.folder).cluster_counts())


def test_a_controls_only_study_streams_its_controls(tmp_path: Path) -> None:
    spec = Spec(
        transfers=2, replicates=2, steps=(1,), targets={"pos": 4}, mean_items=12, shuffled_text=1, random_sign=2
    )
    simulate(tmp_path, spec)
    found: Iterator[ClusterCounts] = open_run(tmp_path).cluster_counts(["shuffled_text", "random_sign", "zero_steps"])
    assert [(part.setting, part.steps) for part in found] == [
        ("random_sign", 1),
        ("random_sign", 1),
        ("shuffled_text", 1),
        ("zero_steps", 0),
        ("zero_steps", 0),
    ]
