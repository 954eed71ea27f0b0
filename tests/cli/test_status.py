"""`xltransfer status`: what is there, what failed, what is missing."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from xltransfer.errors import RunFolderError
from xltransfer.protocols.transfer.wanted import adapter_units
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def test_a_finished_run(mini_study: Any, xltransfer: Any) -> None:
    result = xltransfer("status", mini_study.folder, "--study", mini_study.path)
    assert result.exit_code == 0, result.output
    # 3 corpora: 12 nudges (k = 1 and 2, two replicates), 6 shuffled, 4 random signs, 3 zero steps, baseline and noise.
    assert "27 measured units, 3 artefacts" in result.output
    assert "30 of 30 units of study mini are there, 0 missing" in result.output
    assert "study mini, base mini-bert" in result.output
    assert "made on cpu with 1 thread(s) per worker, torch " in result.output
    assert "0 failures" in result.output


def test_size_is_that_of_the_files(mini_study: Any, xltransfer: Any) -> None:
    size = sum(path.stat().st_size for path in mini_study.folder.rglob("*") if path.is_file())
    assert f"{size / 1e6:,.1f} MB" in xltransfer("status", mini_study.folder).output


def test_failures_and_missing_units_are_told_apart(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    shutil.copytree(mini_study.folder, tmp_path / "run")
    store = Store(tmp_path / "run")
    nudges = {unit: key for unit, key in store.present().items() if key.get("setting") == "nudge"}
    two_steps = [unit for unit, key in nudges.items() if set(key["scores"]) == {"2"}][:2]
    for unit in two_steps:
        store.measurements_path(unit).unlink()
    store.artefact_path(adapter_units(mini_study.resolved)["ner@0"].id).unlink()
    failed = store.record_failure(Unit(key=nudges[two_steps[0]]), ValueError("no disk"))
    result = xltransfer("status", store.folder, "--study", mini_study.path)
    assert result.exit_code == 1
    assert "27 of 30 units of study mini are there, 3 missing" in result.output
    assert "missing: 2 x nudge, k=2" in result.output
    assert "missing: 1 x task adapter ner, seed 0" in result.output
    assert "1 failures" in result.output
    key = nudges[two_steps[0]]
    where = f"nudge, corpus {key['corpus']}, replicate {key['replicate']}, k=2"
    assert f"unit {failed.unit} ({where}): ValueError: no disk" in result.output


def test_many_failures_are_cut(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    shutil.copytree(mini_study.folder, tmp_path / "run")
    for number in range(23):
        Store(tmp_path / "run").record_failure(Unit(key={"kind": "odd", "number": number}), "lost")
    output = xltransfer("status", tmp_path / "run").output
    assert output.count("(odd): UnitError: lost") == 20
    assert "... and 3 more in" in output


def test_another_study_is_noted(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    text = mini_study.path.read_text(encoding="utf-8").replace("name: mini\n", "name: other\n", 1)
    other = mini_study.path.with_name("other.yaml")
    other.write_text(text, encoding="utf-8")
    output = xltransfer("status", mini_study.folder, "--study", other).output
    assert "note: the folder was made by study 'mini', not by 'other'" in output


def test_no_results_folder(xltransfer: Any, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is not a results folder: it has no run.json"):
        raise xltransfer("status", tmp_path).exception
