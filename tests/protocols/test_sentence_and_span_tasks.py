"""A miniature study of nli, qa and reviews in an artificial world: run to the end, scored anew, analysed, predicted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mini_study import MiniStudy, write_model
from results import Results
from tables13_14 import tables13_14
from tables15_18 import tables15_18

import xltransfer
from xltransfer.analysis import at_floor, out_of_aggregates, small_targets, transfer_scores
from xltransfer.analysis.aggregates import flag_columns
from xltransfer.config.load import load_study
from xltransfer.data.audit import audit
from xltransfer.data.read import read_labelled, read_questions
from xltransfer.data.tokenizer import load_tokenizer
from xltransfer.data.world import Counts, WorldSpec, make_world, write_world
from xltransfer.protocols.transfer.predictions import open_context, predictions
from xltransfer.protocols.transfer.run import run_study

WORLD = WorldSpec(
    seed=3,
    families=((2,), (1,)),
    lemmas=200,
    counts=Counts(
        text=250, train=2, dev=0, test=2, ner_train=2, ner_test=2, parallel=0,
        nli_train=12, nli_test=35, qa_train=20, qa_test=24, reviews_train=30, reviews_test=40,
    ),
)  # fmt: skip
ADAPTER = {"seeds": 1, "epochs": 4, "batch_size": 12, "learning_rate": 0.01, "reduction": 2}
TASKS = {"nli": ("nli", {}), "qa": ("qa", {"stride": 16}), "stars": ("classification", {"reads": "pooler"})}
DATASET = {"nli": "world-nli", "qa": "world-qa", "stars": "world-reviews"}


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStudy]:
    """The study with its run, made in this process."""
    home = tmp_path_factory.mktemp("examples")
    world = make_world(WORLD)
    write_world(world, home / "world", root="world")
    write_model(home / "model", [line for code in world.codes for line in world.text(code, 250)])
    study: dict[str, Any] = {
        "name": "examples",
        "seed": 11,
        "base": {"name": "mini-bert", "model": "model", "seen": list(world.codes)[:2]},
        "languages": [
            {"code": lang.code, "name": lang.name, "family": lang.family, "genus": lang.genus, "script": lang.script}
            for lang in world.languages
        ],
        "datasets": [f"world/world-{kind}.yaml" for kind in ("text", "nli", "qa", "reviews")],
        "tasks": [
            {
                "name": name,
                "shape": shape,
                "train": [{"dataset": DATASET[name]}],
                "targets": [{"dataset": DATASET[name]}],
                "max_length": 64,
                "adapter": ADAPTER,
                **more,
            }
            for name, (shape, more) in TASKS.items()
        ],
        "transfer": {"corpora": [{"dataset": "world-text"}], "replicates": 2},
        "nudge": {"batch_size": 2, "block": 32, "learning_rate": 0.001},
        "cells": [{"steps": 2}],
        "controls": {"shuffled_text": None, "random_sign": None, "noise_floor": {"precision": "float64"}},
        "engine": {"token_budget": 512, "device": "cpu"},
    }
    path = home / "examples.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    resolved = load_study(path)
    outcome = run_study(resolved, home / "run", workers=0)
    assert not outcome.failed, outcome.failed
    yield MiniStudy(path, resolved, home / "run")


@pytest.fixture(scope="module")
def measurements(mini: MiniStudy) -> pd.DataFrame:
    return xltransfer.open_run(mini.folder).measurements()


@pytest.fixture(scope="module")
def items(mini: MiniStudy) -> pd.DataFrame:
    return xltransfer.open_run(mini.folder).items()


METRICS = {"nli": {"accuracy", "nll"}, "stars": {"accuracy", "nll"}, "qa": {"squad_f1", "squad_em", "span_nll"}}


def test_every_cell_is_there_with_its_metrics(measurements: pd.DataFrame) -> None:
    plain = measurements[~measurements.metric.str.contains("[", regex=False)]
    assert {task: set(rows.metric) for task, rows in plain.groupby("task")} == METRICS
    baseline = plain[(plain.setting == "baseline") & plain.metric.isin(["accuracy", "squad_f1"])]
    assert baseline.set_index(["task", "target"]).n_items.to_dict() == {
        (task, code): size for task, size in (("nli", 105), ("qa", 24), ("stars", 40)) for code in ("qaa", "qab", "qba")
    }
    assert (baseline.n_scored == baseline.n_items).all()
    by_label = set(measurements.metric[measurements.metric.str.contains("[", regex=False)])
    labels = ("entailment", "neutral", "contradiction", *"12345")
    assert by_label == {f"accuracy[{label}]" for label in labels}


def test_transfer_scores_and_zero_steps(measurements: pd.DataFrame) -> None:
    ts = transfer_scores(measurements)
    assert set(ts.loc[ts.setting == "nudge", "task"]) == set(TASKS)
    zero = ts[(ts.setting == "zero_steps") & ts.ts.notna()]
    assert len(zero) > 0 and (zero.ts == 0).all()
    moved = ts[(ts.setting == "nudge") & ts.metric.isin(["nll", "span_nll"])]
    assert moved.ts.notna().all() and (moved.ts != 0).all()


def test_nll_worsens_downwards(measurements: pd.DataFrame) -> None:
    """A gain in likelihood has a positive transfer score, whatever the task calls it."""
    ts = transfer_scores(measurements)
    row = ts[(ts.setting == "nudge") & (ts.metric == "span_nll")].iloc[0]
    own = measurements[(measurements.metric == "span_nll") & (measurements.dataset == row.dataset)]
    before = own[own.setting == "baseline"].score.iloc[0]
    after = own[(own.setting == "nudge") & (own.corpus == row.corpus)].score.mean()
    assert row.ts == pytest.approx(100 * (before - after) / before)


def test_floor_and_sizes(measurements: pd.DataFrame, items: pd.DataFrame) -> None:
    floor = at_floor(measurements, items).set_index(["task", "target"])
    assert set(floor.metric) == {"accuracy", "squad_f1"}
    assert (floor.method == "paired_clusters").all()
    assert (floor.loc["qa"].trivial == 0).all()
    assert floor.loc["nli"].trivial.tolist() == pytest.approx([100 / 3] * 3)
    sizes = small_targets(measurements, items).set_index(["task", "target"])
    assert sizes.loc["nli", "size"].tolist() == [105] * 3 and not sizes.loc["nli", "small"].any()
    assert sizes.loc["qa", "small"].all() and sizes.loc["stars", "size"].tolist() == [40] * 3
    assert sizes.loc["qa", "counted"].iloc[0] == "questions"
    assert len(out_of_aggregates(measurements, items)) > 0


def test_parallel_test_sets_share_their_clusters(mini: MiniStudy) -> None:
    run = xltransfer.open_run(mini.folder)
    for counts in run.cluster_counts(settings=("baseline",)):
        codes = np.split(counts.targets.cluster, counts.targets.starts[1:-1])
        assert len(codes) == 3
        assert set(codes[0]) == set(codes[1]) == set(codes[2])
        assert len(set(codes[0])) == {"nli": 35, "stars": 40}.get(counts.targets.task, len(set(codes[0]))) < 41


def test_counts_add_up_to_the_scores(measurements: pd.DataFrame, items: pd.DataFrame) -> None:
    own = items[(items.task == "qa") & (items.setting == "baseline")]
    sums = own.groupby("target")[["f1", "em", "total", "in_window", "nll"]].sum()
    scored = measurements[(measurements.task == "qa") & (measurements.setting == "baseline")]
    table = scored.pivot(index="target", columns="metric", values="score")
    assert table.squad_f1.to_numpy() == pytest.approx((100 * sums.f1 / sums.total).to_numpy())
    assert table.squad_em.to_numpy() == pytest.approx((100 * sums.em / sums.total).to_numpy())
    assert table.span_nll.to_numpy() == pytest.approx((sums.nll / sums.in_window).to_numpy())
    assert (sums.total == 24).all() and (sums.in_window <= 24).all()


def test_predictions_have_the_scores_of_the_run(mini: MiniStudy, measurements: pd.DataFrame) -> None:
    context = open_context(mini.resolved, mini.folder)
    scored = measurements[measurements.setting == "baseline"].set_index(["task", "dataset", "metric"]).score
    ref = context.entries["nli-qab"]
    gold = {each.id: each.label for each in read_labelled(ref, "test")}
    lines = [json.loads(line) for line in predictions(context, "nli", "nli-qab", 0)]
    assert [line["id"] for line in lines] == list(gold)
    right = sum(gold[line["id"]] == line["label"] for line in lines)
    assert 100 * right / 105 == pytest.approx(scored["nli", "nli-qab", "accuracy"])
    answers = {q.id: q.answers[0].text for q in read_questions(context.entries["qa-qba"], "test")}
    lines = [json.loads(line) for line in predictions(context, "qa", "qa-qba", 0, "text-qaa", 2, 0)]
    assert [line["id"] for line in lines] == list(answers)
    right = sum(answers[line["id"]].lower() == line["answer"].lower().strip(".,?!") for line in lines)
    nudged = measurements[(measurements.setting == "nudge") & (measurements.corpus == "text-qaa")]
    nudged = nudged[(nudged.replicate == 0) & (nudged.dataset == "qa-qba") & (nudged.metric == "squad_em")]
    assert 100 * right / 24 == pytest.approx(nudged.score.item())


def test_audit_of_the_study(mini: MiniStudy) -> None:
    found = audit(mini.resolved, load_tokenizer(mini.resolved.model))
    assert found.refusals == ()
    targets = found.targets.set_index(["task", "language"])
    assert targets.loc["nli", "n_clusters"].tolist() == [35] * 3
    assert (targets.loc["qa", "n_too_long"] > 0).all()
    assert targets.loc["nli", ODD].isna().all(axis=None) and (targets.loc["qa", "n_misplaced"] == 0).all()
    stored = xltransfer.open_run(mini.folder).items(task="qa", settings=("trivial",))
    sums = stored.groupby("target", observed=True)[["unheld", "misplaced", "longer"]].sum()
    for name in sums:
        assert targets.loc["qa", f"n_{name}"].to_dict() == sums[name].to_dict()


ODD = ["n_unscored", "n_unheld", "n_misplaced", "n_longer"]


def test_a_changed_rule_for_answers_is_refused_by_the_folder(mini: MiniStudy, tmp_path: Path) -> None:
    content = yaml.safe_load(mini.path.read_text(encoding="utf-8"))
    content["tasks"][1]["normalisation"] = "squad"
    path = mini.path.parent / "other.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(xltransfer.errors.RunFolderError, match="normalisation"):
        run_study(load_study(path), mini.folder, workers=0)


def test_report_of_the_run(mini: MiniStudy, tmp_path: Path) -> None:
    """Tables and page are made without anything of their own for these tasks, and say what no window holds."""
    from xltransfer.report.write import write_report

    run = xltransfer.open_run(mini.folder)
    written = write_report(run, tmp_path / "report")
    assert written.page.exists()
    targets = pd.read_csv(tmp_path / "report" / "targets.csv").set_index("task")
    own = run.items(task="qa")
    baseline = own[own.setting == "baseline"]
    assert targets.loc["qa", "n_unheld"].sum() == (baseline.total - baseline.in_window).sum()
    assert targets.loc["qa", "n_unscored"].tolist() == targets.loc["qa", "n_misplaced"].tolist() == [0, 0, 0]
    assert targets.loc[["nli", "stars"], ODD].isna().all(axis=None)
    assert "SQuAD F1" in written.page.read_text(encoding="utf-8")


def test_plan_prices_windows_and_pairs(mini: MiniStudy) -> None:
    from xltransfer.protocols.transfer.context import Context
    from xltransfer.protocols.transfer.plan import price
    from xltransfer.runs.store import Store

    plan = price(mini.resolved, None, None, 1, "cpu")
    kinds = {row.kind: row for row in plan.rows}
    assert {f"task adapter {name}" for name in TASKS} <= set(kinds)
    context = Context(mini.resolved, Store(mini.folder))
    windows = context.encoded("qa", "qa-qaa", "train")
    assert len(windows.kept) > windows.n_scored == 20
    assert kinds["task adapter qa"].tokens >= ADAPTER["epochs"] * int(windows.tokens.lengths.sum())


def test_training_tells_the_two_texts_of_a_pair_apart(mini: MiniStudy) -> None:
    from xltransfer.protocols.transfer.context import Context
    from xltransfer.protocols.transfer.training import training_batches
    from xltransfer.runs.store import Store

    context = Context(mini.resolved, Store(mini.folder))
    end = context.tokenizer.sep_token_id
    for batch in training_batches(context, "nli", 1, 0):
        ends = (batch.input_ids == end).long().cumsum(dim=1)
        second = ((ends == 1) & (batch.input_ids != end)) | ((ends == 2) & (batch.input_ids == end))
        assert batch.token_types is not None and batch.token_types.tolist() == second.long().tolist()


def test_the_papers_tables_of_inference_and_questions_come_from_such_a_run(
    mini: MiniStudy, measurements: pd.DataFrame
) -> None:
    results = Results(xltransfer.open_run(mini.folder))
    # What so small a model has learnt is at the floor; here all of it counts.
    vars(results)["flags"] = results.flags.assign(**dict.fromkeys(flag_columns(results.flags), False))
    made = {**tables13_14(results), **tables15_18(results)}
    keys = ["task", "metric", "setting", "steps", "transfer", "target"]
    means = measurements.groupby(keys, dropna=False)["score"].mean()
    for name, task, metric in (("table13_nli", "nli", "accuracy"), ("table14_qa", "qa", "squad_f1")):
        table = made[name]
        assert isinstance(table, pd.DataFrame)
        assert len(table) == 3
        for row in table.to_dict("records"):
            code = row["transfer"]
            assert row["k2"] == pytest.approx(means[task, metric, "nudge", 2, code, code])
            untouched = means[task, metric, "baseline"].xs(code, level="target")
            assert row["base_score"] == pytest.approx(untouched.item())
    ranking = made["tables15_18_ranking"]
    assert isinstance(ranking, pd.DataFrame) and set(ranking["task"]) == {"nli", "qa", "stars"}
    found = ranking.set_index(["task", "transfer"])["aggregated_transfer"]
    before = means["nli", "accuracy", "baseline"].droplevel([0, 1])
    for transfer in made["table13_nli"]["transfer"]:
        after = means["nli", "accuracy", "nudge", 2, transfer]
        assert found["nli", transfer] == pytest.approx((100 * (after - before) / before).mean())
