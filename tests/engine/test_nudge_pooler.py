"""What a head on the pooler sees while a nudge is open, against torch by hand; and nothing of it afterwards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import TINY, VOCABULARY
from torch import Tensor

from xltransfer.engine import Backbone, Stack
from xltransfer.engine.heads import ClassificationHead
from xltransfer.engine.masking import Vocabulary
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, nudge
from xltransfer.errors import ConfigError, ModelError

SEEDS = NudgeSeeds(blocks=1, masks=2, dropout=3, signs=4, pooler=5)
SETTINGS = NudgeSettings(steps=2, batch_size=2, learning_rate=1e-2, decay="constant", mask_share=0.3)
POOLERS = ("keep", "reinitialise", "cls")


@pytest.fixture
def blocks() -> np.ndarray:
    return np.random.default_rng(0).integers(5, VOCABULARY, (9, 16)).astype(np.int32)


@pytest.fixture
def model(tiny: Backbone, add_trained: Any) -> Backbone:
    """The tiny model with an adapter, a head on the pooler and one on the first token."""
    add_trained(tiny, "a", seed=2)
    torch.manual_seed(0)
    tiny.add_head("pooled", ClassificationHead(tiny.hidden, 3, 0.0, layers=1, use_pooler=True))
    tiny.add_head("first", ClassificationHead(tiny.hidden, 3, 0.0, layers=2))
    return tiny.eval().requires_grad_(False)


def scored(
    model: Backbone, blocks: np.ndarray, ids: Tensor, steps: int, seed: int = SEEDS.pooler, **settings: Any
) -> dict[str, Tensor]:
    """What both heads, the encoder and the pooler's weights are after so many steps."""
    chosen = replace(SETTINGS, **{"steps": steps, **settings})
    with nudge(model, blocks, Vocabulary(VOCABULARY, 4, (0, 1, 2, 3, 4)), chosen, replace(SEEDS, pooler=seed)) as path:
        for _ in path.stop_at(steps):
            return seen(model, ids)
    raise AssertionError("the path has no such stop")


def seen(model: Backbone, ids: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        logits = {name: model(ids, composition=Stack("a"), head=name).logits for name in ("pooled", "first")}
        state = model(ids, composition=Stack("a")).last_hidden_state[:, 0]
    dense = model.encoder.pooler.dense
    return {**logits, "state": state, "weight": dense.weight.clone(), "bias": dense.bias.clone()}


def linear(model: Backbone, state: Tensor) -> Tensor:
    """The one linear map of the head on the pooler, by hand."""
    weight, bias = dict(model.heads["pooled"].named_parameters()).values()
    return state @ weight.T + bias


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("sign", ["real", "random"])
def test_cls_hands_the_first_tokens_state_to_a_head_on_the_pooler(model, blocks, ids, steps: int, sign: str) -> None:
    got = scored(model, blocks, ids, steps, pooler="cls", sign=sign)
    torch.testing.assert_close(got["pooled"], linear(model, got["state"]), rtol=1e-6, atol=1e-6)
    pooled = torch.tanh(got["state"] @ got["weight"].T + got["bias"])
    assert not torch.allclose(got["pooled"], linear(model, pooled), atol=1e-2)


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("pooler", ["keep", "reinitialise"])
def test_others_hand_it_a_poolers_output(model, blocks, ids, steps: int, pooler: str) -> None:
    got = scored(model, blocks, ids, steps, pooler=pooler)
    pooled = torch.tanh(got["state"] @ got["weight"].T + got["bias"])
    torch.testing.assert_close(got["pooled"], linear(model, pooled), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("steps", [0, 2])
def test_the_choice_changes_nothing_but_the_head_on_the_pooler(model, blocks, ids, steps: int) -> None:
    by = {pooler: scored(model, blocks, ids, steps, pooler=pooler) for pooler in POOLERS}
    for pooler in ("reinitialise", "cls"):
        assert torch.equal(by[pooler]["first"], by["keep"]["first"])
        assert torch.equal(by[pooler]["state"], by["keep"]["state"])
        assert not torch.allclose(by[pooler]["pooled"], by["keep"]["pooled"], atol=1e-3)


def test_kept_pooler_is_the_bases_at_every_step(model, blocks, ids) -> None:
    before = seen(model, ids)
    assert all(torch.equal(value, before[name]) for name, value in scored(model, blocks, ids, 0).items())
    after = scored(model, blocks, ids, 2)
    assert torch.equal(after["weight"], before["weight"]) and torch.equal(after["bias"], before["bias"])
    assert not torch.equal(after["pooled"], before["pooled"])


@pytest.mark.parametrize("pooler", POOLERS)
def test_same_seeds_same_scores(model, blocks, ids, pooler: str) -> None:
    one, two = (scored(model, blocks, ids, 2, pooler=pooler) for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_another_pooler_seed_is_another_pooler_and_nothing_else(model, blocks, ids) -> None:
    one, two = (scored(model, blocks, ids, 2, seed, pooler="reinitialise") for seed in (5, 6))
    assert torch.equal(one["state"], two["state"]) and torch.equal(one["first"], two["first"])
    assert not torch.equal(one["weight"], two["weight"]) and not torch.equal(one["pooled"], two["pooled"])
    for pooler in ("keep", "cls"):
        one, two = (scored(model, blocks, ids, 2, seed, pooler=pooler) for seed in (5, 6))
        assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("pooler", POOLERS)
@pytest.mark.parametrize("error", [None, KeyError, KeyboardInterrupt])
def test_afterwards_the_base_scores_as_before_bit_for_bit(model, blocks, ids, pooler: str, error: Any) -> None:
    before = seen(model, ids)
    if error is None:
        scored(model, blocks, ids, 2, pooler=pooler)
    else:
        with pytest.raises(error):
            broken_off(model, blocks, replace(SETTINGS, pooler=pooler), error)
    after = seen(model, ids)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not model.encoder.pooler._forward_hooks


def broken_off(model: Backbone, blocks: np.ndarray, settings: NudgeSettings, error: type[BaseException]) -> None:
    with nudge(model, blocks, Vocabulary(VOCABULARY, 4, (0, 1, 2, 3, 4)), settings, SEEDS) as path:
        for _ in path.stop_at(1):
            raise error


@pytest.mark.parametrize("pooler", ["reinitialise", "cls"])
def test_pooler_that_is_not_there_is_refused_and_nothing_changes(model, blocks, ids, pooler: str) -> None:
    model.encoder.pooler = None
    before = {name: value.clone() for name, value in model.base_parameters().items()}
    with pytest.raises(ModelError, match=f"pooler: {pooler} asks for a pooler, but the base model's folder holds none"):
        scored(model, blocks, ids, 1, pooler=pooler)
    assert all(torch.equal(value, before[name]) for name, value in model.base_parameters().items())


def test_a_base_without_pooler_is_nudged_with_keep(tmp_path: Path, blocks: np.ndarray, ids: Tensor) -> None:
    """XLM-R as it is published: no pooler, which a study that reads none does not miss."""
    model = Backbone.load(TINY["roberta"].save(tmp_path)).requires_grad_(False)
    with nudge(model, blocks, Vocabulary(VOCABULARY, 4, (0, 1, 2, 3, 4)), SETTINGS, SEEDS) as path:
        assert [model(ids).pooler_output for _ in path.stop_at(2)] == [None]
    with (
        pytest.raises(ModelError, match="pooler: cls asks for a pooler"),
        nudge(model, blocks, Vocabulary(VOCABULARY, 4, (0, 1, 2, 3, 4)), replace(SETTINGS, pooler="cls"), SEEDS),
    ):
        pass


def test_unknown_choice_is_named_with_the_nearest(model, blocks, ids) -> None:
    with pytest.raises(ConfigError, match="pooler='reinitialize' is no choice of pooler.*reinitialise"):
        scored(model, blocks, ids, 1, pooler="reinitialize")
