"""`xltransfer merge`: two halves make the whole again, byte for byte."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from xltransfer.errors import RunFolderError
from xltransfer.runs.store import Store

KINDS = ("measurements", "items", "artefacts", "targets")


def half(folder: Path, to: Path, part: int) -> Path:
    """Copy a results folder without every other unit of measurement."""
    shutil.copytree(folder, to)
    for number, path in enumerate(Store(to).placed("measurements")):
        if number % 2 == part:
            path.unlink()
    return to


def test_two_halves_make_the_whole(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    halves = [half(mini_study.folder, tmp_path / f"part{part}", part) for part in (0, 1)]
    out = tmp_path / "out"
    result = xltransfer("merge", *halves, "--out", out)
    assert result.exit_code == 0, result.output
    assert f"files copied from 2 folders into {out}" in result.output
    assert f"{out} has 27 measured units and 3 artefacts, 0 failures are open" in result.output
    for kind in KINDS:
        whole, merged = Store(mini_study.folder).placed(kind), Store(out).placed(kind)
        assert [path.name for path in whole] == [path.name for path in merged]
        assert all(a.read_bytes() == b.read_bytes() for a, b in zip(whole, merged, strict=True))
    again = xltransfer("merge", *halves, "--out", out)
    assert "0 files copied from 2 folders" in again.output


def test_folders_of_different_settings_are_refused(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    other = half(mini_study.folder, tmp_path / "other", 0)
    header = (other / "run.json").read_text(encoding="utf-8")
    (other / "run.json").write_text(header.replace('"learning_rate": 0.001', '"learning_rate": 0.002'))
    with pytest.raises(RunFolderError, match=r"settings.nudge.learning_rate: 0.001 in .*, 0.002 in "):
        raise xltransfer("merge", mini_study.folder, other, "--out", tmp_path / "out").exception
    assert not (tmp_path / "out").exists()


def test_out_is_needed(mini_study: Any, xltransfer: Any) -> None:
    result = xltransfer("merge", mini_study.folder)
    assert result.exit_code == 2
    assert "Missing option '--out'" in result.output
