"""The demo in miniature: made, run, shown, gone on with; and its positive control against hand-made scores."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import typer
import yaml
from typer.testing import CliRunner

from xltransfer.cli.demo import demo, demo_results, run_demo
from xltransfer.config.load import load_study
from xltransfer.config.manifests import root
from xltransfer.engine.pretrain import PretrainSettings
from xltransfer.errors import ConfigError
from xltransfer.protocols.transfer import demo as parts
from xltransfer.protocols.transfer.demo import Demo, demo_of, positive_control

SEEN = frozenset({"qaa", "qac", "qaf", "qba", "qbc", "qbf", "qca", "qcb", "qcg"})
UNSEEN = ["qab", "qag", "qbb", "qbg", "qcf"]


def miniature(seed: int = 1) -> Demo:
    """The demo with a fiftieth of the text, a base that is 16 wide, and five transfer languages."""
    whole = demo_of(seed, scale=0.02)
    study = yaml.safe_load(whole.study)
    chosen = ["qaa", "qab", "qag", "qbb", "qcf"]
    study["transfer"] = {
        "corpora": [{"dataset": "world-text", "languages": chosen}],
        "tokens": "equal",
        "replicates": 2,
    }
    study["tasks"] = [task for task in study["tasks"] if task["name"] != "dep"]
    for task in study["tasks"]:
        task["targets"] = [{**task["targets"][0], "languages": chosen}]
    study["tasks"][0]["adapter"] |= {"epochs": 3}
    study["nudge"] |= {"learning_rate": 0.01, "block": 32}
    study["cells"] = [{"steps": 1}, {"steps": 6}]
    study["controls"] = {"zero_steps": {"languages": ["qaa"]}}
    small = PretrainSettings(layers=1, hidden=16, heads=2, steps=30, batch_size=8, block=32, learning_rate=5e-3)
    return replace(whole, pretraining=small, vocabulary=400, study=yaml.safe_dump(study))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    assert run_demo(miniature(), out, workers=0) == ""
    return out


def test_shows_every_distance_and_the_control_and_goes_on_where_it_was(finished, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*.safetensors")}
    assert run_demo(miniature(), finished, workers=0) == ""
    shown = capsys.readouterr().out
    assert "running 0 units" in shown and "pretraining" not in shown
    for name in ("sound", "lexical", "order", "script", "tree"):
        assert sum(name in line and "mlm" in line for line in shown.splitlines()) == 2, name
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*.safetensors")} == before
    assert shown.splitlines()[-1].startswith(f"report: {finished / 'report' / 'report.html'}, ")


def test_pairs_are_counted_without_self_pairs_and_the_control_names_the_unseen(finished):
    correlations, control = demo_results(finished, SEEN, seed=1)
    mlm = correlations[correlations["task"] == "mlm"]
    assert set(mlm["n_pairs"]) == {5 * 4}
    assert set(mlm["steps"]) == {1, 6}
    assert mlm["rho"].between(-1, 1).all() and mlm["p"].between(0, 1).all()
    assert sorted(control["transfer"]) == ["qab", "qag", "qbb", "qcf"]
    assert set(control["steps"]) == {6}


def test_the_written_study_is_complete_and_runnable_by_itself(finished):
    resolved = load_study(finished / "demo.yaml")
    assert resolved.study.seed == 1
    assert {language.code for language in resolved.study.languages} == SEEN | set(UNSEEN)
    assert resolved.seen == SEEN
    assert resolved.data_root == finished.resolve()


def test_a_folder_of_another_seed_is_refused(finished):
    with pytest.raises(ConfigError, match=r"demo.yaml is of another seed, size or version; give another folder"):
        run_demo(miniature(seed=2), finished, workers=0)
    with pytest.raises(ConfigError, match=r"another seed, size or version"):
        run_demo(replace(miniature(), vocabulary=300), finished, workers=0)


def test_a_control_that_fails_ends_the_command_with_1(finished, monkeypatch):
    failing = pd.DataFrame({"transfer": ["qab", "qcf"], "steps": [6, 6], "ts": [1.0, -0.1], "holds": [True, False]})
    monkeypatch.setattr(parts, "demo_of", lambda seed: miniature(seed))
    monkeypatch.setattr(parts, "positive_control", lambda ts, seen: failing)
    monkeypatch.setattr("xltransfer.cli.report.write", lambda *words, **options: None)
    monkeypatch.setattr("xltransfer.cli.report.show", lambda written: None)
    app = typer.Typer()
    app.command()(demo)
    result = CliRunner().invoke(app, ["--out", str(finished), "--workers", "0"])
    assert result.exit_code == 1
    assert "positive control FAILED (qcf)" in result.stdout
    monkeypatch.setattr(parts, "positive_control", lambda ts, seen: failing.iloc[:0])
    assert "no unseen language was scored" in run_demo(miniature(), finished, workers=0)


def test_the_shipped_study_asks_for_what_the_demo_promises():
    study = yaml.safe_load((root() / "studies" / "demo.yaml").read_text())
    assert set(study["base"]["seen"]) == SEEN
    assert {task["name"] for task in study["tasks"]} == {"pos", "dep", "mlm"}
    assert {cell["steps"] for cell in study["cells"]} == {1, 10, 100}
    assert "seed" not in study and "languages" not in study


def scored(transfer: str, target: str, steps: int, ts: float, task: str = "mlm", setting: str = "nudge") -> dict:
    row = {"transfer": transfer, "target": target, "steps": steps, "ts": ts}
    return row | {"task": task, "metric": "nll", "setting": setting}


def test_positive_control_reads_self_transfer_of_unseen_languages_at_the_largest_k():
    rows = [
        scored("qab", "qab", 100, 2.0),
        scored("qag", "qag", 100, 0.0),
        scored("qbb", "qbb", 100, float("nan")),
        scored("qab", "qab", 10, -1.0),
        scored("qab", "qag", 100, -1.0),
        scored("qaa", "qaa", 100, -1.0),
        scored("qab", "qab", 100, -1.0, task="pos"),
        scored("qab", "qab", 100, -1.0, setting="shuffled_text"),
    ]
    control = positive_control(pd.DataFrame(rows), SEEN)
    assert control["transfer"].tolist() == ["qab", "qag", "qbb"]
    assert control["holds"].tolist() == [True, False, False]


def test_power_is_the_share_of_seeds_with_a_small_p():
    path = Path(__file__).parents[1] / "analyses" / "demo_power.py"
    spec = importlib.util.spec_from_file_location("demo_power", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cell = {"task": "mlm", "metric": "nll", "steps": 10}
    nan = float("nan")
    rows = [
        {**cell, "distance": "tree", "seed": 1, "rho": -0.4, "p": 0.01, "centred_rho": -0.1, "centred_p": nan},
        {**cell, "distance": "tree", "seed": 2, "rho": -0.2, "p": 0.05, "centred_rho": -0.3, "centred_p": nan},
        {**cell, "distance": "tree", "seed": 3, "rho": nan, "p": nan, "centred_rho": -0.2, "centred_p": nan},
    ]
    table = module.power(pd.DataFrame(rows)).iloc[0]
    assert (table["n_seeds"], table["power"]) == (2, 0.5)
    assert table["mean_rho"] == pytest.approx(-0.3)
    assert table["standard_error"] == pytest.approx(0.5 / 2**0.5)
    assert pd.isna(table["centred_power"]) and table["centred_mean_rho"] == pytest.approx(-0.2)
