"""Dropout by parts: masks drawn by hand, attention against torch's own, every architecture joint against apart."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, BertConfig, DebertaV2Config, DistilBertConfig, ModernBertConfig, Qwen3Config
from transformers import XLMRobertaConfig as XLMRConfig

from xltransfer.engine.row_dropout import Part, RowDropout, refuse_hidden_draws
from xltransfer.errors import ModelError

SIZES = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
DROPS = {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.3}
CONFIGS: dict[str, Any] = {
    "bert": BertConfig(**SIZES, **DROPS),
    "bert-eager": BertConfig(**SIZES, **DROPS, attn_implementation="eager"),
    "xlm-roberta": XLMRConfig(**SIZES, **DROPS),
    "distilbert": DistilBertConfig(
        vocab_size=60, dim=16, n_layers=2, n_heads=2, hidden_dim=24, dropout=0.2, attention_dropout=0.3
    ),
    "modernbert": ModernBertConfig(
        **SIZES, **ENDS, attention_dropout=0.3, mlp_dropout=0.2, embedding_dropout=0.1, local_attention=4
    ),
    "qwen3": Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=8, attention_dropout=0.3),
    "deberta": DebertaV2Config(**SIZES, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.3),
}


def part(rows: int, tokens: int, seed: int, fusion: bool = False) -> Part:
    return Part(rows, tokens, torch.Generator().manual_seed(seed), fusion)


def by_hand(shape: tuple[int, ...], probability: float, seed: int) -> Tensor:
    keep = torch.empty(shape).bernoulli_(1 - probability, generator=torch.Generator().manual_seed(seed))
    return keep / (1 - probability)


def test_each_part_loses_what_its_own_generator_says_at_its_own_length() -> None:
    dropout, x = RowDropout(), 1 + torch.rand(3, 5, 4)
    dropout.parts = [part(1, 5, seed=1), part(2, 3, seed=2)]
    with dropout:
        got = functional.dropout(x, 0.4)
        as_it_was = functional.dropout(x, 0.4, training=False), functional.dropout(x, 0.0)
    torch.testing.assert_close(got[:1], x[:1] * by_hand((1, 5, 4), 0.4, seed=1))
    torch.testing.assert_close(got[1:, :3], x[1:, :3] * by_hand((2, 3, 4), 0.4, seed=2))
    assert all(torch.equal(each, x) for each in as_it_was)


def test_attention_weights_of_each_part_are_cut_on_both_sides() -> None:
    dropout, x = RowDropout(), 1 + torch.rand(2, 3, 4, 4)
    dropout.parts = [part(1, 4, seed=1), part(1, 2, seed=2)]
    with dropout:
        got = torch.nn.Dropout(0.4)(x)
    torch.testing.assert_close(got[1:, :, :2, :2], x[1:, :, :2, :2] * by_hand((1, 3, 2, 2), 0.4, seed=2))


def test_everything_may_be_dropped() -> None:
    dropout = RowDropout()
    dropout.parts = [part(2, 3, seed=1)]
    with dropout:
        assert not functional.dropout(torch.ones(2, 3, 4), 1.0).any()


def test_only_fusions_in_training_drop_in_the_rows_that_are_given() -> None:
    dropout, x = RowDropout(), 1 + torch.rand(4, 5, 2)
    dropout.parts = [part(2, 5, 1, fusion=True), part(1, 5, 2), part(2, 4, 3, fusion=True), part(1, 5, 4, fusion=True)]
    got = dropout.fusion(x, 0.4, slice(2, 6))
    assert torch.equal(got[:1], x[:1])
    torch.testing.assert_close(got[1:3, :4], x[1:3, :4] * by_hand((2, 4, 2), 0.4, seed=3))
    torch.testing.assert_close(got[3:], x[3:] * by_hand((1, 5, 2), 0.4, seed=4))


@pytest.mark.parametrize(
    ("masked", "more"),
    [
        (None, {"is_causal": True}),
        *(
            (masked, more)
            for masked in (None, "boolean", "added")
            for more in ({}, {"scale": 0.7}, {"enable_gqa": True})
        ),
    ],
)
def test_attention_is_torchs_own_when_next_to_nothing_is_dropped(masked: str | None, more: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    heads = 1 if "enable_gqa" in more else 2
    query = torch.randn(3, 2, 5, 4, generator=generator, dtype=torch.float64)
    key, value = torch.randn(2, 3, heads, 5, 4, generator=generator, dtype=torch.float64)
    allowed = torch.ones(3, 1, 5, 5, dtype=torch.bool)
    allowed[1, :, :, 3:] = False
    added = torch.zeros(3, 1, 5, 5, dtype=torch.float64).masked_fill(~allowed, -torch.inf)
    mask = {None: None, "boolean": allowed, "added": added}[masked]
    expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, **more)
    dropout = RowDropout()
    dropout.parts = [part(3, 5, seed=1)]
    with dropout:
        got = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=1e-13, **more)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-11)


def encoder(name: str) -> Any:
    torch.manual_seed(0)
    return AutoModel.from_config(deepcopy(CONFIGS[name])).double().train()


@pytest.mark.parametrize("name", CONFIGS)
def test_rows_of_every_architecture_lose_the_same_alone_and_in_company(name: str) -> None:
    model, dropout = encoder(name), RowDropout()
    ids = torch.randint(5, 60, (5, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[2:, 6:] = 0
    before = torch.random.get_rng_state()
    with torch.no_grad():
        dropout.parts = [part(2, 9, seed=1), part(3, 6, seed=2)]
        with dropout:
            joint = model(ids, attention_mask=mask).last_hidden_state
        dropout.parts = [part(2, 9, seed=1)]
        with dropout:
            first = model(ids[:2]).last_hidden_state
        dropout.parts = [part(3, 6, seed=2)]
        with dropout:
            second = model(ids[2:, :6]).last_hidden_state
        plain = model.eval()(ids[:2]).last_hidden_state
    torch.testing.assert_close(joint[:2], first, rtol=0, atol=1e-10)
    torch.testing.assert_close(joint[2:, :6], second, rtol=0, atol=1e-10)
    assert (first - plain).abs().max() > 1e-3
    assert torch.equal(before, torch.random.get_rng_state())


def test_masks_are_the_dropout_of_the_base_in_mean_and_spread() -> None:
    dropout, x = RowDropout(), torch.ones(50, 40, 30)
    dropout.parts = [part(20, 40, seed=1), part(30, 40, seed=2)]
    with dropout:
        got = functional.dropout(x, 0.25)
    assert got.unique().tolist() == pytest.approx([0, 4 / 3])
    # 60,000 draws: the share kept is within five standard errors.
    assert abs((got > 0).float().mean().item() - 0.75) < 5 * (0.75 * 0.25 / 60_000) ** 0.5


def test_dropout_of_a_tensor_that_all_rows_share_is_refused() -> None:
    torch.manual_seed(0)
    config = DebertaV2Config(**SIZES, **DROPS, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=4)
    model, dropout = AutoModel.from_config(config).train(), RowDropout()
    dropout.parts = [part(2, 8, seed=1)]
    with pytest.raises(ModelError, match=r"a tensor of shape \(8, 16\), which holds no 2 rows of 8 tokens"), dropout:
        model(torch.randint(5, 60, (2, 8)))


@pytest.mark.parametrize("shape", [(2, 4, 5), (3, 6, 5), (2, 3, 6, 5), (2, 6), (1, 2, 6, 5, 5)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    dropout = RowDropout()
    dropout.parts = [part(2, 6, seed=1)]
    with pytest.raises(ModelError, match="base_dropout: on: the base model drops from a tensor of shape"), dropout:
        functional.dropout(torch.ones(shape), 0.5)


@pytest.mark.parametrize("draw", [torch.rand_like, torch.bernoulli, functional.alpha_dropout, lambda x: x.uniform_()])
def test_other_draws_from_the_process_are_refused(draw: Any) -> None:
    x = torch.full((2, 3, 4), 0.5)
    with pytest.raises(ModelError, match="cannot give each row its own draws of"), RowDropout():
        draw(x)
    draw(x)


@pytest.mark.parametrize("name", ["sdpa", "eager", "flash_attention_2", "flex_attention"])
def test_attention_that_drops_inside_a_kernel_is_refused(name: str) -> None:
    model = encoder("bert")
    model.config._attn_implementation_internal = name
    if name in ("sdpa", "eager"):
        refuse_hidden_draws(model)
    else:
        with pytest.raises(ModelError, match=f"inside attention '{name}'; load the base model with sdpa or eager"):
            refuse_hidden_draws(model)
