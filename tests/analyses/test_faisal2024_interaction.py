"""Scripts that read interaction runs, or tasks of inference and questions: a run of known counts, scored by hand."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cluster_tables import nudged, targets_of
from figure02 import figure02
from figure04 import figure04
from matplotlib.figure import Figure
from results import Results, write
from simulate_run import Spec, simulate
from table06 import DEAD_ZONES, table06
from tables07_09_11 import tables07_09_11
from tables08_10_12 import tables08_10_12
from tables13_14 import tables13_14
from tables15_18 import tables15_18

import xltransfer
from xltransfer.errors import ConfigError
from xltransfer.runs.cluster_counts import ClusterCounts

SCRIPTS = Path(__file__).resolve().parents[2] / "analyses" / "faisal2024"
CODES = ["fin", "hun", "wol", "eng", "zho"]
SENTENCES, WORDS = 30, 20
TARGETS = targets_of({code: range(i * SENTENCES, (i + 1) * SENTENCES) for i, code in enumerate(CODES)}, "pos")


@dataclass
class MadeUpRun:
    """An interaction run whose counts are drawn: what the scripts ask a results folder for, and nothing else."""

    folder: Path = Path("made-up")
    study: dict[str, Any] = field(
        default_factory=lambda: {"seed": 1, "tasks": [{"name": "pos", "shape": "pos"}], "base": {"seen": CODES[:4]}}
    )
    entries: list[ClusterCounts] = field(default_factory=lambda: list(drawn()))

    def measurements(self, labels: bool = True) -> pd.DataFrame:
        rows = []
        for entry in self.entries:
            for number, (dataset, target) in enumerate(TARGETS.names):
                if entry.scored[0, number]:
                    there = slice(TARGETS.starts[number], TARGETS.starts[number + 1])
                    rows.append(
                        (entry.setting, entry.transfer, dataset, target, entry.counts["correct"][0, there].mean())
                    )
        frame = pd.DataFrame(rows, columns=["setting", "transfer", "dataset", "target", "correct"])
        fixed = {"unit": "u", "protocol": "interaction", "base": "mbert", "task": "pos", "metric": "accuracy",
                 "n_items": SENTENCES, "n_scored": SENTENCES, "device": "cpu"}  # fmt: skip
        return frame.assign(score=100.0 * frame["correct"] / WORDS, adapter_seed=0, **fixed)

    def cluster_counts(self, settings: Collection[str]) -> Iterator[ClusterCounts]:
        return iter([entry for entry in self.entries if entry.setting in settings])


def drawn() -> Iterator[ClusterCounts]:
    """The task adapter alone, all singles, second adapters, pairs and triples; every member gains or loses a little."""
    rng = np.random.default_rng(8)
    base = rng.integers(8, 16, len(CODES) * SENTENCES)
    members = [(), *((code,) for code in CODES), *((code, f"{code}'") for code in CODES)]
    members += [m for size in (2, 3) for m in itertools.combinations(CODES, size)]
    for codes in members:
        changed = base + (0 if not codes else rng.choice([-1, 0, 1], len(base), p=[0.2, 0.6, 0.2]))
        setting = "baseline" if not codes else "language_adapter" if len(codes) == 1 else "fusion_trained"
        scored = np.array([[not codes or target in codes for _, target in TARGETS.names]])
        counts = {"correct": changed[None, :], "total": np.full((1, len(base)), WORDS)}
        yield nudged(TARGETS, counts, scored, base="mbert", setting=setting, transfer="+".join(codes), steps=None)


@pytest.fixture(scope="module")
def interaction() -> Results:
    results = Results(MadeUpRun())  # type: ignore[arg-type]
    vars(results)["flags"] = pd.DataFrame(
        {"base": "mbert", "adapter_seed": 0, "task": "pos", "dataset": "ud", "target": CODES, "small": False}
    )
    return results


@pytest.fixture(scope="module")
def transfer(tmp_path_factory: pytest.TempPathFactory) -> Results:
    made = tmp_path_factory.mktemp("paper") / "run"
    simulate(made, Spec(transfers=4, replicates=2, steps=(1, 10), targets={"pos": 5, "dep": 5}, mean_items=15))
    return Results(xltransfer.open_run(made))


def test_table06_counts_what_the_scores_say(interaction: Results, tmp_path: Path) -> None:
    table = table06(interaction)["table06_counts"]
    assert len(table) == len(CODES) * 2 * 2 * len(DEAD_ZONES)  # pairs and threes, two controls
    known = {(row.transfer, row.target): row.score for row in interaction.measurements.itertuples()}
    for a in CODES:
        counts = dict.fromkeys(("-A-B", "-A+B", "+A-B", "+A+B", "tie"), 0)
        for b in CODES:
            pair = "+".join(sorted((a, b), key=CODES.index))
            if a != b:
                gains = [known[pair, code] - known[f"{code}+{code}'", code] for code in (a, b)]
                counts["tie" if 0 in gains else "".join("-+"[g > 0] + x for g, x in zip(gains, "AB", strict=True))] += 1
        own = table[(table["language"] == a) & (table["size"] == 2) & (table["control"] == "second_adapter")]
        (row,) = own[own["dead_zone"] == 0.0].to_dict("records")
        assert {name: row[name] for name in counts} == counts
        assert row["n"] == sum(counts.values()) - counts["tie"] and row["missing"] == 0
        assert pd.isna(row["+A+B+C"])
    wide = table.pivot_table(index=["control", "size", "language"], columns="dead_zone", values="tie")
    assert (wide[1.0] >= wide[0.0]).all() and wide[1.0].sum() > wide[0.0].sum()
    assert write(table, tmp_path / "table06")[0].stat().st_size > 0


def test_table06_recomputes_the_papers_example(interaction: Results) -> None:
    example = table06(interaction)["table06_published"].set_index("quantity")
    assert example["agrees"].all()
    assert example["recomputed"].tolist() == pytest.approx([7, 3 / 7, -1 / 7])
    assert example["printed"].tolist() == ["7", "0.43", "-0.14"]


def test_a_study_without_second_adapters_has_one_control(interaction: Results) -> None:
    run = MadeUpRun(entries=[entry for entry in interaction.run.entries if "'" not in entry.transfer])  # type: ignore[attr-defined]
    results = Results(run)  # type: ignore[arg-type]
    vars(results)["flags"] = interaction.flags
    assert set(table06(results)["table06_counts"]["control"]) == {"same"}


def test_scores_on_other_languages_do_not_matter(interaction: Results) -> None:
    everywhere = [
        nudged(TARGETS, {n: np.nan_to_num(v, nan=5.0) for n, v in e.counts.items()}, base="mbert", setting=e.setting,
               transfer=e.transfer, steps=None) for e in interaction.run.entries  # type: ignore[attr-defined]
    ]  # fmt: skip
    results = Results(MadeUpRun(entries=everywhere))  # type: ignore[arg-type]
    vars(results)["flags"] = interaction.flags
    one, other = (table06(found)["table06_counts"] for found in (interaction, results))
    pd.testing.assert_frame_equal(one, other)


def test_figure04_draws_every_control_and_a_target_at_its_floor_is_left_out(interaction: Results) -> None:
    made = figure04(interaction)
    assert set(made) == {"figure04_mbert_pos_trained_same", "figure04_mbert_pos_trained_second_adapter",
                         "figure04_points"}  # fmt: skip
    assert all(isinstance(made[name], Figure) for name in made if name != "figure04_points")
    results = Results(interaction.run)
    vars(results)["flags"] = interaction.flags.assign(small=interaction.flags["target"] == "fin")
    points = figure04(results)["figure04_points"]
    assert isinstance(points, pd.DataFrame)
    assert points.loc[points["language"] == "fin", "x"].isna().all()
    assert (points.loc[points["language"] != "fin", "n_missing"] > 0).all()


def test_figure02_joins_a_transfer_run_and_an_interaction_run(
    transfer: Results, interaction: Results, tmp_path: Path
) -> None:
    steps = transfer.ts.assign(base="mbert")
    both = Results(transfer.run)
    vars(both)["ts"] = steps
    made = figure02(both, interaction)
    assert set(made) == {"figure02_mbert_trained", "figure02_shares", "figure02_scores"}
    shares = made["figure02_shares"]
    assert isinstance(shares, pd.DataFrame)
    share = shares.set_index(["task", "setting"])["percent"]
    assert set(share.index) == {*itertools.product(["pos"], ["k1", "k10", "a1", "a2", "a3", "any"]), ("dep", "k1"),
                                ("dep", "k10")}  # fmt: skip
    known = {(row.transfer, row.target): row.score for row in interaction.measurements.itertuples()}
    assert share["pos", "a1"] == 100.0 * np.mean([known[code, code] > known["", code] for code in CODES])
    own = steps[steps["self_transfer"] & steps["aggregated"] & (steps["task"] == "pos") & (steps["steps"] == 10)]
    assert share["pos", "k10"] == pytest.approx(100.0 * (own.groupby("transfer")["ts"].mean() > 0).mean())
    for name, content in made.items():
        for path in write(content, tmp_path / name):
            assert path.stat().st_size > 0


def test_figure02_asks_only_languages_that_enter_the_aggregates(transfer: Results, interaction: Results) -> None:
    one, other = Results(transfer.run), Results(interaction.run)
    own = transfer.ts["self_transfer"] & (transfer.ts["task"] == "pos")
    kept = sorted(transfer.ts.loc[own, "transfer"].unique())[0]
    vars(one)["ts"] = transfer.ts.assign(base="mbert", aggregated=transfer.ts["transfer"] == kept)
    vars(other)["flags"] = interaction.flags.assign(small=interaction.flags["target"] != "wol")
    shares = figure02(one, other)["figure02_shares"]
    assert isinstance(shares, pd.DataFrame)
    counted = shares[shares["task"] == "pos"].set_index("setting")["n_languages"]
    assert counted.to_dict() == dict.fromkeys(["k1", "k10", "a1", "a2", "a3", "any"], 1)


def test_tables13_14_are_the_self_transfer_of_their_tasks(transfer: Results) -> None:
    # The same numbers under the names of other tasks.
    results = Results(transfer.run)
    names = {"pos": "xnli", "dep": "tydiqa"}
    vars(results)["ts"] = transfer.ts.assign(task=transfer.ts["task"].map(names))
    vars(results)["languages"] = transfer.languages
    shapes = {"xnli": "nli", "tydiqa": "qa"}
    study = {**transfer.run.study, "tasks": [{"name": name, "shape": shape} for name, shape in shapes.items()]}
    vars(results)["run"] = MadeUpRun(study=study, entries=[])
    made = tables13_14(results)
    assert list(made) == ["table14_tydiqa", "table13_xnli"]
    table = made["table13_xnli"]
    assert isinstance(table, pd.DataFrame)
    assert table["base_score"].is_monotonic_decreasing
    row = table.iloc[0]
    rows = transfer.measurements[transfer.measurements["task"] == "pos"]
    own = rows[(rows["target"] == row["transfer"]) & (rows["dataset"] == row["dataset"])]
    nudged_rows = own[(own["setting"] == "nudge") & (own["transfer"] == row["transfer"]) & (own["steps"] == 10)]
    assert row["k10"] == pytest.approx(nudged_rows["score"].mean())


def test_tables13_14_say_what_a_run_lacks(transfer: Results) -> None:
    with pytest.raises(ConfigError, match="scores of the tasks dep, pos, none of the shapes nli and qa"):
        tables13_14(transfer)


def of_base(results: Results, base: str) -> Results:
    """The transfer run under another name of its base."""
    both = Results(results.run)
    for name in ("ts", "changes"):
        vars(both)[name] = getattr(results, name).assign(base=base)
    return both


def interaction_of(transfer: Results, base: str) -> Results:
    """A made-up interaction run of the transfer run's languages: known scores of [A], [AB] and [ABC] in pos."""
    codes = sorted(transfer.ts.loc[transfer.ts["self_transfer"], "transfer"].unique())
    assert len(codes) >= 2
    rows = []
    for place, code in enumerate(codes):
        rows.append(("baseline", "", code, 50.0))
        rows.append(("language_adapter", code, code, 50.0 + place))
        rows += [("fusion_trained", f"{code}+{b}", code, 40.0 + n) for n, b in enumerate(c for c in codes if c != code)]
    frame = pd.DataFrame(rows, columns=["setting", "transfer", "target", "score"])
    # Members of a composition stand in one order.
    frame["transfer"] = ["+".join(sorted(members.split("+"))) for members in frame["transfer"]]
    fixed = {"protocol": "interaction", "base": base, "task": "pos", "metric": "accuracy", "dataset": "ud",
             "n_items": 9, "device": "cpu", "adapter_seed": 0}  # fmt: skip
    run = MadeUpRun(entries=[])
    results = Results(run)  # type: ignore[arg-type]
    vars(results)["measurements"] = frame.assign(**fixed)
    return results


def test_tables07_09_11_have_the_columns_of_language_adapters(transfer: Results) -> None:
    one = of_base(transfer, "mbert")
    alone, both = tables07_09_11(one), tables07_09_11(one, interaction_of(transfer, "mbert"))
    assert set(alone) == set(both) and "a1" not in alone["tables07_09_11_pos"]
    table = both["tables07_09_11_pos"]
    codes = sorted(table["transfer"].unique())
    for place, code in enumerate(codes):
        row = table[table["transfer"] == code].iloc[0]
        others = range(len(codes) - 1)
        assert (row["base_score_adapters"], row["a1"]) == (50.0, 50.0 + place)
        assert row["a2"] == pytest.approx(np.mean([40.0 + n for n in others])) and row["n_pairs"] == len(others)
        assert np.isnan(row["a3"]) and row["improves_a1"] == (place > 0) and not row["improves_a2"]
    # A task that the interaction run lacks keeps its rows.
    other = both["tables07_09_11_dep"]
    assert len(other) == len(alone["tables07_09_11_dep"]) and other["a1"].isna().all()
    pd.testing.assert_frame_equal(
        table[alone["tables07_09_11_pos"].columns], alone["tables07_09_11_pos"], check_index_type=False
    )


def test_tables07_09_11_refuse_an_interaction_run_of_another_base(transfer: Results) -> None:
    with pytest.raises(ConfigError, match="no scores of a base and task of the transfer run.*'other', 'pos'"):
        tables07_09_11(of_base(transfer, "mbert"), interaction_of(transfer, "other"))


def test_tables08_10_12_put_language_adapters_of_two_bases_side_by_side(transfer: Results) -> None:
    first, second = (of_base(transfer, base) for base in ("mbert", "xlmr"))
    interactions = [interaction_of(transfer, base) for base in ("mbert", "xlmr")]
    scores = tables08_10_12(first, second, *interactions)["tables08_10_12_scores"]
    assert isinstance(scores, pd.DataFrame)
    pos = scores[scores["task"] == "pos"]
    average, rows = pos[pos["transfer"] == "Avg."].iloc[0], pos[pos["transfer"] != "Avg."]
    for name in ("a1_mbert", "a2_xlmr", "base_score_mbert", "k10_xlmr"):
        assert average[name] == pytest.approx(rows[name].mean())
    assert (rows["a1_mbert"] == rows["a1_xlmr"]).all() and set(rows["fusion"]) == {"trained"}
    plain = tables08_10_12(first, second)["tables08_10_12_scores"]
    assert isinstance(plain, pd.DataFrame) and not {"fusion", "a1_mbert"} & set(plain)
    with pytest.raises(ConfigError, match="interaction runs of both bases"):
        tables08_10_12(first, second, interactions[0])


def test_tables17_and_18_are_the_ranking_of_inference_and_questions(transfer: Results) -> None:
    results = Results(transfer.run)
    names = {"pos": "xnli", "dep": "tydiqa"}
    for name in ("ts", "changes"):
        frame = getattr(transfer, name)
        vars(results)[name] = frame.assign(task=frame["task"].map(names))
    ranking = tables15_18(results)["tables15_18_ranking"]
    assert isinstance(ranking, pd.DataFrame) and set(ranking["task"]) == {"xnli", "tydiqa"}
    for task, old in (("xnli", "pos"), ("tydiqa", "dep")):
        mine = ranking[(ranking["task"] == task) & (ranking["steps"] == 10)].set_index("transfer")
        rows = transfer.ts[(transfer.ts["task"] == old) & (transfer.ts["steps"] == 10) & transfer.ts["aggregated"]]
        means = rows.groupby("transfer")["ts"].mean()
        assert mine["aggregated_transfer"].to_dict() == pytest.approx(means.to_dict())
        assert mine["aggregated_transfer"].sort_values(ascending=False).index[0] == mine["rank"].idxmin()


def given(make: Callable[..., object], *folders: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(SCRIPTS / f"{make.__name__}.py"), *folders, "--out", "unused"]
    return subprocess.run(words, capture_output=True, text=True, check=False, encoding="utf-8")


def test_a_script_says_which_folders_it_takes() -> None:
    few = given(tables08_10_12, "one")
    assert few.returncode == 2 and "1 results folders given, expected 2 to 4" in few.stderr
    assert "[FIRST_INTERACTION]" in few.stderr
