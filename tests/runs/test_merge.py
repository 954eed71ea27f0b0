"""Merging folders of the same settings."""

from functools import partial
from pathlib import Path

import pytest
from runs_work import cell, content, score, staged, train_and_score

from xltransfer.errors import RunFolderError
from xltransfer.runs.executors.inline import run_inline
from xltransfer.runs.folder import Header, claim, read_header
from xltransfer.runs.merge import merge
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

HEADER = Header({"name": "a"}, {"k": 1}, {"threads": 1}, {"w": "0"})


def made(folder: Path, units: list[Unit], header: Header = HEADER) -> Store:
    """A results folder with these units done."""
    claim(folder, header)
    run_inline(units, partial(score, folder), Store(folder))
    return Store(folder)


def test_two_halves_make_the_whole(tmp_path: Path, six: list[Unit], uninterrupted: Store) -> None:
    made(tmp_path / "a", six[:4])
    made(tmp_path / "b", six[2:], Header({"name": "b"}, {"k": 1}, {"threads": 1}, {"v": "1"}))
    assert merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out") == 6 + 6 + 1
    assert content(tmp_path / "out") == content(uninterrupted.folder)
    assert read_header(tmp_path / "out").study == {"name": "b"}
    assert read_header(tmp_path / "out").files == {"w": "0", "v": "1"}
    assert merge([tmp_path / "a"], tmp_path / "out") == 0


def test_artefacts_and_open_failures_come_along_and_healed_ones_do_not(tmp_path: Path, six: list[Unit]) -> None:
    first, second = made(tmp_path / "a", six[:1]), made(tmp_path / "b", six[1:2])
    first.record_failure(six[1], "lost")
    kept = first.record_failure(six[2], "lost")
    adapter = staged(0)[0]
    train_and_score(second.folder, adapter)
    merge([first.folder, second.folder], tmp_path / "out")
    merged = Store(tmp_path / "out")
    assert merged.is_present(adapter)
    assert merged.failures() == [kept]
    assert [path.stem for path in merged.placed("failures")] == [six[2].id]


@pytest.mark.parametrize("into", ["fresh", "existing"])
def test_other_settings_are_refused_with_both_folders(tmp_path: Path, six: list[Unit], into: str) -> None:
    made(tmp_path / "a", six[:1])
    made(tmp_path / "b", six[1:2], Header({}, {"k": 2}, {"threads": 1}))
    sources = [tmp_path / "a", tmp_path / "b"] if into == "fresh" else [tmp_path / "b"]
    out = tmp_path / ("out" if into == "fresh" else "a")
    with pytest.raises(RunFolderError, match=r"settings\.k: 1 in .*a, 2 in .*b"):
        merge(sources, out)
    assert not (tmp_path / "out").exists()


def test_a_unit_with_other_bytes_is_named_and_nothing_is_copied(tmp_path: Path, six: list[Unit]) -> None:
    made(tmp_path / "a", six[:2])
    other = made(tmp_path / "b", six[:1])
    other.write(six[0], [cell(7)])
    with pytest.raises(RunFolderError, match=rf"items of {six[0].id} differ between .*a and .*b: the same unit must"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_items_without_measurements_are_not_a_unit(tmp_path: Path, six: list[Unit]) -> None:
    broken = made(tmp_path / "a", six[:2])
    broken.measurements_path(six[1].id).unlink()
    merge([tmp_path / "a"], tmp_path / "out")
    assert {path.stem for path in Store(tmp_path / "out").placed("items")} == {six[0].id}


def test_no_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="merge needs at least one results folder"):
        merge([], tmp_path / "out")
