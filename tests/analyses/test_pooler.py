"""The pooler experiment in small: its studies, its intervals against other ways to the same number, what it says."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pooler
import pooler_studies
import pytest
import typer
from pooler_draws import Draws, draws_figure, draws_shares, draws_table, many_draws, said_of
from pooler_figure import pooler_figure
from pooler_numbers import CHANCE, Measured, Quantity, accuracies, mean_of, measured, shares, skill_lost, table, ts
from pooler_published import published_panels, published_table_of
from pooler_studies import Setup, Variant, run_variant, study_of, variants, world_setup
from scipy.stats import t as student

from xltransfer.analysis import cell_intervals, interval_statistics, out_of_aggregates
from xltransfer.config.load import load_study
from xltransfer.config.manifests import root
from xltransfer.data.world import Counts, WorldSpec
from xltransfer.engine.pretrain import PretrainSettings
from xltransfer.errors import ConfigError, RunFolderError
from xltransfer.protocols.transfer.run import run_study
from xltransfer.runs.open import Run
from xltransfer.runs.store import Store

DRAWS = 3
SPEC = WorldSpec(
    seed=3,
    families=((2,), (1,)),
    lemmas=200,
    counts=Counts(
        text=250, train=1, dev=0, test=1, ner_train=1, ner_test=1, parallel=0,
        nli_train=12, nli_test=12, qa_test=0, reviews_test=0,
    ),
)  # fmt: skip
BASE = PretrainSettings(layers=1, hidden=16, heads=2, steps=5, batch_size=4, block=32, learning_rate=1e-3, dropout=0.0)


def small(home: Path) -> Setup:
    """The world's setup with two languages, a base that knows nothing and adapters that are hardly trained."""
    setup = world_setup(home, 3, SPEC, BASE)
    nudge = {**setup.nudge, "batch_size": 2, "block": 32, "learning_rate": 0.01}
    return replace(setup, adapter={"epochs": 3, "learning_rate": 0.01, "reduction": 2}, nudge=nudge)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pooler")


@pytest.fixture(scope="module")
def setup(home: Path) -> Setup:
    return small(home / "world")


@pytest.fixture(scope="module")
def runs(home: Path, setup: Setup) -> Iterator[dict[str, list[Run]]]:
    made: dict[str, list[Run]] = {}
    for variant in variants(DRAWS):
        made.setdefault(variant.pooler, []).append(run_variant(setup, variant, home / "studies-world"))
    yield made


@pytest.fixture(scope="module")
def result(runs: dict[str, list[Run]]) -> Measured:
    return measured(runs, "nli")


def scores(run: Run, setting: str, task: str = "nli", metric: str = "accuracy") -> pd.Series:
    """Mean score by language, straight from the measurements."""
    rows = run.measurements(labels=False)
    rows = rows[(rows["setting"] == setting) & (rows["task"] == task) & (rows["metric"] == metric)]
    return rows.groupby("target")["score"].mean()


def drawn(rng: np.random.Generator, replicates: int, premises: int, mean: float, of_item: np.ndarray) -> Quantity:
    """A measured quantity: mean, replicates (sd 1.5), premises (given), and noise (sd 3 per premise)."""
    cells = mean + 1.5 * rng.normal(size=(replicates, 1)) + of_item + 3 * rng.normal(size=(replicates, premises))
    value = cells.mean(axis=1)
    return Quantity(value, (cells - value[:, None]) / premises)


def test_studies_differ_in_the_pooler_alone(setup: Setup) -> None:
    keep, cls, *fresh = (study_of(setup, variant) for variant in variants(10))
    assert [study["nudge"]["pooler"] for study in (keep, cls, *fresh)] == ["keep", "cls", *10 * ["reinitialise"]]
    assert len({study["seed"] for study in fresh} | {keep["seed"]}) == 11 and keep["seed"] == cls["seed"]
    for study in (cls, *fresh):
        same = {key: value for key, value in study.items() if key not in ("name", "seed", "nudge", "transfer")}
        assert same == {key: keep[key] for key in same}
        assert {**study["nudge"], "pooler": "keep"} == keep["nudge"]
    assert [task["reads"] for task in keep["tasks"]] == ["pooler", "first"]


def test_all_studies_use_the_adapters_that_keep_has_trained(runs: dict[str, list[Run]]) -> None:
    files = [
        [path.read_bytes() for path in Store(run.folder).placed("artefacts")] for own in runs.values() for run in own
    ]
    assert len(files) == 2 + DRAWS and len(files[0]) == 2
    assert all(each == files[0] for each in files)
    for setting in ("baseline", "trivial"):
        each = [scores(run, setting, metric="nll") for own in runs.values() for run in own]
        assert all(one.equals(each[0]) for one in each)


def test_every_row_says_what_became_of_the_pooler(runs: dict[str, list[Run]]) -> None:
    for choice, own in runs.items():
        for run in own:
            assert {json.loads(text)["pooler"] for text in run.measurements()["options"]} == {choice}


@pytest.mark.parametrize("other", ["cls", "reinitialise"])
def test_a_results_folder_refuses_another_choice_of_pooler(setup: Setup, runs, home: Path, other: str) -> None:
    path = home / "studies-world" / "another.yaml"
    path.write_text(json.dumps(study_of(setup, Variant("keep", other, 0, DRAWS))), encoding="utf-8")
    with pytest.raises(RunFolderError, match=r"settings\.nudge\.pooler"):
        run_study(load_study(path), runs["keep"][0].folder, workers=0)


def test_only_the_head_on_the_pooler_feels_a_lost_one(runs: dict[str, list[Run]]) -> None:
    untouched = {task: scores(runs["keep"][0], "baseline", task, "nll") for task in ("nli", "nli_first")}
    for choice, own in runs.items():
        for run in own:
            assert scores(run, "zero_steps", "nli_first", "nll").equals(untouched["nli_first"])
            assert scores(run, "zero_steps", "nli", "nll").equals(untouched["nli"]) == (choice == "keep")
    zero = [tuple(scores(run, "zero_steps", "nli", "nll")) for run in runs["reinitialise"]]
    assert len(set(zero)) == DRAWS
    assert scores(runs["cls"][0], "nudge", "nli_first", "nll").equals(
        scores(runs["keep"][0], "nudge", "nli_first", "nll")
    )


def test_many_draws_begin_with_those_of_the_studies(setup: Setup, runs: dict[str, list[Run]], home: Path) -> None:
    found = many_draws(setup, home / "studies-world", "nli", DRAWS + 2)
    assert all(len(quantity.value) == DRAWS + 2 for quantity in found.fresh.values())
    for draw, run in enumerate(runs["reinitialise"]):
        own = {code: quantity.value[draw] for code, quantity in found.fresh.items()}
        assert own == pytest.approx(scores(run, "zero_steps").to_dict())
    untouched = accuracies([*runs["keep"][0].cluster_counts(("baseline",), ("nli",))])
    zero = accuracies([next(run.cluster_counts(("zero_steps",), ("nli",))) for run in runs["reinitialise"]])
    for code in ("qaa", "qab"):
        assert found.untouched[code].interval() == pytest.approx(untouched[code].interval())
        few = replace(
            found.fresh[code], value=found.fresh[code].value[:DRAWS], influence=found.fresh[code].influence[:DRAWS]
        )
        assert few.interval() == pytest.approx(zero[code].interval(), nan_ok=True)
    table = draws_table(found)
    assert table.groupby("language")["draw"].agg(list).to_dict() == dict.fromkeys(("qaa", "qab"), [1, 2, 3, 4, 5])


def test_what_is_said_of_many_draws_and_their_histogram() -> None:
    premises = 20 * np.random.default_rng(7).normal(size=12)
    premises -= premises.mean()
    fresh = np.repeat([0.0, 5.0, 60.0, 65.0], 5)
    draws = Draws(
        {"x": Quantity(np.array([64.0]), premises[None] / 12)},
        {"x": Quantity(fresh, np.tile(premises / 12, (20, 1)))},
    )
    said = said_of(draws, ["x"], 2)
    assert said.startswith("20 fresh poolers at k = 0: accuracy 32.5 % (") and "where chance is 33" in said
    assert "under 0.0, one in twenty over 65.0" in said and said.endswith("The first 2, which the studies have: 0.0 %.")
    found = draws_shares(draws, ["x"]).set_index("quantity")["estimate"].to_dict()
    assert list(found.values()) == pytest.approx([32.5, 31.5, 100 * 31.5 / (64 - CHANCE)])
    figure = draws_figure(draws, ["x"], 2, "Language inference with a fresh pooler: world")
    (axes,) = figure.axes
    heights = {bar.get_x(): bar.get_height() for bar in axes.patches if bar.get_height()}
    assert heights == {0.0: 5, 5.0: 5, 60.0: 5, 65.0: 5}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chance", "untouched", "the first 2"]


def test_a_finished_study_is_read_and_not_run_again(setup: Setup, runs, home: Path, monkeypatch) -> None:
    monkeypatch.setattr("xltransfer.protocols.transfer.run.work", lambda *_: pytest.fail("a unit ran again"))
    for variant in variants(DRAWS):
        run_variant(setup, variant, home / "studies-world")


def test_table_has_the_measured_means(runs: dict[str, list[Run]], result: Measured) -> None:
    found = table(result, {"all": ["qaa", "qab"]}).set_index(["pooler", "k", "language"])["accuracy"].sort_index()
    settings = {0: "zero_steps", 1: "nudge"}
    for (choice, k), _ in result.after.items():
        by_language = pd.concat([scores(run, settings[k]) for run in runs[choice]]).groupby(level=0).mean()
        assert found[choice, k].drop("all").to_dict() == pytest.approx(by_language.to_dict())
        assert found[choice, k, "all"] == pytest.approx(by_language.mean())
    assert found["untouched", 0].drop("all").to_dict() == pytest.approx(scores(runs["keep"][0], "baseline").to_dict())


def test_intervals_of_ts_are_those_of_the_package(runs: dict[str, list[Run]]) -> None:
    """The premises of the run with other right answers: what `cell_intervals` says of them, by another way."""
    run, rng = runs["keep"][0], np.random.default_rng(6)
    entry, baseline = (next(run.cluster_counts((name,), ("nli",))) for name in ("nudge", "baseline"))
    pairs = baseline.counts["total"]
    right = rng.binomial(pairs.astype(int), rng.uniform(0.3, 1, size=pairs.shape)).astype(float)
    flips = rng.integers(-1, 1, size=entry.counts["total"].shape)
    baseline = replace(baseline, counts={"correct": right, "total": pairs})
    after = np.clip(right + flips, 0, pairs)
    entry = replace(entry, counts={"correct": after, "total": entry.counts["total"]})
    cells = cell_intervals(interval_statistics([entry], [baseline], out_of_aggregates(run.measurements(labels=False))))
    score, untouched = accuracies([entry]), accuracies([baseline])
    for code in score:
        row = cells.set_index("target").loc[code]
        expected = (row["estimate"], row["low"], row["high"])
        assert not np.isnan(expected).any()
        assert ts(score[code], untouched[code]).interval() == pytest.approx(expected)


def test_interval_is_that_of_the_two_way_table() -> None:
    rng = np.random.default_rng(0)
    replicates, premises = 6, 15
    cells = rng.normal(size=(replicates, premises)) + 2 * rng.normal(size=premises) + rng.normal(size=(replicates, 1))
    rows, columns, mean = cells.mean(axis=1), cells.mean(axis=0), cells.mean()
    ms_rep = premises * ((rows - mean) ** 2).sum() / (replicates - 1)
    ms_item = replicates * ((columns - mean) ** 2).sum() / (premises - 1)
    rest = cells - rows[:, None] - columns + mean
    ms_rest = (rest**2).sum() / ((replicates - 1) * (premises - 1))
    variance = (ms_rep + ms_item - ms_rest) / (replicates * premises)
    estimate, low, high = Quantity(rows, (cells - rows[:, None]) / premises).interval()
    assert estimate == pytest.approx(mean)
    # The degrees of freedom lie between those of the replicates and of everything.
    halves = [student.ppf(0.975, df) * variance**0.5 for df in (1e9, replicates - 1)]
    assert halves[0] < (high - low) / 2 < halves[1] and high - mean == pytest.approx(mean - low)


def test_one_replicate_leaves_the_premises_as_in_a_t_interval() -> None:
    items = np.random.default_rng(1).normal(50, 20, size=(1, 40))
    found = Quantity(items.mean(axis=1), (items - items.mean()) / 40).interval()
    half = student.ppf(0.975, 39) * items.std(ddof=1) / 40**0.5
    assert found == pytest.approx((items.mean(), items.mean() - half, items.mean() + half))


def test_intervals_of_shares_and_ts_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    truths = {"share": 24 / 30, "ts": -50.0, "lost": 100 * 30 / (60 - CHANCE)}
    held = dict.fromkeys(truths, 0)
    for _ in range(400):
        skill, harm = 25 * rng.normal(size=50), 20 * rng.normal(size=50)
        untouched = drawn(rng, 1, 50, 60, skill)
        untouched = replace(untouched, value=np.array([60 + skill.mean()]), influence=(skill - skill.mean())[None] / 50)
        lost0, lost1 = drawn(rng, 10, 50, 36, skill - 0.8 * harm), drawn(rng, 10, 50, 30, skill - harm)
        falls = [untouched.plus(lost, -1) for lost in (lost0, lost1)]
        found = {"share": falls[0].over(falls[1]), "ts": ts(lost1, untouched), "lost": skill_lost(lost1, untouched)}
        for name, quantity in found.items():
            _, low, high = quantity.interval()
            held[name] += low <= truths[name] <= high
    # 400 draws leave 1.1 points of standard error.
    assert all(0.95 - 0.035 < count / 400 < 0.95 + 0.035 for count in held.values()), held


def test_shares_are_ratios_of_mean_falls() -> None:
    rng = np.random.default_rng(4)
    item = 20 * rng.normal(size=30)
    untouched = Quantity(np.array([66.0]), (item - item.mean())[None] / 30)
    after = {
        (choice, k): {"x": drawn(rng, replicates, 30, mean, item)}
        for choice, k, mean, replicates in (
            ("keep", 0, 66, 1), ("keep", 1, 64, 10), ("cls", 0, 40, 1), ("cls", 1, 41, 10),
            ("reinitialise", 0, 42, 10), ("reinitialise", 1, 38, 10),
        )
    }  # fmt: skip
    found = shares(Measured({"x": untouched}, after), ["x"]).set_index("quantity")
    mean = {key: float(value["x"].value.mean()) for key, value in after.items()}
    lost0, lost1 = 66 - mean["reinitialise", 0], 66 - mean["reinitialise", 1]
    assert found.loc["share of the fall at k = 1 that the lost pooler alone explains", "estimate"] == pytest.approx(
        lost0 / lost1
    )
    assert found.loc["fall at k = 1, pooler kept", "estimate"] == pytest.approx(66 - mean["keep", 1])
    assert found.loc["ts at k = 1, pooler lost", "estimate"] == pytest.approx(-100 * lost1 / 66)
    assert found.loc["skill lost at k = 0, pooler lost", "estimate"] == pytest.approx(100 * lost0 / (66 - 100 / 3))
    assert ((found["low"] < found["estimate"]) & (found["estimate"] < found["high"])).all()


def test_no_share_of_a_fall_that_may_be_none() -> None:
    rng = np.random.default_rng(5)
    none = np.zeros(30)
    after = {
        (choice, k): {"x": drawn(rng, 10, 30, 50, none)} for choice in ("keep", "cls", "reinitialise") for k in (0, 1)
    }
    found = shares(Measured({"x": Quantity(np.array([50.0]), np.zeros((1, 30)))}, after), ["x"])
    assert found.iloc[-1][["estimate", "low", "high"]].isna().all()


def test_mean_of_languages_has_equal_weights(result: Measured) -> None:
    score = mean_of(result.after["reinitialise", 1].values())
    each = [quantity.value for quantity in result.after["reinitialise", 1].values()]
    np.testing.assert_allclose(score.value, np.mean(each, axis=0))
    np.testing.assert_allclose(score.influence.sum(axis=1), 0, atol=1e-9)


def test_published_numbers_are_those_of_the_tables() -> None:
    printed = root() / "published" / "faisal2024"
    with (printed / "tables07-14_scores.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if (row["table"], row["model"]) == ("13", "mbert")]
    base, after = ([float(row["score"]) for row in rows if row["setting"] == name] for name in ("base", "k1"))
    found = published_table_of().set_index(["source", "model", "task"]).sort_index()
    mbert = found.loc[("Table 13, self-transfer", "mBERT", "xnli")]
    assert mbert[["languages", "untouched", "k1"]].tolist() == pytest.approx([9, np.mean(base), np.mean(after)])
    assert 68 < mbert["skill_lost"] < 75 and -41 < mbert["ts"] < -38
    with (printed / "tables15-18_transfer_ranking.csv").open(encoding="utf-8") as stream:
        rows = [float(row["ts"]) for row in csv.DictReader(stream) if (row["model"], row["task"]) == ("mbert", "anli")]
    ranking = found.loc["Table 17, aggregated transfer"]
    assert ranking.loc[("mBERT", "anli"), "ts"] == pytest.approx(np.mean(rows))
    assert (ranking.loc["XLM-R", "ts"].abs() < 1).all()


def test_figure_shows_every_language_and_condition(setup: Setup, result: Measured) -> None:
    finding = pooler.Finding(setup, languages(setup), {"nli": result}, {"mean of training languages": ["qaa"]})
    figure = pooler_figure(pooler.panels_of([finding]))
    world, mbert, xlmr = (axes for axes in figure.axes if axes.axison)
    assert world.get_title(loc="left") == "artificial world" and world.get_xlabel() == "accuracy (%)"
    assert len(world.get_yticklabels()) == 3 and len(mbert.get_yticklabels()) == len(xlmr.get_yticklabels()) == 9
    words = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"untouched", "k = 0, pooler lost (fresh one)", "k = 1, as printed", "chance"} <= words
    xs = np.concatenate(
        [np.asarray(points.get_offsets())[:, 0] for points in mbert.collections if len(points.get_offsets())]
    )
    assert {81.02, 45.42} <= set(np.round(xs.astype(float), 2))
    assert [panel.title for panel in published_panels()] == ["mBERT on XNLI, as printed", "XLM-R on XNLI, as printed"]


def languages(setup: Setup) -> pd.DataFrame:
    declared = pd.DataFrame(setup.study["languages"])
    declared = declared[declared["code"].isin(setup.targets or ())]
    return declared.assign(seen=pd.array(declared["code"].isin(setup.trained), dtype="boolean"))


def test_a_world_that_learnt_nothing_says_so_and_ends_with_its_status(home, setup, runs, monkeypatch, capsys) -> None:
    monkeypatch.setattr(pooler, "world_setup", lambda *_: setup)
    with pytest.raises(typer.Exit) as ended:
        pooler.main(home, None, Path("."), DRAWS, DRAWS, 3, True, True, 0)
    said = capsys.readouterr().out
    assert ended.value.exit_code == pooler.NOTHING_TO_SHOW
    assert "inference was not learnt" in said and "less than 60 (chance is 33). Nothing follows." in said
    assert not (home / "pooler.csv").exists() and (home / "pooler_published.csv").exists()


def test_a_world_that_learnt_is_told_with_tables_figure_and_paths(home, setup, runs, monkeypatch, capsys) -> None:
    monkeypatch.setattr(pooler, "world_setup", lambda *_: replace(setup, enough=0.0))
    pooler.main(home, None, Path("."), DRAWS, DRAWS, 3, True, True, 0)
    said = capsys.readouterr().out.splitlines()
    names = ["pooler_published.csv", "pooler.csv", "pooler_shares.csv", "pooler_draws.csv", "pooler.png", "pooler.svg"]
    names += ["pooler_draws-artificial_world.png", "pooler_draws-artificial_world.svg"]
    assert said[-8:] == [str(home / name) for name in names]
    assert all((home / name).stat().st_size > 0 for name in names)
    by_language, explained = (pd.read_csv(home / name) for name in names[1:3])
    assert set(by_language["head reads"]) == {"pooler", "first"} == set(explained["head reads"])
    first = by_language[(by_language["head reads"] == "first") & (by_language["k"] == 0)]
    assert (first["ts"] == 0).all()
    assert len(pd.read_csv(home / "pooler_draws.csv")) == 2 * DRAWS and "fresh poolers at k = 0: accuracy" in " ".join(
        said
    )
    kept = by_language[(by_language["pooler"] == "reinitialise") & (by_language["language"] == "qaa")]
    assert kept["replicates"].tolist() == 4 * [DRAWS] and kept["premises"].tolist() == 4 * [12]


def test_local_model_is_judged_by_the_floor_test(setup: Setup, runs: dict[str, list[Run]], monkeypatch) -> None:
    flags = pd.DataFrame(
        {"task": ["nli"] * 2 + ["nli_first"], "target": ["qaa", "qab", "qab"], "at_floor": [False, True, False]}
    )
    run, free = runs["keep"][0], replace(setup, enough=None)
    untouched = accuracies([*run.cluster_counts(("baseline",), ("nli",))])
    monkeypatch.setattr(pooler, "at_floor", lambda *_: flags)
    groups, why = pooler.learnt_in(run, free, untouched)
    assert groups == {"mean of languages above the floor": ["qaa"], "mean of others": ["qab"]} and why == ""
    monkeypatch.setattr(pooler, "at_floor", lambda *_: flags.assign(at_floor=True))
    groups, why = pooler.learnt_in(run, free, untouched)
    best = scores(run, "baseline").max()
    assert list(groups) == ["mean of others"]
    assert "no language is above the trivial baseline; the best is q" in why and f"{best:.1f} %" in why


def test_a_folder_with_another_world_is_refused(setup: Setup, home: Path) -> None:
    assert (setup.trained, setup.targets, setup.transfers) == (("qaa",), ("qaa", "qab"), ("qaa", "qab"))
    with pytest.raises(ConfigError, match="world holds another world; give another folder with --out"):
        world_setup(home / "world", 4, SPEC.model_copy(update={"seed": 4}), BASE)


def test_one_fresh_pooler_is_refused(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="--draws 1: one fresh pooler says nothing of others"):
        pooler.main(tmp_path, None, tmp_path, 1, 1, 1, True, True, 0)
    with pytest.raises(typer.BadParameter, match="--many 4: these begin with the 10 of --draws"):
        pooler.main(tmp_path, None, tmp_path, 10, 4, 1, True, True, 0)


def test_shipped_setups_are_valid_studies(tmp_path: Path, shared: Path) -> None:
    setup = pooler_studies.model_setup(shared / "models" / "mini-mbert", shared)
    path = tmp_path / "keep.yaml"
    path.write_text(json.dumps(study_of(setup, variants(10)[0])), encoding="utf-8")
    resolved = load_study(path)
    assert {ref.language for ref in resolved.targets["nli"]} == set(setup.trained)
    assert {ref.language for ref in resolved.corpora} == {"eng", "wol"} and "wol" not in resolved.seen
