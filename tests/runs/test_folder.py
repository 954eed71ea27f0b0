"""run.json: first writer wins, later runs are compared, and every refused key is named with both values."""

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs_work import cell, units

from xltransfer.errors import RunFolderError
from xltransfer.runs import folder as folder_module
from xltransfer.runs.folder import Header, claim, read_header, sha256_file
from xltransfer.runs.store import Store

HEADER = Header(
    study={"languages": ("wol", "yor")},
    settings={"nudge": {"learning_rate": 5e-5, "batch_size": 8}, "pooler": "keep"},
    environment={"threads": 1, "torch": "2.13.0", "device": "cpu"},
    files={"weights": "a" * 64},
)


def test_the_first_run_writes_the_header_and_the_same_run_again_fits(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    assert claim(folder, HEADER) == ()
    assert claim(folder, HEADER) == ()
    assert read_header(folder).study == {"languages": ["wol", "yor"]}
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_every_differing_key_is_listed_with_both_values_and_the_remedy(tmp_path: Path) -> None:
    claim(tmp_path, HEADER)
    settings = {"nudge": {"learning_rate": 1e-4, "batch_size": 8}, "schedule": "linear", "pooler": "keep"}
    other = Header({}, settings, {**HEADER.environment, "threads": 2}, {"weights": "b" * 64})
    with pytest.raises(RunFolderError) as caught:
        claim(tmp_path, other)
    assert str(caught.value).splitlines()[1:] == [
        "  settings.nudge.learning_rate: 5e-05 in the folder, 0.0001 now",
        '  settings.schedule: (absent) in the folder, "linear" now',
        "  environment.threads: 1 in the folder, 2 now",
        "  files.weights: sha256 aaaaaaaaaaaa in the folder, sha256 bbbbbbbbbbbb now",
        "restore these values or use another results folder.",
    ]
    assert read_header(tmp_path).settings == HEADER.settings


def test_another_thread_count_is_refused_unless_mixed(tmp_path: Path) -> None:
    claim(tmp_path, HEADER)
    other = replace(HEADER, environment={**HEADER.environment, "threads": 2})
    with pytest.raises(RunFolderError, match=r"environment\.threads: 1 in the folder, 2 now\n.*or add --mixed"):
        claim(tmp_path, other)
    assert claim(tmp_path, other, mixed=True) == ("environment.threads",)
    assert read_header(tmp_path).environment == HEADER.environment


def test_mixed_does_not_excuse_other_settings(tmp_path: Path) -> None:
    claim(tmp_path, HEADER)
    with pytest.raises(RunFolderError, match=r"settings\.pooler") as caught:
        claim(tmp_path, replace(HEADER, settings={"nudge": HEADER.settings["nudge"]}), mixed=True)
    assert "--mixed" not in str(caught.value)


def test_a_larger_study_replaces_the_smaller_one_and_adds_files(tmp_path: Path) -> None:
    claim(tmp_path, HEADER)
    larger = replace(HEADER, study={"languages": ["wol", "yor", "kin"]}, files={"kin.txt": "c" * 64})
    claim(tmp_path, larger)
    assert read_header(tmp_path).study == larger.study
    assert read_header(tmp_path).files == {"weights": "a" * 64, "kin.txt": "c" * 64}


def test_simultaneous_first_runs_leave_one_whole_header_with_the_files_of_all(tmp_path: Path) -> None:
    headers = [replace(HEADER, files={f"{n}.txt": str(n) * 64}) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda header: claim(tmp_path / "run", header), headers))
    for header in headers:  # a file that a simultaneous writer lost comes back with the next claim
        claim(tmp_path / "run", header)
    assert set(read_header(tmp_path / "run").files) == {f"{n}.txt" for n in range(8)}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


def test_simultaneous_first_runs_with_other_settings_refuse_all_but_one(tmp_path: Path) -> None:
    def attempt(n: int) -> bool:
        try:
            claim(tmp_path / "run", replace(HEADER, settings={"n": n}))
        except RunFolderError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


def test_a_file_system_without_hard_links_works_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    claim(tmp_path, HEADER)
    claim(tmp_path, HEADER)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_another_error_of_linking_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="No space left"):
        claim(tmp_path, HEADER)
    assert list(tmp_path.iterdir()) == []


def test_losing_the_race_on_such_a_file_system_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_was_first(source: Path, target: Path) -> None:
        target.write_bytes(folder_module._encode(HEADER))
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", other_was_first)
    with pytest.raises(RunFolderError, match=r"settings\.pooler"):
        claim(tmp_path, replace(HEADER, settings={}))


def test_measurements_without_a_header_are_refused(store: Store) -> None:
    store.write(units(1)[0], [cell()])
    with pytest.raises(RunFolderError, match=r"holds measurements but no run\.json"):
        claim(store.folder, HEADER)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not the header of a results folder"), ("{}", "'format'"), ('{"format": 99}', "has layout 99")],
)
def test_a_damaged_header_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunFolderError, match=message):
        claim(tmp_path, HEADER)


def test_a_folder_without_header_is_not_a_results_folder(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"is not a results folder: it has no run\.json"):
        read_header(tmp_path)


def test_sha256_is_that_of_the_whole_content(tmp_path: Path) -> None:
    data: Any = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(data).hexdigest()
