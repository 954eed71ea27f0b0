"""A nudge changes all base weights as AdamW does by hand, and leaves everything as it was, bit for bit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from xltransfer.engine import Backbone
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.masking import Vocabulary, mask_tokens
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, draw_blocks, masked_lm_loss, nudge
from xltransfer.errors import ConfigError

VOCABULARY = Vocabulary(60, 4, (0, 1, 2, 3, 4))
SEEDS = NudgeSeeds(blocks=1, masks=2, dropout=3, signs=4, pooler=5)
RATE = 1e-3
SETTINGS = NudgeSettings(steps=3, batch_size=2, learning_rate=RATE, decay="constant", mask_share=0.3)


@pytest.fixture
def blocks() -> np.ndarray:
    return np.random.default_rng(0).integers(5, 60, (9, 16)).astype(np.int32)


def weights(model: Backbone) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.base_parameters().items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one)


def nudged(model: Backbone, blocks: np.ndarray, *stops: int, **settings: Any) -> dict[int, dict[str, torch.Tensor]]:
    """Return the weights at each stop of a nudge of as many steps as the last one."""
    chosen = replace(SETTINGS, **{"steps": max(stops), **settings})
    with nudge(model, blocks, VOCABULARY, chosen, SEEDS) as path:
        return {steps: weights(model) for steps in path.stop_at(*stops)}


def state(model: Backbone) -> dict[str, Any]:
    return {
        "pointers": [parameter.data_ptr() for parameter in model.parameters()],
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "grads": [parameter.grad for parameter in model.parameters()],
        "random": torch.random.get_rng_state().tolist(),
    }


@pytest.mark.parametrize("pooler", ["keep", "reinitialise", "cls"])
@pytest.mark.parametrize("sign", ["real", "random"])
def test_everything_is_restored_bit_for_bit(tiny: Backbone, blocks: np.ndarray, ids, pooler: str, sign: str) -> None:
    tiny.add_adapter("a", AdapterConfig(reduction=4))
    tiny.encoder.encoder.layer[0].train()
    tiny.word_embeddings.requires_grad_(True)
    before, kept = weights(tiny), state(tiny)
    moved = nudged(tiny, blocks, 1, 3, pooler=pooler, sign=sign)
    assert not same(moved[3], before)
    assert same(weights(tiny), before)
    assert state(tiny) == kept


def test_exception_inside_restores_too(tiny: Backbone, blocks: np.ndarray) -> None:
    before, kept = weights(tiny), state(tiny)
    with pytest.raises(KeyError), nudge(tiny, blocks, VOCABULARY, SETTINGS, SEEDS) as path:
        for _ in path.stop_at(2):
            raise KeyError
    assert same(weights(tiny), before) and state(tiny) == kept


def test_interrupt_in_the_middle_of_training_restores_too(tiny, blocks, monkeypatch) -> None:
    before, kept = weights(tiny), state(tiny)
    original, calls = type(tiny).forward, []

    def interrupted(self: Backbone, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    monkeypatch.setattr(type(tiny), "forward", interrupted)
    with pytest.raises(KeyboardInterrupt), nudge(tiny, blocks, VOCABULARY, SETTINGS, SEEDS) as path:
        list(path.stop_at(3))
    assert same(weights(tiny), before) and state(tiny) == kept


def test_no_steps_scores_exactly_as_the_base(tiny: Backbone, blocks: np.ndarray, ids: torch.Tensor) -> None:
    expected = tiny(ids, head="masked_lm")
    with nudge(tiny, blocks, VOCABULARY, replace(SETTINGS, steps=0), SEEDS) as path:
        for steps in path.stop_at(0):
            assert steps == 0
            got = tiny(ids, head="masked_lm")
            assert torch.equal(got.logits, expected.logits)
            assert torch.equal(got.pooler_output, expected.pooler_output)


def test_first_step_is_the_rate_times_the_gradients_sign(tiny: Backbone, blocks: np.ndarray) -> None:
    before = weights(tiny)
    after = nudged(tiny, blocks, 1, dropout=False)[1]
    rows = draw_blocks(len(blocks), 1, 2, SEEDS.blocks)[0]
    batch = mask_tokens(blocks[rows], VOCABULARY, 0.3, np.random.default_rng(SEEDS.masks))
    tiny.requires_grad_(True)
    total, n = masked_lm_loss(tiny, batch)
    (total / n).backward()
    for name, parameter in tiny.base_parameters().items():
        if parameter.grad is None:
            assert "pooler" in name
            assert torch.equal(after[name], before[name])
            continue
        # Adam's first step is lr · g / (|g| + 1e-8): the sign wherever the gradient is well above rounding.
        large, zero = parameter.grad.abs() > 1e-4, parameter.grad == 0
        step = (after[name] - before[name])[large]
        torch.testing.assert_close(step, -RATE * parameter.grad.sign()[large], rtol=1e-2, atol=2e-6)
        assert torch.equal(after[name][zero], before[name][zero])


def test_linear_schedule_ends_at_a_third_of_the_rate_in_three_steps(tiny, blocks, monkeypatch) -> None:
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def seen(self: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", seen)
    nudged(tiny, blocks, 3, decay="linear")
    assert rates == pytest.approx([RATE, RATE * 2 / 3, RATE / 3])


def test_masked_lm_loss_is_the_mean_over_masked_positions(tiny: Backbone, blocks: np.ndarray) -> None:
    batch = mask_tokens(blocks[:4], VOCABULARY, 0.3, np.random.default_rng(0))
    with torch.no_grad():
        total, n = masked_lm_loss(tiny, batch)
        logits = tiny(torch.from_numpy(batch.ids), head="masked_lm").logits.flatten(0, 1).double()
    nll = [
        -torch.log_softmax(logits[at], dim=0)[label].item()
        for at, label in zip(batch.positions, batch.labels, strict=True)
    ]
    assert n == len(nll)
    assert float(total) == pytest.approx(sum(nll), rel=1e-5)


def test_stops_of_a_constant_schedule_are_separate_runs(tiny: Backbone, blocks: np.ndarray) -> None:
    together = nudged(tiny, blocks, 1, 3)
    assert same(together[1], nudged(tiny, blocks, 1)[1])
    assert same(together[3], nudged(tiny, blocks, 3)[3])


def test_callers_random_draws_between_stops_do_not_matter(tiny: Backbone, blocks: np.ndarray) -> None:
    with nudge(tiny, blocks, VOCABULARY, SETTINGS, SEEDS) as path:
        for _ in path.stop_at(1, 3):
            torch.rand(7)
            last = weights(tiny)
    assert same(last, nudged(tiny, blocks, 3)[3])


def test_stopping_for_random_signs_does_not_change_the_path(tiny: Backbone, blocks: np.ndarray) -> None:
    assert same(nudged(tiny, blocks, 1, 3, sign="random")[3], nudged(tiny, blocks, 3, sign="random")[3])


def test_model_is_ready_to_be_scored_at_a_stop(tiny: Backbone, blocks: np.ndarray) -> None:
    with nudge(tiny, blocks, VOCABULARY, SETTINGS, SEEDS) as path:
        for _ in path.stop_at(1, 3):
            assert not any(module.training for module in tiny.modules())
    assert len(path.losses) == 3


def test_dropout_off_is_another_path(tiny: Backbone, blocks: np.ndarray) -> None:
    assert not same(nudged(tiny, blocks, 1)[1], nudged(tiny, blocks, 1, dropout=False)[1])


def test_random_signs_keep_sizes_and_zeros(tiny: Backbone, blocks: np.ndarray) -> None:
    before = weights(tiny)
    real, signed = nudged(tiny, blocks, 3)[3], nudged(tiny, blocks, 3, sign="random")[3]
    kept = total = 0
    for name, old in before.items():
        change, other = real[name] - old, signed[name] - old
        torch.testing.assert_close(other.abs(), change.abs(), rtol=1e-3, atol=1e-6)
        assert torch.equal(other == 0, change == 0)
        kept += int((other.sign() == change.sign())[change != 0].sum())
        total += int((change != 0).sum())
    assert abs(kept / total - 0.5) < 5 * (0.25 / total) ** 0.5


@pytest.mark.parametrize("sign", ["real", "random"])
def test_fresh_pooler_is_the_same_in_all_cells(tiny: Backbone, blocks: np.ndarray, sign: str) -> None:
    before = weights(tiny)
    cells = [
        nudged(tiny, blocks, 0, steps=0, pooler="reinitialise")[0],
        nudged(tiny, blocks, 3, pooler="reinitialise", sign=sign)[3],
        nudged(tiny, blocks[:3], 2, pooler="reinitialise", sign=sign)[2],
    ]
    drawn = cells[0]["encoder.pooler.dense.weight"]
    assert drawn.std().item() == pytest.approx(0.02, rel=0.2) and drawn.mean().abs() < 0.01
    assert not torch.equal(drawn, before["encoder.pooler.dense.weight"])
    for cell in cells:
        assert torch.equal(cell["encoder.pooler.dense.weight"], drawn)
        assert not cell["encoder.pooler.dense.bias"].any()


def test_no_blocks(tiny: Backbone) -> None:
    with pytest.raises(ConfigError, match="blocks is empty; a nudge needs at least one block"):
        nudged(tiny, np.empty((0, 16), dtype=np.int32), 1)


def test_stop_behind_the_last_step(tiny: Backbone, blocks: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="cannot stop at 5 of 3 steps"):
        nudged(tiny, blocks, 5, steps=3)


@pytest.mark.parametrize(("available", "steps", "size"), [(7, 5, 3), (4, 6, 4), (3, 2, 8), (50, 2, 8), (5, 0, 8)])
def test_all_blocks_come_before_any_comes_again(available: int, steps: int, size: int) -> None:
    drawn = draw_blocks(available, steps, size, seed=3)
    assert drawn.shape == (steps, size)
    flat = drawn.reshape(-1).tolist()
    for start in range(0, len(flat), available):
        one_pass = flat[start : start + available]
        assert len(set(one_pass)) == len(one_pass)
        assert set(one_pass) <= set(range(available))


def test_shorter_schedule_is_the_beginning_of_a_longer_one() -> None:
    assert (draw_blocks(20, 10, 8, 5)[:3] == draw_blocks(20, 3, 8, 5)).all()
    assert (draw_blocks(20, 3, 8, 5) != draw_blocks(20, 3, 8, 6)).any()
