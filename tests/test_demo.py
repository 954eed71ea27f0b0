"""The demo in miniature: made, run, shown, gone on with; and its positive control against hand-made scores."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
import yaml
from typer.testing import CliRunner

import xltransfer
from xltransfer.cli.demo import demo, run_demo
from xltransfer.cli.demo_found import alignment_found, interaction_found, levels, mean_changes, transfer_found
from xltransfer.config.load import load_study
from xltransfer.config.manifests import root
from xltransfer.engine.pretrain import PretrainSettings
from xltransfer.errors import ConfigError
from xltransfer.protocols import demo as parts
from xltransfer.protocols.demo import Demo, demo_of, positive_control
from xltransfer.report.charts import Chart
from xltransfer.runs.executors.ledger import Outcome
from xltransfer.runs.failure import Failure

SEEN = frozenset({"qaa", "qac", "qaf", "qba", "qbc", "qbf", "qca", "qcb", "qcg"})
UNSEEN = ["qab", "qag", "qbb", "qbg", "qcf"]
FEW = ["qaa", "qab", "qbb", "qcf"]


def miniature(seed: int = 1) -> Demo:
    """The demo with a fiftieth of the text, a base that is 16 wide, four languages, and fewer tasks."""
    whole = demo_of(seed, scale=0.02)
    makers = {"demo.yaml": _transfer, "demo_interaction.yaml": _interaction, "demo_alignment.yaml": _alignment}
    studies = {}
    for name, make in makers.items():
        study = yaml.safe_load(whole.studies[name])
        make(study)
        study["transfer"]["corpora"] = [{"dataset": "world-text", "languages": FEW}]
        for task in study["tasks"]:
            task["targets"] = [{**task["targets"][0], "languages": FEW}]
            if "adapter" in task:
                task["adapter"] |= {"epochs": 2}
        studies[name] = yaml.safe_dump(study)
    small = PretrainSettings(layers=1, hidden=16, heads=2, steps=30, batch_size=8, block=32, learning_rate=5e-3)
    return replace(whole, pretraining=small, vocabulary=400, studies=studies)


def _transfer(study: dict[str, Any]) -> None:
    study["tasks"] = [task for task in study["tasks"] if task["name"] in ("pos", "qa", "mlm")]
    study["nudge"] |= {"learning_rate": 0.01, "block": 32}
    study["cells"] = [{"steps": 1, "tasks": ["pos", "mlm"]}, {"steps": 6}]
    study["controls"] = {"zero_steps": {"languages": ["qaa"]}, "shuffled_text": None, "random_sign": None}


def _interaction(study: dict[str, Any]) -> None:
    adapters, fusions = ({"steps": 3, "batch_size": 2, "learning_rate": 0.01} for _ in range(2))
    study["interaction"] |= {"block": 32, "triples": {"sample": 1, "seed": 1}, "adapters": adapters, "fusions": fusions}


def _alignment(study: dict[str, Any]) -> None:
    study["nudge"] |= {"learning_rate": 0.01, "block": 32}
    study["cells"] = [{"steps": 6}]
    study["controls"] = {"zero_steps": {"languages": ["qaa"]}, "shuffled_text": None, "random_sign": None}
    study["alignment"]["compared"][0] |= {
        "data": [{"dataset": "world-parallel", "languages": FEW}], "max_items": 5,
    }  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def undrawn() -> Iterator[None]:
    """Draw no figure: that takes longest, and the report has tests of its own."""

    @contextmanager
    def drawn(charts: Sequence[Chart], workers: int = 0) -> Iterator[Iterator[str]]:
        yield iter(["not drawn"] * len(charts))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xltransfer.report.write.drawn", drawn)
        yield


@dataclass(frozen=True)
class Finished:
    """A demo that was done quickly first, then whole: its folder, what both said, and the shards of the first."""

    folder: Path
    said_quickly: str
    quickly: dict[Path, int]
    said: str


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    out = tmp_path_factory.mktemp("demo") / "out"
    said = [StringIO(), StringIO()]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said[0]):
        patch.setattr("xltransfer.cli.demo._write_reports", lambda out, parts: {})
        assert run_demo(miniature(), out, workers=0, quick=True) == ""
    quickly = stamps(out)
    with redirect_stdout(said[1]):
        assert run_demo(miniature(), out, workers=0) == ""
    return Finished(out, said[0].getvalue(), quickly, said[1].getvalue())


@pytest.fixture(scope="module")
def finished(done: Finished) -> Path:
    return done.folder


@pytest.fixture
def without_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the reports, which take longest."""
    monkeypatch.setattr("xltransfer.cli.demo._write_reports", lambda out, parts: {})


def stamps(out: Path) -> dict[Path, int]:
    """Return when every shard of every results folder was written."""
    return {path: path.stat().st_mtime_ns for kind in ("*.safetensors", "*.parquet") for path in out.rglob(kind)}


def test_shows_every_study_and_where_its_page_lies(done: Finished) -> None:
    for name, folder in (("transfer", "run"), ("interaction", "interaction"), ("alignment", "alignment")):
        assert name.upper() in done.said
        assert f"  {done.folder / folder} (" in done.said
    pages = [done.folder / name / "report.html" for name in ("report", "report_interaction", "report_alignment")]
    last = done.said.splitlines()[-3:]
    assert all(line.startswith(f"report: {page}, ") for line, page in zip(last, pages, strict=True))
    assert all(page.is_file() for page in pages)


def test_quick_is_a_part_that_the_whole_demo_goes_on_with(done: Finished) -> None:
    assert "TRANSFER" in done.said_quickly and "INTERACTION" not in done.said_quickly
    assert {path.relative_to(done.folder).parts[0] for path in done.quickly} == {"models", "run"}
    now = stamps(done.folder)
    assert done.quickly.items() <= now.items()
    scored = [path for path in done.quickly if path.parent.name == "measurements"]
    assert {task for path in scored for task in pd.read_parquet(path)["task"]} == {"pos", "mlm"}
    assert set(xltransfer.open_run(done.folder / "run").measurements()["task"]) == {"pos", "mlm", "qa"}


@pytest.mark.usefixtures("without_pages")
def test_a_stopped_demo_goes_on_where_it_was(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = stamps(finished)
    lost = sorted((finished / "alignment" / "measurements").glob("*.parquet"))[0]
    lost.unlink()
    assert run_demo(miniature(), finished, workers=0) == ""
    shown = capsys.readouterr().out
    assert "pretraining" not in shown and "making languages" not in shown
    for name, units in (("transfer", 0), ("interaction", 0), ("alignment", 1)):
        assert f"{name}: running {units} units" in shown
    changed = {path for path, when in stamps(finished).items() if before[path] != when}
    assert lost in changed and changed <= siblings(lost)


def siblings(shard: Path) -> set[Path]:
    """Return the shards of one unit."""
    return set(shard.parents[1].rglob(shard.name))


def test_pairs_are_counted_without_self_pairs_and_the_control_names_the_unseen(finished: Path) -> None:
    correlations, control = transfer_found(finished, SEEN, seed=1)
    mlm = correlations[correlations["task"] == "mlm"]
    assert set(mlm["n_pairs"]) == {len(FEW) * (len(FEW) - 1)}
    assert set(mlm["steps"]) == {1, 6}
    assert mlm["rho"].between(-1, 1).all() and mlm["p"].between(0, 1).all()
    assert sorted(control["transfer"]) == ["qab", "qbb", "qcf"]
    assert set(control["steps"]) == {6}


def test_interference_is_laid_beside_the_distance_of_the_two(finished: Path) -> None:
    found = interaction_found(finished, seed=1)
    pairs = found.gains[(found.gains["size"] == 2) & (found.gains["task"] == "mlm")]
    assert len(pairs) == 6 * 2 and set(pairs["control"]) == {"second_adapter"}
    # By hand: the nll of [AA'] less that of [AB], on A's own text.
    rows = xltransfer.open_run(finished / "interaction").measurements(labels=False)
    nll = rows[(rows["metric"] == "nll") & (rows["task"] == "mlm") & (rows["target"] == "qab")]
    nll = nll.set_index("transfer")["score"]
    own = pairs[(pairs["language"] == "qab") & (pairs["members"] == "qaa+qab")]["difference"].item()
    assert own == pytest.approx(nll["qab+qab'"] - nll["qaa+qab"])
    mlm = found.correlations[found.correlations["task"] == "mlm"]
    assert list(mlm["distance"]) == list(parts.DISTANCES)
    assert set(mlm["n_pairs"]) == {12}


def test_alignment_is_laid_beside_the_distances(finished: Path) -> None:
    found = alignment_found(finished, seed=1)
    assert {(row["what"], row["distance"]) for row in found.correlations.to_dict("records")} == {
        (what, distance) for what in ("level", "change") for distance in parts.DISTANCES
    }
    assert set(found.correlations["n_pairs"]) == {12}
    assert set(found.predicts["task"]) == {"mlm"} and set(found.predicts["steps"]) == {6}


def test_changes_of_alignment_are_means_over_replicates_against_the_untouched_model() -> None:
    base = {"base": "b", "corpus": "c", "task": "t", "dataset": "x:y", "source": "x", "target": "y", "layer": 1,
            "middle": True, "metric": "mean_cosine", "permuted": False, "steps": 5}  # fmt: skip
    rows = pd.DataFrame(
        [
            base | {"setting": "baseline", "transfer": "", "score": 0.5},
            base | {"setting": "baseline", "transfer": "", "score": 0.2, "permuted": True},
            base | {"setting": "nudge", "transfer": "y", "score": 0.6},
            base | {"setting": "nudge", "transfer": "y", "score": 0.8},
            base | {"setting": "shuffled_text", "transfer": "y", "score": 9.0},
        ]
    )
    (change,) = mean_changes(rows).to_dict("records")
    assert change["estimate"] == pytest.approx(0.2)
    assert (change["transfer"], change["other"], change["permuted"], change["middle"]) == ("y", "x", False, True)
    level = levels(rows)
    assert level.loc["x", "y"] == level.loc["y", "x"] == pytest.approx(0.3)


def test_the_written_studies_are_complete_and_runnable_by_themselves(finished: Path) -> None:
    for name in ("demo.yaml", "demo_quick.yaml", "demo_interaction.yaml", "demo_alignment.yaml"):
        resolved = load_study(finished / name)
        assert resolved.study.seed == 1
        assert {language.code for language in resolved.study.languages} == SEEN | set(UNSEEN)
        assert resolved.seen == SEEN
        assert resolved.data_root == finished.resolve()


def test_a_folder_of_another_seed_or_study_is_refused(finished: Path) -> None:
    with pytest.raises(ConfigError, match=r"demo.yaml is of another seed, size or version; give another folder"):
        run_demo(miniature(seed=2), finished, workers=0)
    with pytest.raises(ConfigError, match=r"another seed, size or version"):
        run_demo(replace(miniature(), vocabulary=300), finished, workers=0)
    made = miniature()
    alignment = made.studies["demo_alignment.yaml"].replace("max_items: 5", "max_items: 6")
    other = replace(made, studies={**made.studies, "demo_alignment.yaml": alignment})
    with pytest.raises(ConfigError, match=r"another seed, size or version"):
        run_demo(other, finished, workers=0, quick=True)
    split = replace(made, studies={**made.studies, "demo_alignment.yaml": alignment.replace("- qaf", "")})
    with pytest.raises(ConfigError, match=r"differ in base.seen"):
        parts.prepare(split, finished.parent / "split")


def test_the_quick_study_has_its_tasks_alone() -> None:
    shipped = (root() / "studies" / "demo.yaml").read_text(encoding="utf-8")
    quick, whole = yaml.safe_load(parts.quick_study(shipped)), yaml.safe_load(shipped)
    assert [task["name"] for task in quick["tasks"]] == list(parts.QUICK_TASKS)
    assert [cell["steps"] for cell in whole["cells"]] == [1, 10, 100]
    assert [(cell["steps"], cell["tasks"]) for cell in quick["cells"]] == [
        (1, ["pos", "mlm"]),
        (100, ["pos", "mlm"]),
    ]
    same = set(whole) - {"tasks", "cells"}
    assert {key: quick[key] for key in same} == {key: whole[key] for key in same}


@pytest.mark.usefixtures("without_pages")
def test_a_control_that_fails_ends_the_command_with_1(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = pd.DataFrame({"transfer": ["qab", "qcf"], "steps": [6, 6], "ts": [1.0, -0.1], "holds": [True, False]})
    monkeypatch.setattr(parts, "demo_of", lambda seed: miniature(seed))
    monkeypatch.setattr(parts, "positive_control", lambda ts, seen: failing)
    app = typer.Typer()
    app.command()(demo)
    result = CliRunner().invoke(app, ["--out", str(finished), "--workers", "0", "--quick"])
    assert result.exit_code == 1
    assert "positive control FAILED (qcf)" in result.stdout
    monkeypatch.setattr(parts, "positive_control", lambda ts, seen: failing.iloc[:0])
    monkeypatch.setattr("xltransfer.cli.demo._run", lambda out, part, workers: Outcome())
    assert "no unseen language was scored" in run_demo(miniature(), finished, workers=0, quick=True)
    failure = Failure("u1", {}, "UnitError", "no")
    monkeypatch.setattr("xltransfer.cli.demo._run", lambda out, part, workers: Outcome(failed=(failure,)))
    assert "transfer: 1 units failed, first" in run_demo(miniature(), finished, workers=0)


def shipped(name: str) -> dict[str, Any]:
    """Return a study file as it is shipped."""
    study: dict[str, Any] = yaml.safe_load((root() / "studies" / name).read_text(encoding="utf-8"))
    return study


def test_the_shipped_studies_ask_for_what_the_demo_promises() -> None:
    studies = {part.study: shipped(part.study) for part in parts.PARTS}
    for study in studies.values():
        assert set(study["base"]["seen"]) == SEEN
        assert "seed" not in study and "languages" not in study
    transfer = studies["demo.yaml"]
    assert {task["name"] for task in transfer["tasks"]} == {"pos", "dep", "nli", "qa", "classification", "mlm"}
    assert {cell["steps"] for cell in transfer["cells"]} == {1, 10, 100}
    interaction = studies["demo_interaction.yaml"]["interaction"]
    assert (interaction["pairs"], interaction["fusion"], interaction["capacity_control"]) == ("all", "trained", True)
    alignment = studies["demo_alignment.yaml"]
    assert alignment["alignment"]["compared"][0]["kind"] == "matched"
    # Its nudged models are those of the transfer study.
    assert [cell["steps"] for cell in alignment["cells"]] == [max(cell["steps"] for cell in transfer["cells"])]
    assert (alignment["transfer"], alignment["nudge"]) == (transfer["transfer"], transfer["nudge"])


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
