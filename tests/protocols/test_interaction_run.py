"""The miniature interaction study, run: every cell is there, scores and counts agree, a plain loop gives the same."""

import json

import pandas as pd
import pytest
import torch
from mini_study import MiniStudy
from safetensors.torch import load_file

import xltransfer
from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.protocols.interaction.wanted import ADAPTERS, FUSIONS, wanted
from xltransfer.protocols.transfer.wanted import adapter_units
from xltransfer.runs.store import Store
from xltransfer.tasks.pos import Pos

FUSED = ("fusion_trained", "fusion_untrained", "fusion_uniform")


@pytest.fixture(scope="module")
def measurements(interaction_study: MiniStudy) -> pd.DataFrame:
    """All rows of the run but those of single labels."""
    return xltransfer.open_run(interaction_study.folder).measurements(labels=False)


def test_every_composition_is_scored_on_its_members_and_on_nothing_else(measurements: pd.DataFrame) -> None:
    for setting in FUSED:
        rows = measurements[(measurements.setting == setting) & (measurements.metric == "nll")]
        found = {label: set(own.target) for label, own in rows.groupby("transfer")}
        assert found == {
            **{f"{code}+{code}'": {code} for code in ("qaa", "qab", "qba")},
            "qaa+qab": {"qaa", "qab"},
            "qaa+qba": {"qaa", "qba"},
            "qab+qba": {"qab", "qba"},
            "qaa+qab+qba": {"qaa", "qab", "qba"},
        }
        assert len(rows) == 3 * (3 + 3 * 2 + 3)
    single = measurements[(measurements.setting == "language_adapter") & (measurements.metric == "nll")]
    assert len(single) == 3 * 3 and (single.transfer == single.target).all()
    alone = measurements[(measurements.setting == "baseline") & (measurements.metric == "nll")]
    assert len(alone) == 3 * 3 and (alone.transfer == "").all()


def test_rows_say_how_they_were_made(measurements: pd.DataFrame) -> None:
    fused = measurements[measurements.setting == "fusion_untrained"]
    options = json.loads(fused.options.iloc[0])
    assert options["fusion"] == "untrained"
    assert (options["reduction"], options["block"], options["learning_rate"]) == (2, 32, 0.01)
    assert set(fused[fused.transfer == "qaa+qba"].corpus) == {"text-qaa+text-qba"}
    # Trained and untrained begin with the same draw; a uniform fusion draws nothing.
    assert fused.seed.notna().all()
    seeds = measurements[measurements.setting.isin(FUSED)].groupby(["transfer", "setting"]).seed.first().unstack()
    assert (seeds.fusion_trained == seeds.fusion_untrained).all() and seeds.fusion_uniform.isna().all()
    assert seeds.fusion_trained.nunique() == 7


def test_training_moves_a_fusion_and_uniform_is_near_untrained(measurements: pd.DataFrame) -> None:
    cell = ["task", "dataset", "transfer"]
    nll = measurements[(measurements.metric == "nll") & measurements.setting.isin(FUSED)]
    wide = nll.pivot(index=cell, columns="setting", values="score")
    near = (wide.fusion_untrained - wide.fusion_uniform).abs()
    moved = (wide.fusion_trained - wide.fusion_uniform).abs()
    assert 0 < near.max() < 1e-3
    assert moved.median() > 10 * near.median()


def test_second_adapter_is_another_one_of_the_same_text(interaction_study: MiniStudy) -> None:
    resolved, store = interaction_study.resolved, Store(interaction_study.folder)
    units = [unit for unit in wanted(resolved, "cpu", {}).units if unit.key["kind"] == ADAPTERS]
    weights = {}
    for unit in units:
        for key, value in load_file(store.artefact_path(unit.id)).items():
            name, _, rest = key.partition("/")
            weights[name, rest] = value
    up = "layers.0.up.weight"
    assert not torch.equal(weights["qaa", up], weights["qaa+2", up])
    assert {name for name, _ in weights} == {"qaa", "qab", "qba", "qaa+2", "qab+2", "qba+2"}


def test_accuracy_of_a_pair_equals_a_plain_loop_over_single_sentences(
    interaction_study: MiniStudy, measurements: pd.DataFrame
) -> None:
    resolved, store = interaction_study.resolved, Store(interaction_study.folder)
    spec = resolved.study.tasks[0]
    ref = next(ref for ref in resolved.targets["pos"] if ref.language == "qba")
    model = Backbone.load(resolved.model)
    assert spec.adapter is not None
    tensors = load_file(store.artefact_path(adapter_units(resolved)["pos@0"].id))
    adapter = model.add_adapter("t", AdapterConfig(spec.adapter.reduction, spec.adapter.activation))
    adapter.load_state_dict({k.removeprefix("adapter."): v for k, v in tensors.items() if k.startswith("adapter.")})
    weight, bias = tensors["head.layers.1.weight"], tensors["head.layers.1.bias"]
    for unit in wanted(resolved, "cpu", {}).units:
        for label in unit.key["members"] if unit.key["kind"] in (ADAPTERS, FUSIONS) else ():
            if label in ("qab", "qba"):
                part = model.add_adapter(label, AdapterConfig(reduction=2, invertible_reduction=2))
            elif label == "qab+qba":
                part = model.add_fusion(["qab", "qba"])
            else:
                continue
            own = load_file(store.artefact_path(unit.id))
            part.load_state_dict({key.removeprefix(f"{label}/"): value for key, value in own.items()})

    from transformers import AutoTokenizer

    from xltransfer.data.read import read_sentences

    tokenizer, composition = AutoTokenizer.from_pretrained(resolved.model), Stack(Fuse("qab", "qba"), "t")
    model.eval()
    right = words = 0
    for sentence in read_sentences(ref, "test"):
        encoding = tokenizer(list(sentence.words), is_split_into_words=True, return_tensors="pt")
        owners = encoding.word_ids(0)
        if len(owners) > spec.max_length:
            continue
        with torch.no_grad():
            hidden = model(encoding["input_ids"], composition=composition).last_hidden_state[0]
        for number, tag in enumerate(Pos(spec).gold(sentence) or ()):
            scores = weight @ hidden[owners.index(number)] + bias
            right += spec.labels[int(scores.argmax())] == tag
            words += 1
    stored = measurements[
        (measurements.setting == "fusion_trained")
        & (measurements.transfer == "qab+qba")
        & (measurements.dataset == ref.name)
        & (measurements.metric == "accuracy")
    ]
    assert stored.score.item() == pytest.approx(100 * right / words, abs=100 * 1.5 / words)


def test_item_counts_give_the_measured_scores_again(interaction_study: MiniStudy, measurements: pd.DataFrame) -> None:
    items = xltransfer.open_run(interaction_study.folder).items(task="pos")
    cell = ["setting", "transfer", "dataset"]
    sums = items.groupby(cell, observed=True)[["correct", "total", "nll"]].sum().astype(float).add_prefix("sum_")
    stored = measurements[measurements.task == "pos"].set_index([*cell, "metric"]).score.unstack()
    both = stored.join(sums)
    assert len(both) == 3 + 3 + 3 + 3 * 12
    assert both.accuracy.to_numpy() == pytest.approx((100 * both.sum_correct / both.sum_total).to_numpy())
    assert both.nll.to_numpy() == pytest.approx((both.sum_nll / both.sum_total).to_numpy())


def test_cluster_counts_come_composition_by_composition(
    interaction_study: MiniStudy, measurements: pd.DataFrame
) -> None:
    run = xltransfer.open_run(interaction_study.folder)
    stored = measurements[(measurements.task == "pos") & (measurements.metric == "accuracy")]
    stored = stored.set_index(["setting", "transfer", "target"]).score
    seen = 0
    for entry in run.cluster_counts(("language_adapter", *FUSED), tasks=["pos"]):
        for t, (_, target) in enumerate(entry.targets.names):
            part = slice(entry.targets.starts[t], entry.targets.starts[t + 1])
            correct, total = (entry.counts[name][0, part].sum() for name in ("correct", "total"))
            assert entry.scored[0, t] == (target in entry.transfer.replace("'", "").split("+"))
            if entry.scored[0, t]:
                seen += 1
                assert stored[entry.setting, entry.transfer, target] == pytest.approx(100 * correct / total)
    assert seen == 3 + 3 * 12
