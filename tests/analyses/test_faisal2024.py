"""The scripts for the paper's tables and figures, on a simulated run: each runs, and says what the frames say."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from results import Results, item, write
from simulate_run import Spec, simulate

import xltransfer
from xltransfer.analysis import rank_transfer_languages

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "analyses" / "faisal2024"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("[tf]*.py"))
TWO_BASES = "tables08_10_12"
OTHER_RUNS = {"table06", "figure02", "figure04", "tables13_14"}
"""Read interaction runs, or tasks of sentences; see test_faisal2024_interaction.py."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("paper") / "run"
    targets = {"pos": 7, "dep": 7, "ner": 6}
    simulate(made, Spec(transfers=5, replicates=3, steps=(1, 10), targets=targets, mean_items=25))
    return made


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return Results(xltransfer.open_run(folder))


def made_by(script: str, results: Results) -> dict[str, pd.DataFrame | Figure]:
    """What a script makes of the run; the one that compares two bases gets a second one of another name."""
    make = getattr(importlib.import_module(script), script)
    if script != TWO_BASES:
        return dict(make(results))
    other = Results(results.run)
    for name in ("ts", "changes"):
        vars(other)[name] = getattr(results, name).assign(base="another")
    return dict(make(results, other))


@pytest.mark.parametrize("script", sorted(set(SCRIPTS) - OTHER_RUNS))
def test_a_script_makes_tables_and_figures_that_can_be_written(script: str, results: Results, tmp_path: Path) -> None:
    made = made_by(script, results)
    assert made
    for name, content in made.items():
        assert len(content) if isinstance(content, pd.DataFrame) else content.axes, name
        for path in write(content, tmp_path / name):
            assert path.stat().st_size > 0


def test_the_readme_maps_every_script() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert set(re.findall(r"`(?:faisal2024/)?((?:table|figure)s?[\d_]+)\.py`", text)) == set(SCRIPTS)


def test_table02_and_tables07_09_11_are_self_transfer(results: Results) -> None:
    unseen = made_by("table02", results)["table02_unseen"]
    everybody = pd.concat(made_by("tables07_09_11", results).values(), ignore_index=True)
    assert set(unseen["transfer"]) <= results.unseen
    row = everybody.iloc[0]
    rows = results.measurements
    own = rows[
        (rows["task"] == row["task"]) & (rows["dataset"] == row["dataset"]) & (rows["target"] == row["transfer"])
    ]
    nudged = own[(own["setting"] == "nudge") & (own["corpus"] == row["corpus"]) & (own["steps"] == 10)]
    base = own.loc[own["setting"] == "baseline", "score"].iloc[0]
    assert row["k10"] == pytest.approx(nudged["score"].mean())
    assert row["base_score"] == pytest.approx(base)
    assert row["improves_k10"] == (nudged["score"].mean() > base)


def test_table03_is_the_top_of_tables15_18(results: Results) -> None:
    keys = ["task", "steps", "transfer", "corpus"]
    top = made_by("table03", results)["table03_top5"]
    ranking = made_by("tables15_18", results)["tables15_18_ranking"]
    both = top.merge(ranking, on=keys, suffixes=("", "_whole"))
    assert len(both) == len(top)
    assert (both["aggregated_transfer"] == both["aggregated_transfer_whole"]).all()
    assert (ranking["rank_low"] <= ranking["rank"]).all() and (ranking["rank"] <= ranking["rank_high"]).all()


def test_table05_calls_an_entry_by_its_extremes(results: Results) -> None:
    from table05 import kind

    assert [kind(0, 0), kind(3, 1), kind(1, 3), kind(2, 2), kind(2, 1)] == ["neutral", "+", "-", "+ and -", "+ and -"]
    table = made_by("table05", results)["table05_variance"]
    assert (table["type"] == [kind(*pair) for pair in zip(table["n_max"], table["n_min"], strict=True)]).all()


def test_table22_is_sorted_by_variance_and_table23_holds_its_counts(results: Results) -> None:
    table = made_by("table22", results)["table22_variance"]
    for _, part in table.groupby(["task", "steps"]):
        assert part["variance"].is_monotonic_decreasing
    named = made_by("table23", results)["table23_extremes"]
    counts = named.assign(n=named["max"].str.split().str.len().where(named["max"] != "-", 0))
    both = table.merge(counts, on=["base", "task", "metric", "steps", "transfer", "corpus"])
    assert (both["n"] <= both["n_max"]).all()  # a language with two test sets is named once
    assert both["n"].sum() > 0


def test_two_equal_bases_do_not_differ(results: Results) -> None:
    compared = made_by(TWO_BASES, results)["tables08_10_12_compared"]
    assert len(compared) and compared["estimate"].abs().max() == pytest.approx(0.0, abs=1e-12)


def test_figures09_18_rows_agree_with_the_ranking(results: Results) -> None:
    lines = made_by("figures09_18", results)["figures09_18_lines"]
    ranking = rank_transfer_languages(results.ts)
    both = lines[lines["transfer"] != ""].merge(ranking, on=["base", "task", "metric", "transfer", "corpus", "steps"])
    assert len(both) == len(ranking)
    assert both["estimate"].to_numpy() == pytest.approx(both["aggregated_transfer"].to_numpy())


def test_a_script_is_a_command(folder: Path, tmp_path: Path) -> None:
    words = [sys.executable, str(FOLDER / "table04.py"), str(folder), "--out", str(tmp_path / "items")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, encoding="utf-8")
    path = tmp_path / "items" / "table04_percent_positive.csv"
    assert done.stdout.splitlines()[-1] == str(path)
    assert len(pd.read_csv(path)) == 6  # three tasks at two k
    assert callable(item)
