"""An alignment study of the miniature world, run: against vectors made by hand, and what is refused."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mini_alignment import EVERYTHING, LOOSE, MATCHED, STATES, N, study_file, write_home
from mini_study import WORLD, MiniStudy
from transformers import AutoModel, AutoTokenizer
from typer.testing import CliRunner

import xltransfer
from xltransfer.alignment import Side, all_pairs, cka, cosines
from xltransfer.analysis.alignment_states import alignment_changes, alignment_states
from xltransfer.cli.main import app
from xltransfer.config.load import load_study
from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.world.world import make_world
from xltransfer.engine import Backbone, Stack
from xltransfer.errors import ConfigError, DataError
from xltransfer.protocols.alignment.plan import make_plan
from xltransfer.protocols.alignment.run import run_study
from xltransfer.protocols.alignment.states import wanted
from xltransfer.runs.store import Store

MLM = {"name": "mlm", "targets": [{"dataset": "world-text"}], "block": 32, "max_blocks": 6}
"""A task without an adapter."""


@pytest.fixture(scope="module")
def home(mini_files: MiniStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature study's files, with parallel sentences and a language adapter for each language."""
    return write_home(tmp_path_factory.mktemp("alignment"), mini_files)


@pytest.fixture(scope="module")
def resolved(home: Path, mini_files: MiniStudy) -> ResolvedStudy:
    return load_study(study_file(home, mini_files, EVERYTHING))


@pytest.fixture(scope="module")
def folder(home: Path, resolved: ResolvedStudy) -> Path:
    """The run, every unit done."""
    outcome = run_study(resolved, home / "run", workers=0)
    assert not outcome.failed, outcome.failed
    return home / "run"


@pytest.fixture(scope="module")
def rows(folder: Path) -> pd.DataFrame:
    return xltransfer.open_run(folder).measurements()


def by_hand(home: Path, code: str, model: Any = None) -> dict[str, list[np.ndarray]]:
    """Vectors of each layer, one sentence at a time, by Hugging Face's own model."""
    tokenizer = AutoTokenizer.from_pretrained(home / "model")
    plain = AutoModel.from_pretrained(home / "model").eval() if model is None else model
    found: dict[str, list[list[np.ndarray]]] = {"cls": [], "mean": []}
    for line in (home / "parallel" / f"{code}.txt").read_text(encoding="utf-8").splitlines():
        ids = tokenizer(line, return_tensors="pt", truncation=True, max_length=32)["input_ids"]
        with torch.no_grad():
            states = plain(ids, output_hidden_states=True).hidden_states
        found["cls"].append([state[0, 0].numpy() for state in states])
        found["mean"].append([state[0, 1:-1].mean(dim=0).numpy() for state in states])
    return {name: [np.stack(layer) for layer in zip(*each, strict=True)] for name, each in found.items()}


def test_the_base_is_measured_as_by_hand(home: Path, rows: pd.DataFrame) -> None:
    base = rows[(rows.setting == "baseline") & (rows.task == "par")].set_index(["dataset", "metric"]).score
    codes = make_world(WORLD).codes
    sides = {code: by_hand(home, code) for code in codes}
    assert set(base.index.get_level_values(0)) == {f"par-{codes[0]}+par-{codes[1]}", f"par-{codes[0]}+par-{codes[2]}",
                                                   f"par-{codes[1]}+par-{codes[2]}"}  # fmt: skip
    for a, b in ((0, 1), (1, 2)):
        for readout in ("cls", "mean"):
            for layer in range(3):
                x, y = (Side(sides[codes[number]][readout][layer]) for number in (a, b))
                key = f"par-{codes[a]}+par-{codes[b]}"
                stored = base[key, f"{readout}_cosine[{layer}]"]
                assert stored == pytest.approx(cosines(x, y).mean(), abs=1e-5)
                if readout == "mean" or layer:
                    assert base[key, f"{readout}_cka[{layer}]"] == pytest.approx(cka(x, y).mean(), abs=1e-4)


def test_the_first_token_of_the_embeddings_is_the_same_for_all_texts(rows: pd.DataFrame) -> None:
    base = rows[(rows.setting == "baseline") & (rows.task == "par")].groupby("metric").score.mean()
    assert base["cls_cosine[0]"] == pytest.approx(1)
    assert "cls_cka[0]" not in base.index  # undefined, and no row for a label that is
    assert base["cls_retrieval[0]"] == pytest.approx(100 / N)


def test_without_a_label_a_measure_is_of_the_middle_layer(rows: pd.DataFrame) -> None:
    par = rows[rows.task == "par"]
    plain = par[par.metric == "mean_cosine"].score.to_numpy()
    labelled = par[par.metric == "mean_cosine[1]"].score.to_numpy()
    assert (plain == labelled).all()
    assert par.options.str.contains('"layer":1').all()


def test_unmatched_texts_as_the_paper(home: Path, rows: pd.DataFrame) -> None:
    codes = make_world(WORLD).codes
    found = rows[(rows.setting == "baseline") & (rows.task == "loose")]
    assert set(found.metric) == {"cls_all_pairs", "mean_all_pairs"} | {
        f"{readout}_all_pairs[{layer}]" for readout in ("cls", "mean") for layer in range(3)
    }
    assert (found.n_items == 20).all()
    assert found.options.str.contains('"n_source":10,"n_target":10').all()
    x, y = (Side(by_hand(home, code)["cls"][2][:10]) for code in codes[:2])
    stored = found[(found.dataset == f"loose-{codes[0]}+loose-{codes[1]}") & (found.metric == "cls_all_pairs[2]")]
    assert stored.score.item() == pytest.approx(np.concatenate(all_pairs(x, y)).mean(), abs=1e-5)


def test_under_a_nudge_pairs_of_the_transfer_language_are_measured_and_zero_steps_change_no_bit(
    rows: pd.DataFrame,
) -> None:
    cell = ["task", "dataset", "metric"]
    base = rows[rows.setting == "baseline"].set_index(cell).score
    source = rows.options.str.extract('"source":"([^"]+)"')[0]
    for setting in ("nudge", "zero_steps"):
        own = rows[rows.setting == setting]
        assert len(own) and ((own.transfer == own.target) | (own.transfer == source[own.index])).all()
        assert own.groupby(["task", "transfer"]).dataset.nunique().eq(2).all()
        moved = own.set_index(cell).score
        same = (moved == base.reindex(moved.index)).to_numpy()
        assert same.all() if setting == "zero_steps" else not same[own.metric.str.match("mean_(cosine|all)")].any()


def test_language_adapters_lie_under_their_own_side(home: Path, rows: pd.DataFrame) -> None:
    codes = make_world(WORLD).codes[:2]
    model = Backbone.load(home / "model")
    sides = []
    for code in codes:
        model.load_adapter(home / "adapters" / code, name=code)

        def under(ids: torch.Tensor, output_hidden_states: bool, own: str = code) -> Any:
            return model(ids, composition=Stack(own), output_hidden_states=True)

        sides.append(Side(by_hand(home, code, under)["mean"][2]))
    own = rows[(rows.setting == "language_adapters") & (rows.dataset == f"par-{codes[0]}+par-{codes[1]}")]
    stored = own[own.metric == "mean_cosine[2]"].score.item()
    assert stored == pytest.approx(cosines(*sides).mean(), abs=1e-5)
    base = rows[
        (rows.setting == "baseline") & (rows.dataset == own.dataset.iloc[0]) & (rows.metric == "mean_cosine[2]")
    ]
    assert abs(stored - base.score.item()) > 1e-3


def test_task_adapters_are_trained_and_say_whose_they_are(rows: pd.DataFrame) -> None:
    for setting in ("task_adapters", "language_and_task_adapters"):
        own = rows[rows.setting == setting]
        assert len(own) and (own.adapter_seed == 0).all()
        assert own.options.str.contains('"task_adapter":"pos"').all()
    score = rows[rows.metric == "mean_cosine[2]"].pivot_table(index="dataset", columns="setting", values="score")
    assert score.T.drop(["nudge", "zero_steps"]).round(6).nunique().eq(4).all()


def test_items_have_values_whose_means_are_the_scores(folder: Path, rows: pd.DataFrame) -> None:
    items = xltransfer.open_run(folder).items(task="par", labels=True, settings=["baseline"])
    means = items.groupby(["dataset", "label"], observed=True)["mean_cka"].mean()
    base = rows[(rows.setting == "baseline") & rows.metric.str.startswith("mean_cka[")].set_index(["dataset", "metric"])
    assert len(base) == 9
    for (dataset, metric), row in base.iterrows():
        assert row.score == pytest.approx(means[dataset, metric.removeprefix("mean_cka[").removesuffix("]")], abs=1e-6)
    assert items.item.nunique() == N


def test_states_of_the_run_have_the_stored_scores_and_zero_steps_change_nothing(
    folder: Path, rows: pd.DataFrame
) -> None:
    items = xltransfer.open_run(folder).items(task="par", labels=True)
    states = alignment_states(items, "mini-bert")
    assert set(states.setting) == {"baseline", "nudge", "zero_steps", *STATES[1:]}
    own = states[(states.setting == "nudge") & (states.layer == 2) & (states.metric == "cls_retrieval")]
    stored = rows[(rows.setting == "nudge") & rows.metric.isin(["cls_retrieval[2]", "permuted_cls_retrieval[2]"])]
    assert len(own) == len(stored) == 12
    assert sorted(own.estimate) == pytest.approx(sorted(stored.score), abs=1e-4)
    changes = alignment_changes(items, "mini-bert")
    zero = changes[(changes.setting == "zero_steps") & changes.estimate.notna()]
    assert len(zero) and (zero.estimate == 0).all() and (zero.why == "nothing varies").all()
    task = alignment_changes(items, "mini-bert", {"setting": "task_adapters"})
    assert (task.setting == "language_and_task_adapters").any()
    loose = xltransfer.open_run(folder).items(task="loose", labels=True)
    assert alignment_states(loose, "mini-bert").metric.str.contains("all_pairs").all()


def test_a_stopped_run_goes_on_and_gives_the_same_bytes(
    home: Path, folder: Path, resolved: ResolvedStudy, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    gone = sorted((half / "measurements").iterdir())[::2]
    before = {path.name: path.read_bytes() for path in gone}
    for path in gone:
        path.unlink()
    outcome = run_study(resolved, half, workers=0)
    assert len(outcome.done) == len(gone) and not outcome.failed
    assert {path.name: path.read_bytes() for path in gone} == before


def test_a_study_that_adds_a_set_wants_only_that(
    home: Path, folder: Path, mini_files: MiniStudy, resolved: ResolvedStudy
) -> None:
    present = Store(folder).present()
    assert wanted(resolved, "cpu", present).units == ()
    more = {"compared": [MATCHED, LOOSE, MATCHED | {"name": "again"}], "max_length": 32}
    added = load_study(study_file(home, mini_files, more, "b.yaml"))
    todo = wanted(added, "cpu", present).units
    assert {name for unit in todo for by_set in unit.key["scores"].values() for name in by_set} == {"again"}


def test_sources_stand_first_and_bound_the_pairs(home: Path, mini_files: MiniStudy) -> None:
    codes = make_world(WORLD).codes
    path = study_file(home, mini_files, {"compared": [MATCHED | {"sources": [codes[1]]}], "states": []}, "c.yaml")
    (unit,) = wanted(load_study(path), "cpu", {}).units
    (names,) = unit.key["scores"]["0"].values()
    assert names == [f"par-{codes[1]}+par-{codes[0]}", f"par-{codes[1]}+par-{codes[2]}"]


def test_a_plan_counts_what_the_run_would_do(home: Path, resolved: ResolvedStudy) -> None:
    made = make_plan(resolved, None, seconds=0.3)
    assert {row.kind for row in made.rows} >= {"baseline", "nudge k=2", "zero_steps", "task adapter pos"}
    assert made.expected > 0 and made.disk > 0
    assert len(made.wanted.units) == sum(row.units for row in made.rows)
    assert made.wanted.cells == 2 * (3 * 4 + 2 * 6)


def test_matched_measures_of_unmatched_data_are_refused(home: Path, mini_files: MiniStudy) -> None:
    path = study_file(home, mini_files, {"compared": [LOOSE | {"kind": "matched"}]}, "d.yaml")
    with pytest.raises(ConfigError, match="'loose-.*' is not declared parallel in split 'test', .* refused"):
        run_study(load_study(path), home / "never", workers=0)
    assert not (home / "never").exists() or not list((home / "never").glob("measurements/*"))


def test_unequal_lengths_are_refused_before_any_unit(home: Path, mini_files: MiniStudy, tmp_path: Path) -> None:
    short = study_file(home, mini_files, {"compared": [MATCHED], "states": []}, "e.yaml")
    own = load_study(short)
    (tmp_path / "parallel").mkdir()
    for path in (home / "parallel").iterdir():
        (tmp_path / "parallel" / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    last = sorted((tmp_path / "parallel").iterdir())[-1]
    last.write_text("\n".join(last.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    refs = tuple(replace(ref, root=tmp_path / "parallel") for ref in own.compared["par"])
    with pytest.raises(DataError, match=rf"has {N}, .*{last.name} has {N - 1}"):
        run_study(replace(own, compared={"par": refs}), tmp_path / "run", workers=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alignment": {}}, "alignment.compared has no entries"),
        ({"cells": []}, "cells has no entries"),
        ({"protocol": "transfer"}, "alignment and protocol transfer contradict"),
        ({"alignment": {"compared": [MATCHED, MATCHED]}}, "compared sets share a name: par"),
        ({"alignment": {"compared": [MATCHED], "states": ["language_adapters"]}}, "adapters does not say where"),
        ({"alignment": {"compared": [MATCHED], "adapters": "adapters"}}, "states has nudge; add language_adapters"),
        ({"alignment": {"compared": [MATCHED], "states": []}, "cells": [{"steps": 2}]}, "cells says what is nudged"),
        (
            {"alignment": {"compared": [MATCHED], "states": []}, "controls": {"zero_steps": {"languages": ["qaa"]}}},
            "controls says what is nudged, but alignment.states has nothing; add nudge",
        ),
        (
            {"alignment": {"compared": [MATCHED], "states": ["task_adapters"]}, "tasks": [MLM]},
            r"states has task_adapters, but no task has an adapter \(tasks: mlm\)",
        ),
        ({"alignment": {"compared": [MATCHED | {"sources": ["fin"]}]}}, "'par' has no texts of 'fin'"),
        ({"alignment": {"compared": [MATCHED | {"data": [{"dataset": "pars"}]}]}}, "unknown dataset 'pars'; did you"),
        ({"alignment": {"compared": [MATCHED], "states": ["nudges"]}}, "input should be 'nudge'.* got 'nudges'"),
        ({"alignment": {"compared": [MATCHED | {"splt": "test"}]}}, "unknown key 'splt'; did you mean 'split'"),
    ],
)
def test_studies_that_contradict_themselves(
    home: Path, mini_files: MiniStudy, change: dict[str, Any], message: str
) -> None:
    alignment = change.pop("alignment", {"compared": [MATCHED]})
    with pytest.raises(ConfigError, match=message):
        load_study(study_file(home, mini_files, alignment, "f.yaml", **change))


def test_a_set_of_one_language_is_refused(home: Path, mini_files: MiniStudy) -> None:
    resolved = load_study(study_file(home, mini_files, {"compared": [LOOSE], "states": []}, "h.yaml"))
    twice = tuple(replace(resolved.compared["loose"][0], name=f"loose-{number}") for number in (1, 2))
    with pytest.raises(ConfigError, match=f"set 'loose' has texts of one language only, {twice[0].language}"):
        wanted(replace(resolved, compared={"loose": twice}), "cpu", {})


def test_a_language_without_adapter_is_named(home: Path, mini_files: MiniStudy) -> None:
    spec = {"compared": [MATCHED], "states": ["language_adapters"], "adapters": "world"}
    with pytest.raises(ConfigError, match="has no folder for qaa"):
        run_study(load_study(study_file(home, mini_files, spec, "g.yaml")), home / "never", workers=0)


def test_the_commands_know_the_protocol(home: Path, folder: Path, resolved: ResolvedStudy) -> None:
    run = CliRunner().invoke(app, ["run", str(home / "a.yaml"), "--out", str(folder), "--workers", "0"])
    assert run.exit_code == 0 and "0 units to do, 11 present" in run.output, run.output
    status = CliRunner().invoke(app, ["status", str(folder), "--study", str(home / "a.yaml")])
    assert status.exit_code == 0 and "11 of 11 units" in status.output, status.output
    plan = CliRunner().invoke(app, ["plan", str(home / "a.yaml"), "--seconds", "0.3"])
    assert plan.exit_code == 0 and "language_adapters" in plan.output, plan.output
