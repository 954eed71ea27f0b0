"""The commands take an interaction study as they take a transfer study."""

from typing import Any

import pytest
from mini_study import MiniStudy
from typer.testing import CliRunner

from xltransfer.cli.main import app


def call(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_status_says_that_nothing_is_missing(interaction_study: MiniStudy) -> None:
    result = call("status", interaction_study.folder, "--study", interaction_study.path)
    assert result.exit_code == 0, result.output
    assert "4 measured units, 15 artefacts" in result.output
    assert "19 of 19 units of study mini_interaction are there, 0 missing" in result.output


def test_status_counts_what_is_missing_by_kind(interaction_study: MiniStudy, tmp_path: Any) -> None:
    import shutil

    from xltransfer.runs.store import Store

    shutil.copytree(interaction_study.folder, tmp_path / "run")
    store = Store(tmp_path / "run")
    for unit, key in store.present().items():
        if key["kind"] == "compositions" and key["target"] != "qaa":
            store.measurements_path(unit).unlink()
    result = call("status", store.folder, "--study", interaction_study.path)
    assert "missing: 2 x compositions" in result.output


def test_check_counts_blocks_of_the_study_s_own_length(interaction_files: MiniStudy) -> None:
    result = call("check", interaction_files.path)
    assert "0 refusals" in result.output, result.output


@pytest.mark.slow
def test_plan_prints_every_kind(interaction_files: MiniStudy) -> None:
    result = call("plan", interaction_files.path, "--seconds", "1")
    assert result.exit_code == 0, result.output
    for kind in ("task adapter pos", "language adapters", "fusions of 2", "fusions of 3", "baseline", "compositions"):
        assert kind in result.output
