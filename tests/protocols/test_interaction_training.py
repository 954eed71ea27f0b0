"""Fusions trained by the bank against a loop written here; text in equal parts; what kinds of fusion are."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from mini_interaction import Rewrite
from mini_study import MiniStudy
from safetensors.torch import load_file
from torch.nn import functional

from xltransfer.engine import Fuse
from xltransfer.engine.masking import mask_tokens
from xltransfer.errors import UnitError
from xltransfer.protocols.interaction.compositions import Mix
from xltransfer.protocols.interaction.context import InteractionContext
from xltransfer.protocols.interaction.passes import score_together
from xltransfer.protocols.interaction.training import fuse_by_training, rows_in_turn, train_adapters, train_fusions
from xltransfer.protocols.interaction.wanted import ADAPTERS, FUSIONS, wanted
from xltransfer.randomness import child_seed
from xltransfer.runs.store import Store

PAIR = Mix(("qaa", "qba"), "trained")


@pytest.fixture
def context(interaction_study: MiniStudy) -> Iterator[InteractionContext]:
    """A context with the run's language adapters, in double precision and without dropout of attention."""
    resolved = interaction_study.resolved
    made = InteractionContext(resolved, Store(interaction_study.folder))
    made.load_parts(unit.id for unit in wanted(resolved, "cpu", {}).units if unit.key["kind"] == ADAPTERS)
    made.model.encoder.config.attention_probs_dropout_prob = 0.0
    made.model.double()
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield made
    torch.set_default_dtype(default)


def draws(rows: int, seed: int) -> Iterator[int]:
    """Yield row numbers: shuffled passes over all rows, one after another."""
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.permutation(rows)


def test_a_fusion_is_trained_as_by_hand(context: InteractionContext) -> None:
    model, spec = context.model, context.study.interaction.fusions
    fuse_by_training(context, [PAIR, Mix(("qaa", "qab"), "trained")], spec.steps)
    trained = {name: value.clone() for name, value in model.fusions["qaa,qba"].state_dict().items()}
    del model.fusions["qaa,qba"]

    root = child_seed(context.study.seed, "fusion", "qaa+qba")
    torch.manual_seed(child_seed(root, "initial"))
    fusion = model.add_fusion(["qaa", "qba"])
    parameters = list(fusion.parameters())
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=1.0, weight_decay=0.0)
    masks = np.random.default_rng(child_seed(root, "masks"))
    texts = [(context.corpora[m], draws(len(context.corpora[m]), child_seed(root, "blocks", m))) for m in PAIR.members]
    taken = 0
    for step in range(spec.steps):
        rows = []
        for _ in range(spec.batch_size):
            blocks, numbers = texts[taken % 2]
            rows.append(blocks[next(numbers)])
            taken += 1
        batch = mask_tokens(np.stack(rows), context.vocabulary, spec.mask_share, masks)
        logits = model(torch.from_numpy(batch.ids), composition=Fuse("qaa", "qba"), head="masked_lm").logits
        loss = functional.cross_entropy(logits.flatten(0, 1)[batch.positions], torch.from_numpy(batch.labels))
        for value in fusion.values():
            loss = loss + 0.01 * (torch.eye(len(value)) - value).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = spec.learning_rate * (1 - step / spec.steps)
        optimizer.step()
    for name, value in fusion.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=0, atol=1e-8)


def test_texts_give_equally_many_rows_and_none_twice_before_all_were_seen() -> None:
    texts = [np.arange(5, dtype=np.int32)[:, None], np.arange(10, 17, dtype=np.int32)[:, None]]
    texts.append(np.arange(20, 24, dtype=np.int32)[:, None])
    rows = np.concatenate(list(islice(rows_in_turn(texts, 4, [1, 2, 3]), 9)))[:, 0]
    assert [int(row) // 10 for row in rows] == [0, 1, 2] * 12
    for number, text in enumerate(texts):
        own = [int(row) for row in rows if row // 10 == number]
        assert all(count in (len(own) // len(text), -(-len(own) // len(text))) for count in Counter(own).values())
        assert sorted(own[: len(text)]) == sorted(text[:, 0])


def entry_of(context: InteractionContext, task: str, language: str) -> str:
    """Return the name of a language's test set."""
    return next(ref.name for ref in context.resolved.targets[task] if ref.language == language)


def test_uniform_fusion_of_one_adapter_with_its_copy_is_that_adapter(context: InteractionContext) -> None:
    context.load_scorer("pos@0")
    context.model.double()
    own = context.model.adapters["qaa"].state_dict()
    context.model.adapters["qaa+2"].load_state_dict(own)
    task, prepared = context.task("pos"), context.prepared("pos", entry_of(context, "pos", "qaa"))
    both, one = Mix(("qaa", "qaa'"), "uniform"), Mix(("qaa",))
    with context.fused([both, one]):
        found = score_together(task, context.model, [both.below("pos@0"), one.below("pos@0")], "pos@0", prepared)
    context.forget(["qaa+2"])
    np.testing.assert_allclose(found[0].overall["nll"], found[1].overall["nll"], atol=1e-5)
    assert not context.model.fusions


def test_many_compositions_side_by_side_score_as_one_by_one(context: InteractionContext) -> None:
    mixes = [Mix(("qba",)), Mix(("qaa", "qba"), "untrained"), Mix(("qba", "qba'"), "uniform")]
    mixes += [Mix(("qaa", "qab", "qba"), "untrained"), Mix(("qab", "qba"), "untrained")]
    for name in ("pos", "ner"):
        scorer, entry = f"{name}@0", entry_of(context, name, "qba")
        context.load_scorer(scorer)
        context.model.double()
        task, prepared = context.task(name), context.prepared(name, entry)
        with context.fused(mixes):
            compositions = [mix.below(scorer) for mix in mixes]
            together = score_together(task, context.model, compositions, scorer, prepared)
            for composition, counts in zip(compositions, together, strict=True):
                (alone,) = score_together(task, context.model, [composition], scorer, prepared)
                for column, values in alone.overall.items():
                    np.testing.assert_allclose(counts.overall[column], values, atol=1e-5)


@pytest.mark.parametrize("kind", [ADAPTERS, FUSIONS])
def test_size_of_the_bank_moves_weights_by_rounding_only(
    rewritten: Rewrite, interaction_study: MiniStudy, tmp_path: Path, kind: str
) -> None:
    def weights(folder: Path, found: InteractionContext) -> dict[str, torch.Tensor]:
        units = [unit for unit in wanted(found.resolved, "cpu", {}).units if unit.key["kind"] == kind]
        return {key: value for unit in units for key, value in load_file(Store(folder).artefact_path(unit.id)).items()}

    section = {"adapters": {"reduction": 2, "steps": 6, "batch_size": 2, "learning_rate": 0.01, "invertible": 2}}
    section |= {"fusions": {"steps": 4, "batch_size": 3, "learning_rate": 0.01}}
    section = {name: value | {"at_once": 4} for name, value in section.items()}
    grouped = InteractionContext(rewritten(**section), Store(tmp_path))
    units = wanted(grouped.resolved, "cpu", {}).units
    for unit in units:
        if unit.key["kind"] == ADAPTERS:
            train_adapters(grouped, unit)
    for unit in units:
        if unit.key["kind"] == FUSIONS and kind == FUSIONS:
            train_fusions(grouped, unit)
    one = InteractionContext(interaction_study.resolved, Store(interaction_study.folder))
    expected, found = weights(interaction_study.folder, one), weights(tmp_path, grouped)
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        # The key's bias cancels in the softmax: its gradient is rounding alone, of which AdamW makes steps.
        if not key.endswith("key.bias"):
            torch.testing.assert_close(found[key], value, rtol=0, atol=1e-4)
    assert not grouped.model.fusions


def test_a_training_that_fails_names_who_failed(rewritten: Rewrite, tmp_path: Path) -> None:
    broken = rewritten(adapters={"reduction": 2, "steps": 2, "batch_size": 2, "learning_rate": 1e30})
    context = InteractionContext(broken, Store(tmp_path))
    unit = next(unit for unit in wanted(broken, "cpu", {}).units if unit.key["kind"] == ADAPTERS)
    with pytest.raises(UnitError, match="qaa: .*not finite.*lower the learning rate"):
        train_adapters(context, unit)
    assert "qaa" not in context.model.adapters
    assert not context.store.placed("artefacts")
