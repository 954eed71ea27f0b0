"""The script for tlr2023's Figure 3 on a miniature run with two task adapters."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from mini_alignment import MATCHED, study_file, write_home
from mini_study import MiniStudy
from typer.testing import CliRunner

from xltransfer.config.load import load_study
from xltransfer.errors import ConfigError
from xltransfer.protocols.alignment.run import run_study
from xltransfer.runs.open import open_run

SCRIPT = Path(__file__).resolve().parents[2] / "analyses" / "tlr2023" / "figure03.py"


@pytest.fixture(scope="module")
def figure03() -> ModuleType:
    # Another folder has a figure03 too, so it is loaded from its file.
    spec = importlib.util.spec_from_file_location("tlr2023_figure03", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(mini_files: MiniStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = write_home(tmp_path_factory.mktemp("tlr2023"), mini_files)
    tasks = [{**_task(mini_files), "name": name, "shape": "pos"} for name in ("madx", "allmulti")]
    tasks[0]["adapter"] = tasks[0]["adapter"] | {"epochs": 1}
    section = {
        "compared": [MATCHED],
        "states": ["language_and_task_adapters"],
        "adapters": "adapters",
        "max_length": 32,
    }
    resolved = load_study(study_file(home, mini_files, section, tasks=tasks, cells=[]))
    outcome = run_study(resolved, home / "run", workers=0)
    assert not outcome.failed, outcome.failed
    return home / "run"


def _task(mini: MiniStudy) -> dict[str, object]:
    import yaml

    found: dict[str, object] = yaml.safe_load(mini.path.read_text(encoding="utf-8"))["tasks"][0]
    return found


def test_two_adapters_stand_side_by_side_and_their_difference_is_theirs(figure03: ModuleType, folder: Path) -> None:
    curves, differences = figure03.side_by_side(open_run(folder), None, None)
    assert set(curves.task_adapter) == {"madx", "allmulti"}
    assert set(curves.setting) == {"language_and_task_adapters"} and set(differences.task_adapter) == {"madx"}
    key = ["dataset", "layer", "metric", "permuted"]
    wide = curves.pivot(index=key, columns="task_adapter", values="estimate")
    expected = (wide["madx"] - wide["allmulti"]).dropna()
    found = differences.set_index(key).estimate.dropna()
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index(), check_names=False, atol=1e-9)
    assert found.abs().max() > 1e-5


def test_the_script_writes_curves_and_a_figure_per_measure(figure03: ModuleType, folder: Path, tmp_path: Path) -> None:
    source = open_run(folder).study["languages"][0]["code"]
    app = figure03.typer.Typer()
    app.command()(figure03.main)
    done = CliRunner().invoke(app, [str(folder), "--source", source, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    names = {path.name for path in tmp_path.iterdir()}
    measures = {f"figure03_{name}.{end}" for name in ("cosine", "cka", "retrieval") for end in ("png", "svg")}
    assert names == measures | {"figure03_curves.csv", "figure03_differences.csv"}
    curves = pd.read_csv(tmp_path / "figure03_curves.csv")
    assert ((curves.source == source) | (curves.target == source)).all() and curves.dataset.nunique() == 2


def test_names_that_the_run_lacks_are_answered_with_the_nearest(figure03: ModuleType, folder: Path) -> None:
    with pytest.raises(ConfigError, match="--texts pra.* did you mean 'par'"):
        figure03.side_by_side(open_run(folder), "pra", None)
    with pytest.raises(ConfigError, match="--source qax"):
        figure03.side_by_side(open_run(folder), "par", "qax")
