"""`xltransfer scores` on a real miniature run, and the small frames and formats that it adds to the analysis."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from xltransfer.cli.tables import cell, table_of
from xltransfer.errors import ConfigError, RunFolderError
from xltransfer.report.overview import baseline_scores_by_task, ts_ranges, zero_steps_verdict
from xltransfer.runs.open import open_run
from xltransfer.runs.store import Store


def test_prints_every_part_of_the_report(mini_study: Any, xltransfer: Any) -> None:
    result = xltransfer("scores", mini_study.folder)
    assert result.exit_code == 0, result.output
    for part in ("baseline: untouched model", "ts, percent against baseline", "noise floor", "controls: ts in percent"):
        assert part in result.output
    assert "zero_steps: PASS, 3 corpora" in result.output
    assert "pos, accuracy, k=1, mini-bert: transfer languages" in result.output
    assert "mlm, nll, k=2, mini-bert: transfer languages" in result.output
    # 34 entities a target are too few for an aggregate.
    assert "ner, f1, k=2, mini-bert: no ranking" in result.output
    assert "accuracy[" not in result.output


def test_csv_holds_ts_as_computed_by_hand(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    result = xltransfer("scores", mini_study.folder, "--csv", tmp_path / "new" / "folder")
    names = ("baseline", "transfer_scores", "ts_ranges", "ranking", "noise_floor", "controls", "variance_shares")
    for name in names:
        assert str(tmp_path / "new" / "folder" / f"{name}.csv") in result.output
    ts = pd.read_csv(tmp_path / "new" / "folder" / "transfer_scores.csv")
    rows = open_run(mini_study.folder).measurements()
    rows = rows[(rows["task"] == "pos") & (rows["metric"] == "accuracy") & (rows["target"] == "qba")]
    before = float(rows.loc[rows["setting"] == "baseline", "score"].iloc[0])
    after = rows.loc[(rows["setting"] == "nudge") & (rows["corpus"] == "text-qaa") & (rows["steps"] == 2), "score"]
    assert len(after) == 2
    own = ts.query("setting == 'nudge' and corpus == 'text-qaa' and steps == 2")
    own = own.query("task == 'pos' and metric == 'accuracy' and target == 'qba'")
    assert own["ts"].item() == pytest.approx(100 * (after.mean() - before) / before)


def test_options_choose_task_metric_steps_and_number(mini_study: Any, xltransfer: Any) -> None:
    words = ("--task", "pos", "--metric", "span_f1", "--steps", "2", "--top", "1")
    result = xltransfer("scores", mini_study.folder, *words)
    assert result.exit_code == 0, result.output
    assert "pos, span_f1, k=2, mini-bert: transfer languages (1 of 3)" in result.output
    assert "k=1" not in result.output
    assert "mlm" not in result.output


def test_against_a_control(mini_study: Any, xltransfer: Any) -> None:
    result = xltransfer("scores", mini_study.folder, "--task", "mlm", "--against", "random_sign")
    assert result.exit_code == 0, result.output
    assert "ts, percent against random_sign" in result.output


def test_labels_have_a_table_of_their_own(mini_study: Any, xltransfer: Any) -> None:
    result = xltransfer("scores", mini_study.folder, "--labels", "--task", "pos")
    assert "per gold label" in result.output
    assert any({"pos", "accuracy", "NOUN"} <= set(line.split()) for line in result.output.splitlines())


def test_errors_name_what_is_known(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    expected = {
        ("--task", "po"): "--task po: the results have no such task; did you mean 'pos'?",
        ("--metric", "acuracy"): "--metric acuracy: no task here has it; did you mean 'accuracy'?",
        ("--steps", "3"): r"--steps 3: no nudge of that many steps was scored; known: \[1, 2\]",
    }
    for words, message in expected.items():
        with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
            raise xltransfer("scores", mini_study.folder, *words).exception
    with pytest.raises(RunFolderError, match="is not a results folder"):
        raise xltransfer("scores", tmp_path).exception
    assert "Invalid value for '--against'" in xltransfer("scores", mini_study.folder, "--against", "noise").output


def test_a_growing_folder_is_readable(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    shutil.copytree(mini_study.folder, tmp_path / "run")
    store = Store(tmp_path / "run")
    for unit, key in store.present().items():
        if key.get("setting", "baseline") != "baseline":
            store.measurements_path(unit).unlink()
    result = xltransfer("scores", store.folder, "--labels")
    assert result.exit_code == 0, result.output
    assert "no nudged model has been scored yet" in result.output
    assert "zero_steps: not scored yet" in result.output
    with pytest.raises(ConfigError, match="--against shuffled_text: the results have no such control"):
        raise xltransfer("scores", store.folder, "--against", "shuffled_text").exception
    for path in store.placed("measurements"):
        path.unlink()
    with pytest.raises(RunFolderError, match="has no baseline scores yet"):
        raise xltransfer("scores", store.folder).exception


def test_failures_are_told(mini_study: Any, xltransfer: Any, tmp_path: Path) -> None:
    from xltransfer.runs.unit import Unit

    shutil.copytree(mini_study.folder, tmp_path / "run")
    failed = Store(tmp_path / "run").record_failure(Unit(key={"protocol": "transfer"}), ValueError("a worker died"))
    output = xltransfer("scores", tmp_path / "run", "--task", "mlm").output
    assert f"failed: unit {failed.unit}: ValueError: a worker died" in output
    assert "1 units failed; their scores are missing above" in output


def test_works_where_torch_cannot_be_imported(mini_study: Any) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from xltransfer.cli.main import main\n"
        f"sys.argv = ['xltransfer', 'scores', {str(mini_study.folder)!r}, '--task', 'mlm']\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    assert "zero_steps: PASS" in ran.stdout


def test_baseline_mean_leaves_out_flagged_cells() -> None:
    keys = {"base": "b", "device": "cpu", "adapter_seed": 0, "task": "pos", "dataset": "d"}
    scored = {"aaa": 40.0, "bbb": 60.0, "ccc": 5.0, "ddd": np.nan}
    rows = pd.DataFrame(
        [keys | {"setting": "baseline", "target": t, "metric": "accuracy", "score": s} for t, s in scored.items()]
    )
    flags = pd.DataFrame([keys | {"target": t, "at_floor": t == "ccc", "small": False} for t in scored])
    table = baseline_scores_by_task(rows, flags, {"pos": "accuracy"})
    (row,) = table.to_dict("records")
    assert row["score"] == 50.0
    assert (row["lowest"], row["highest"]) == (40.0, 60.0)
    assert (row["cells"], row["aggregated"], row["at_floor"], row["small"]) == (4, 2, 1, 0)


def test_ranges_count_all_cells_and_spread_the_aggregated() -> None:
    frame = pd.DataFrame({"base": "b", "task": "t", "metric": "m", "steps": 1, "ts": [1.0, 2.0, 9.0, 400.0, np.nan]})
    frame["aggregated"] = [True, True, True, False, False]
    (row,) = ts_ranges(frame).to_dict("records")
    assert (row["cells"], row["aggregated"]) == (5, 3)
    assert (row["lowest"], row["median"], row["mean"], row["highest"]) == (1.0, 2.0, 4.0, 9.0)
    assert row["q05"] == pytest.approx(np.percentile([1.0, 2.0, 9.0], 5))


def test_verdict_fails_for_a_single_changed_bit() -> None:
    row = {"setting": "zero_steps", "task": "pos", "metric": "nll", "corpus": "c", "max_abs_ts": 1e-12}
    frame = pd.DataFrame([row | {"exact": True}, row | {"exact": False}])
    assert zero_steps_verdict(frame).startswith("zero_steps: FAIL, 1 of 2 rows differ from the baseline, first pos nll")
    assert "PASS, 1 corpora" in zero_steps_verdict(frame[:1])
    lost = zero_steps_verdict(frame, "cls")
    assert lost == "zero_steps: 1 of 2 rows differ from the baseline, as pooler: cls makes them"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "–"), (pd.NA, "–"), (None, "–"), (1234, "1,234"), (np.int64(7), "7"), (True, "yes"),
        (np.False_, "no"), (2.005, "2.00"), (-1234.5, "-1,234.50"), (0.0, "0.00"), (0.0012, "1e-03"),
        ("a[b]", "a\\[b]"),
    ],
)  # fmt: skip
def test_a_value_is_rounded_last_and_undefined_is_a_dash(value: object, text: str) -> None:
    assert cell(value, 2) == text


def test_numbers_stand_to_the_right() -> None:
    frame = pd.DataFrame({"name": ["x"], "n": pd.array([1], dtype="Int64"), "some_share": [0.5], "holds": [True]})
    table = table_of(frame, places={"some_share": 1})
    assert [column.justify for column in table.columns] == ["left", "right", "right", "left"]
    assert [str(column.header) for column in table.columns] == ["name", "n", "some share", "holds"]
    assert list(table.columns[2].cells) == ["0.5"]
