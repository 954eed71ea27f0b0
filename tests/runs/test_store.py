"""The store: present or absent, whole or not at all."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs_work import HERE_PATH, cell, content, score, staged, train_and_score, units
from safetensors import safe_open
from safetensors.numpy import save_file

from xltransfer.errors import DataError, RunFolderError
from xltransfer.runs.artefacts import read_metadata, sort_metadata
from xltransfer.runs.failure import Failure
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def temporaries(store: Store) -> list[Path]:
    return list(store.folder.rglob("*.tmp"))


def test_a_unit_is_present_exactly_if_its_measurements_are(store: Store, six: list[Unit]) -> None:
    unit = six[0]
    assert not store.is_present(unit)
    assert store.present() == {}
    store.write(unit, [cell()])
    assert store.is_present(unit)
    assert store.present() == {unit.id: unit.key}
    store.measurements_path(unit.id).unlink()
    assert store.items_path(unit.id).exists()
    assert not store.is_present(unit)


def test_items_are_in_place_before_measurements(store: Store, six: list[Unit], monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    replace = os.replace

    def noted(source: Path, target: Path) -> None:
        order.append(target.parent.name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
    store.write(six[0], [cell()])
    assert order == ["items", "measurements"]


@pytest.mark.parametrize("full_at", ["items", "measurements"])
def test_a_full_disk_leaves_nothing_half_written(
    store: Store, six: list[Unit], monkeypatch: pytest.MonkeyPatch, full_at: str
) -> None:
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if target.parent.name == full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left on device"):
            store.write(six[0], [cell()])
    assert not store.is_present(six[0])
    assert temporaries(store) == []
    store.write(six[0], [cell()])
    assert store.is_present(six[0])


def test_a_real_limit_on_file_size_leaves_nothing_half_written(store: Store, six: list[Unit]) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from runs_work import score, units\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"
        "score(Path(sys.argv[1]), units(1)[0])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([HERE_PATH, *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-c", script, str(store.folder)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert not store.is_present(six[0])
    assert temporaries(store) == []


def test_artefacts_have_the_same_bytes_every_time_and_name_their_unit(tmp_path: Path) -> None:
    adapter = staged(1)[0]
    stores = [Store(tmp_path / str(n)) for n in range(6)]  # safetensors' own order varies from call to call
    for store in stores:
        train_and_score(store.folder, adapter)
    assert len({store.artefact_path(adapter.id).read_bytes() for store in stores}) == 1
    assert stores[0].is_present(adapter)
    assert stores[0].present() == {adapter.id: adapter.key}
    with safe_open(stores[0].artefact_path(adapter.id), framework="np") as opened:
        assert opened.metadata()["épochs"] == "5"
        np.testing.assert_array_equal(opened.get_tensor("down"), np.ones((2, 3), np.float32))


def test_an_artefact_that_names_no_unit_has_an_empty_key(store: Store) -> None:
    store.place_artefact("abc", lambda path: save_file({"x": np.zeros(1)}, path))
    assert store.present() == {"abc": {}}
    assert read_metadata(store.artefact_path("abc")) == {}


def test_an_artefact_that_is_not_safetensors_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="is not a safetensors file; save artefacts with safetensors.save_file"):
        store.place_artefact("abc", lambda path: _write(path, b"PK\x03\x04 something else"))
    assert not store.artefact_path("abc").exists()
    assert temporaries(store) == []


def test_a_header_that_would_not_fit_is_refused(tmp_path: Path) -> None:
    header = b'{"__metadata__":{"a":"\x7f"}, "x":1e5}'  # 1e5 is written back as 100000.0
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match="odd.safetensors: the safetensors header has 35 bytes, but 39 when sorted"):
        sort_metadata(path)


def test_writing_cells_of_an_artefact_unit_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="produces an artefact, not measurements; use place_artefact"):
        store.write(staged(0)[0], [cell()])


def test_a_foreign_parquet_file_is_named(store: Store, six: list[Unit]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    store.write(six[0], [cell()])
    pq.write_table(pa.table({"x": [1]}), store.folder / "measurements" / "foreign.parquet")
    with pytest.raises(RunFolderError, match=r"foreign\.parquet names no unit in its footer"):
        store.present()


def test_targets_are_written_once_and_other_items_are_refused(store: Store) -> None:
    store.write_targets("my_task", "a/b", "wol", ["s1", "s2"], ["d1", "d1"])
    before = content(store.folder)
    store.write_targets("my_task", "a/b", "wol", ["s1", "s2"], ["d1", "d1"])
    assert content(store.folder) == before
    assert list(before) == ["targets/my%5Ftask__a%2Fb__wol.parquet"]
    assert store.targets()["my_task", "a/b", "wol"]["item"].to_pylist() == ["s1", "s2"]
    with pytest.raises(RunFolderError, match="the items of target my_task/a/b/wol are not those of earlier runs"):
        store.write_targets("my_task", "a/b", "wol", ["s1"], ["d1"])
    with pytest.raises(ValueError, match="target my_task/a/b/wol: 2 items but 1 clusters"):
        store.write_targets("my_task", "a/b", "wol", ["s1", "s2"], ["d1"])


def test_underscores_in_names_never_make_two_targets_one_file(store: Store) -> None:
    store.write_targets("a", "b__c", "d", ["s1"], ["d1"])
    store.write_targets("a__b", "c", "d", ["s2"], ["d1"])
    assert set(store.targets()) == {("a", "b__c", "d"), ("a__b", "c", "d")}


def test_a_failure_keeps_class_and_first_line_without_folders(store: Store, six: list[Unit]) -> None:
    error = DataError("/home/someone/data/wol.conllu:12: ID 4 after 2\nTraceback ...")
    store.record_failure(six[0], error)
    assert store.failures() == [Failure(six[0].id, six[0].key, "DataError", "wol.conllu:12: ID 4 after 2")]
    assert "someone" not in (store.folder / "failures" / f"{six[0].id}.json").read_text()
    store.clear_failure(six[0])
    store.clear_failure(six[0])
    assert store.failures() == []


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("[Errno 28] No space left on device: '/mnt/x/y.parquet'", "[Errno 28] No space left on device: 'y.parquet'"),
        ("see https://huggingface.co/a/b", "see https://huggingface.co/a/b"),
        ("3/4 of pos/ud/wol", "3/4 of pos/ud/wol"),
        ("", ""),
    ],
)
def test_only_absolute_folders_are_cut_from_messages(six: list[Unit], message: str, kept: str) -> None:
    assert Failure.of(six[0], message).message == kept
    assert str(Failure.of(six[0], message)) == f"UnitError: {kept}"


def test_a_failure_of_a_unit_that_is_present_by_now_is_not_shown(store: Store, six: list[Unit]) -> None:
    store.record_failure(six[0], "lost its worker")
    assert [failure.message for failure in store.failures()] == ["lost its worker"]
    score(store.folder, six[0])
    assert store.failures() == []


def test_the_log_has_what_varies_and_shards_do_not(tmp_path: Path) -> None:
    unit = units(1)[0]
    stores = [Store(tmp_path / name) for name in "ab"]
    for store in stores:
        score(store.folder, unit)
        store.log(event="done", seconds=1.5)
        time.sleep(0.01)
    assert content(stores[0].folder) == content(stores[1].folder)
    line = json.loads(next((stores[0].folder / "log").iterdir()).read_text())
    assert (line["event"], line["seconds"]) == ("done", 1.5)
    assert abs(line["time"] - time.time()) < 60


def test_leftovers_of_dead_processes_go_and_those_of_living_ones_stay(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host, folder = os.uname().nodename, store.folder / "items"
    folder.mkdir(parents=True)
    names = {"dead": f".{host}-{gone.pid}-a.tmp", "mine": f".{host}-{os.getpid()}-a.tmp"}
    names |= {"new": ".else-where-12-a.tmp", "old": ".else-where-13-a.tmp", "init": f".{host}-1-a.tmp"}
    for name in names.values():
        (folder / name).touch()
    os.utime(folder / names["old"], (0, 0))
    assert store.remove_leftovers() == 2
    assert {path.name for path in folder.iterdir()} == {names["mine"], names["new"], names["init"]}

    def refused(process: int, signal: int) -> None:
        raise PermissionError(process, signal)

    monkeypatch.setattr(os, "kill", refused)  # a process of another user
    assert store.remove_leftovers() == 0


def _write(path: Path, data: bytes) -> Any:
    return path.write_bytes(data)


def test_a_damaged_shard_is_named_with_what_to_do(store: Store, six: list[Unit]) -> None:
    """A run that resumes asks which units are there, and must be told which file stands in its way."""
    store.write(six[0], [cell()])
    path = store.measurements_path(six[0].id)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunFolderError, match=f"{path.name} is damaged: .*; delete measurements/{path.name}, then run"):
        store.present()
