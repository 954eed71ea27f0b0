"""`xltransfer benchmark`: what it prints and writes, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from pandas.testing import assert_frame_equal
from typer.testing import CliRunner, Result

from xltransfer.cli.benchmark import benchmark
from xltransfer.errors import ConfigError, RunFolderError

QUICK = ("--targets", "1", "--seconds", "0.01")


def call(*words: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(benchmark)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_tables_and_files_say_the_same(mini_study: Any, tmp_path: Path) -> None:
    out, folder = tmp_path / "made" / "all.json", tmp_path / "csv"
    result = call(mini_study.folder, "--study", mini_study.path, *QUICK, "--out", out, "--csv", folder)
    assert result.exit_code == 0, result.exception
    written = json.loads(out.read_text(encoding="utf-8"))
    assert set(written) == {"machine", "speed", "noise", "noise_summary"}
    assert written["machine"]["kind"] == "cpu" and written["machine"]["threads"] == 1
    for name in ("speed", "noise", "noise_summary"):
        table = pd.read_csv(folder / f"{name}.csv")
        assert_frame_equal(table, pd.DataFrame(written[name]), check_dtype=False)
        assert str(folder / f"{name}.csv") in result.output
    summary = pd.DataFrame(written["noise_summary"])
    assert set(summary["precision"]) == {"float32", "bfloat16"}
    assert len(summary) == 2 * (3 + 3 + 2 + 1) and (summary["n_cells"] <= 1).all()
    assert summary["run_median_ts"].gt(0).any()
    for words in ("torch 2.", "score pos", "nudge step", "bfloat16", "run median ts", str(out)):
        assert words in result.output


def test_one_task_and_every_target(mini_study: Any, tmp_path: Path) -> None:
    words = ("--study", mini_study.path, "--task", "pos", "--task", "mlm", "--seconds", "0.01")
    result = call(mini_study.folder, *words, "--csv", tmp_path)
    assert result.exit_code == 0, result.exception
    noise = pd.read_csv(tmp_path / "noise.csv")
    assert noise.groupby(["task", "metric"])["target"].nunique().to_dict() == {
        ("mlm", "nll"): 3,
        ("pos", "accuracy"): 3,
        ("pos", "nll"): 3,
        ("pos", "span_f1"): 3,
    }


def test_the_remembered_study_needs_its_data(mini_study: Any) -> None:
    with pytest.raises(ConfigError, match=r"whose data_root '\.' is relative .* --study, .* --data-root"):
        raise call(mini_study.folder, *QUICK).exception  # type: ignore[misc]
    result = call(mini_study.folder, *QUICK, "--task", "mlm", "--data-root", mini_study.path.parent)
    assert result.exit_code == 0, result.exception


def test_a_run_that_has_not_been_nudged_has_no_ts(mini_study: Any, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes((mini_study.folder / "run.json").read_bytes())
    words = ("--study", mini_study.path, "--task", "mlm", *QUICK)
    assert call(tmp_path, *words, "--out", tmp_path / "all.json").exit_code == 0
    rows = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["noise_summary"]
    assert rows and all(row["run_median_ts"] is None and row["max_ts"] is not None for row in rows)


def test_what_is_refused(mini_study: Any, tmp_path: Path) -> None:
    study = ("--study", mini_study.path)
    wrong: list[tuple[tuple[Any, ...], type[Exception], str]] = [
        ((tmp_path, *study), RunFolderError, "is not a results folder: it has no run.json"),
        ((mini_study.folder, *study, "--task", "pso"), ConfigError, "no task 'pso'; did you mean 'pos'?"),
        ((mini_study.folder, *study, "--out", "all.csv"), ConfigError, "does not end in .json; for tables give a"),
    ]
    for words, kind, message in wrong:
        error = call(*words).exception
        assert isinstance(error, kind)
        assert message in str(error)
    assert call(mini_study.folder, *study, "--targets", "0").exit_code == 2


def test_runs_that_cannot_be_scored_are_refused(mini_study: Any, tmp_path: Path) -> None:
    header = (mini_study.folder / "run.json").read_text(encoding="utf-8")
    (tmp_path / "run.json").write_text(header, encoding="utf-8")
    with pytest.raises(RunFolderError, match="has no task adapter pos@0, dep@0, ner@0 of this study"):
        raise call(tmp_path, "--study", mini_study.path).exception  # type: ignore[misc]
    (tmp_path / "run.json").write_text(header.replace('"learning_rate": 0.001', '"learning_rate": 0.002'))
    with pytest.raises(RunFolderError, match=r"settings.nudge.learning_rate: 0.002 in the folder, 0.001 in the study"):
        raise call(tmp_path, "--study", mini_study.path).exception  # type: ignore[misc]
    (tmp_path / "run.json").write_text(header.replace('"schedule": "linear"', '"schedule": "sudden"'))
    with pytest.raises(ConfigError, match="remembers a study of another version; name its file with --study"):
        raise call(tmp_path, "--data-root", mini_study.path.parent).exception  # type: ignore[misc]
