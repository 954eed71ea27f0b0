"""The simulated results folder: its true effects are what the scores scatter around, and it is like a real one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from simulate_run import Spec, Truth, simulate
from simulated_counts import Effect, Sentences, base_counts, expected_counts, nudged_counts, true_scores
from simulated_world import ODD_LANGUAGES, World, mean_effect

from xltransfer.analysis import controls, out_of_aggregates, transfer_scores
from xltransfer.config.study import Study
from xltransfer.metrics import SHAPES
from xltransfer.runs.open import Run, open_run

CELL = ["base", "setting", "transfer", "corpus", "steps", "task", "dataset", "target", "metric"]
SMALL = {"transfers": 3, "replicates": 2, "steps": (1, 10), "targets": {"pos": 4, "ner": 3}, "mean_items": 12}


def small(folder: Path, **changes: Any) -> tuple[Run, Truth]:
    truth = simulate(folder, Spec(**(SMALL | changes)))
    return open_run(folder), truth


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Truth]:
    """Scores of many replicates on few targets, beside the truth."""
    run, truth = small(
        tmp_path_factory.mktemp("many"),
        transfers=2,
        replicates=25,
        steps=(10, 1000),
        targets={"pos": 10, "dep": 10, "ner": 10, "mlm": 3},
        mean_items=80,
        random_sign=1,
    )
    return transfer_scores(run.measurements()), truth


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Truth]:
    """A bit of everything."""
    return small(
        tmp_path_factory.mktemp("mixed"),
        transfers=4,
        targets={"pos": 12, "dep": 5, "ner": 10, "mlm": 2},
        mean_items=40,
        labels=3,
        zero_steps=2,
        shuffled_text=1,
    )


def test_replicates_scatter_around_the_truth_of_the_test_set(many: tuple[pd.DataFrame, Truth]) -> None:
    """Each cell's z is standard normal but for F1, whose ratio is linear to 1 part in 1,000 at these effects."""
    ts, truth = many
    joined = ts.merge(truth.ts[[*CELL, "ts_this_test_set"]], on=CELL, validate="one_to_one")
    joined = joined[(joined["setting"] != "zero_steps") & (joined["ts_sd"] > 0)]
    assert len(joined) > 200
    z = (joined["ts"] - joined["ts_this_test_set"]) / (joined["ts_sd"] / np.sqrt(25))
    assert abs(z).max() < 5.0
    # Cells of one replicate move together, so the spread of the z is looked at per metric and k.
    spread = z.groupby([joined["metric"], joined["steps"]]).apply(lambda part: float(np.sqrt((part**2).mean())))
    assert spread.between(0.5, 1.7).all(), spread


@pytest.mark.parametrize("shape", ["pos", "dep", "ner", "mlm"])
def test_the_scores_of_many_sentences_are_the_true_ones(shape: str) -> None:
    """Two targets of 100,000 sentences, most of them in clusters, with and without an effect."""
    size, rng = 200_000, np.random.default_rng(1)
    words = rng.integers(1, 20, size)
    sentences = Sentences(np.arange(size) // (size // 2), np.arange(size) // 3, words, rng.binomial(words, 0.3))
    level, effect = np.array([0.45, 0.8]), Effect(np.array([0.2, -0.1]), np.array([0.4, 0.3]))
    base = base_counts(shape, sentences, level, sentences.latent(rng), rng)
    scale = (0.2 + 1.6 * ndtr(sentences.latent(rng)), 0.2 + 1.6 * ndtr(sentences.latent(rng)))
    nudged = nudged_counts(shape, base, sentences, level, effect, scale, rng)
    for counts, truth in ((base, true_scores(shape, level)), (nudged, true_scores(shape, level, effect))):
        sums = {column: sentences.per_target(values, 2) for column, values in counts.items()}
        for metric in SHAPES[shape]:
            np.testing.assert_allclose(metric.score(sums), truth[metric.name], rtol=0.006)
    expected = expected_counts(shape, base, sentences, level, effect, scale)
    for column, values in nudged.items():
        np.testing.assert_allclose(sentences.per_target(values, 2), expected[column], rtol=0.006)


def test_true_effects_follow_from_the_documented_formula(many: tuple[pd.DataFrame, Truth]) -> None:
    """ts of accuracy is 100 (1 - p) L: on two targets of one language and entry the ratio is that of the (1 - p)."""
    truth = many[1].ts
    nudge = truth[(truth["setting"] == "nudge") & truth["metric"].isin(["accuracy", "las"])]
    table = nudge.pivot_table(
        index=["transfer", "steps", "target"], columns="task", values=["ts", "reference"]
    ).dropna()
    effect = {task: table["ts", task] / (100.0 - table["reference", task]) for task in ("pos", "dep")}
    normal = ~table.index.get_level_values("target").isin(many[1].targets.query("floor")["target"])
    np.testing.assert_allclose(effect["pos"][normal], effect["dep"][normal], rtol=1e-9)
    assert (nudge["ts"].abs() > 0).all()
    # A control that keeps nothing of the effect changes nothing on average.
    signs = truth[(truth["setting"] == "random_sign") & (truth["reference"] > 0)]
    assert signs["ts"].abs().max() < 1e-9


def test_effects_have_a_structure_by_family() -> None:
    world = World(Spec(transfers=38, replicates=1, targets={"pos": 60}, mean_items=10))
    task = world.tasks["pos"]
    effects = np.stack([mean_effect(world, task, entry, 1000, "nudge").shift for entry in range(38)])
    centred = effects - effects.mean(axis=0) - effects.mean(axis=1, keepdims=True) + effects.mean()
    share = np.linalg.svd(centred, compute_uv=False) ** 2
    assert share[:4].sum() / share.sum() > 0.95
    family = {language.code: language.family for language in world.table}
    givers = np.array([family[code] for code in world.corpora])[:, None]
    near = givers == np.array([family[target.language] for target in task.targets])
    assert centred[near].mean() > 0.0 > centred[~near].mean()
    assert np.corrcoef(centred.ravel(), near.ravel())[0, 1] > 0.15


def test_counts_are_possible(mixed: tuple[Run, Truth]) -> None:
    items = mixed[0].items()
    pos, dep, ner = (items[items["task"] == task] for task in ("pos", "dep", "ner"))
    assert (pos["correct"] <= pos["total"]).all()
    assert (dep["las"] <= dep["uas"]).all() and (dep["uas"] <= dep["total"]).all()
    for rows, gold in ((pos, ["span_tp", "span_fn"]), (ner, ["tp", "fn"])):
        sums = rows[gold].sum(axis=1)
        assert sums.groupby([rows["dataset"], rows["item"]], observed=True).nunique().max() == 1
    assert (items["nll"] >= 0).all()


def test_sizes_have_the_mean_and_the_range_asked_for(tmp_path: Path) -> None:
    _, truth = small(tmp_path, transfers=1, replicates=1, steps=(), targets={"ner": 100}, mean_items=60)
    items = truth.targets["items"]
    assert items.min() >= 10 and items.max() <= 2000
    assert abs(items.mean() - 60) < 3
    assert 0.7 < np.log(items[items > 10]).std() < 1.3


def test_the_same_spec_gives_the_same_bytes_in_any_number_of_processes(tmp_path: Path) -> None:
    spec = Spec(**SMALL)
    for name, workers in (("one", 1), ("two", 2)):
        simulate(tmp_path / name, spec, workers)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    simulate(tmp_path / "other", Spec(**(SMALL | {"seed": 2})))
    assert files(tmp_path / "one") != files(tmp_path / "other")


def test_more_replicates_leave_the_others_as_they_were(tmp_path: Path) -> None:
    one, other = (small(tmp_path / str(r), replicates=r)[0] for r in (2, 3))
    rows = other.measurements()
    rows = rows[rows["replicate"].isna() | (rows["replicate"] < 2)]
    pd.testing.assert_frame_equal(rows.reset_index(drop=True), one.measurements())


def test_zero_steps_change_nothing_and_the_floor_is_found(mixed: tuple[Run, Truth]) -> None:
    run, truth = mixed
    table = controls(run.measurements(labels=False))
    assert table.loc[table["setting"] == "zero_steps", "exact"].all()
    assert not table.loc[table["setting"] == "shuffled_text", "exact"].any()
    measurements = run.measurements(labels=False)
    flags = out_of_aggregates(measurements, run.items(settings=("baseline", "trivial")))
    joined = flags.merge(truth.targets, on=["task", "dataset", "target"], validate="one_to_one")
    assert joined.loc[joined["floor"] | joined["zero"], "at_floor"].all()
    assert joined["unknown_tokens"].tolist() == joined["unreadable"].tolist()
    zero = truth.ts[truth.ts["dataset"].isin(truth.targets.query("zero")["dataset"]) & (truth.ts["metric"] == "f1")]
    assert len(zero) and zero["ts"].isna().all()


def test_counts_per_label_add_up(mixed: tuple[Run, Truth]) -> None:
    run = mixed[0]
    keys = ["unit", "setting", "steps", "replicate", "task", "dataset"]
    overall, labelled = run.items(task="pos"), run.items(task="pos", labels=True)
    for column in ("correct", "total"):
        sums = [frame.groupby(keys, observed=True, dropna=False)[column].sum() for frame in (overall, labelled)]
        pd.testing.assert_series_equal(sums[0], sums[1])
    assert "accuracy[LABEL2]" in set(run.measurements()["metric"])


def test_the_study_is_one_that_could_have_been_run(mixed: tuple[Run, Truth]) -> None:
    run, truth = mixed
    study = Study.model_validate(dict(run.study))
    assert [task.name for task in study.tasks] == ["pos", "dep", "ner", "mlm"]
    entries = {name for task in study.tasks for chosen in task.targets for name in chosen.entries or ()}
    assert entries == set(truth.targets["dataset"])


def test_what_can_be_left_out(tmp_path: Path) -> None:
    run, _ = small(tmp_path / "one replicate", replicates=1)
    assert set(run.measurements()["replicate"].dropna()) == {0}
    run, truth = small(tmp_path / "k=0", steps=())
    assert set(run.measurements()["setting"]) >= {"baseline", "zero_steps"} and set(truth.ts["steps"]) == {0}
    assert "nudge" not in set(run.measurements()["setting"])
    run, truth = small(tmp_path / "failed", failed=4)
    assert len(run.failures()) == 4
    nudged = run.measurements().query("setting == 'nudge'")
    assert len(nudged[["transfer", "replicate", "steps"]].drop_duplicates()) == 3 * 2 * 2 - 4
    _, truth = small(tmp_path / "apart", common_targets=False)
    by_task = truth.targets.groupby("task")["target"].agg(set)
    assert not by_task["pos"] & by_task["ner"]


def test_odd_names_are_declared_in_the_study(tmp_path: Path) -> None:
    run, truth = small(tmp_path, odd_names=True, targets={"pos": 6})
    declared = {language["code"]: language["name"] for language in run.study["languages"]}
    assert declared == {language.code: language.name for language in ODD_LANGUAGES}
    assert "qaa" in set(truth.ts["transfer"])
    assert set(declared) <= set(truth.targets["target"])


def test_the_command_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from simulate_run import main

    main(tmp_path, transfers=2, replicates=2, steps=[1], treebanks=3, entities=2, mean_items=10, labels=0, workers=1)
    assert "8 units, 8 targets" in capsys.readouterr().out
