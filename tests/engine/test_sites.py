"""What the rows of the sites table say beyond where adapters sit: heads, arguments, dropout, ways of computing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny_models import DECODERS, TINY, fill
from torch import Tensor, nn

from xltransfer.engine import Backbone, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.heads import BiaffineHead, ClassificationHead, MaskedLMHead, QuestionAnsweringHead, TaggingHead
from xltransfer.engine.sites import SITES, Setting, site_of, value_of
from xltransfer.errors import ConfigError, ModelError


def load(folder: Path, name: str, **settings: Any) -> Backbone:
    return Backbone.load(TINY[name].save(folder, **settings)).requires_grad_(False)


def test_every_row_is_tested() -> None:
    tried = {getattr(transformers, tiny.name).config_class.model_type for tiny in TINY.values()}
    assert tried == set(SITES)


@pytest.mark.parametrize("name, near", [("modern-bert", "modernbert"), ("Qwen3", "qwen3"), ("deberta", "deberta-v2")])
def test_model_type_with_a_near_match(name: str, near: str) -> None:
    with pytest.raises(ModelError, match=f"model_type '{name}' has no adapter sites; did you mean '{near}'"):
        site_of(name)


def test_value_of_a_setting_is_the_configs() -> None:
    config = transformers.BertConfig(layer_norm_eps=0.25)
    assert value_of(Setting("layer_norm_eps"), config) == 0.25
    assert value_of(1e-12, config) == 1e-12


@pytest.mark.parametrize(
    "name, settings, attention, head",
    [
        ("bert", {"attention_probs_dropout_prob": 0.3, "hidden_dropout_prob": 0.2}, 0.3, 0.2),
        ("bert", {"classifier_dropout": 0.0, "hidden_dropout_prob": 0.2}, 0.1, 0.0),
        ("roberta", {"classifier_dropout": 0.4}, 0.1, 0.4),
        ("mdeberta", {"attention_probs_dropout_prob": 0.3, "hidden_dropout_prob": 0.2}, 0.3, 0.2),
        ("distilbert", {"attention_dropout": 0.3, "dropout": 0.2}, 0.3, 0.2),
        ("modernbert", {"attention_dropout": 0.3, "classifier_dropout": 0.2}, 0.3, 0.2),
        ("llama", {"attention_dropout": 0.3}, 0.3, 0.0),
        ("qwen3", {}, 0.0, 0.0),
    ],
)
def test_dropout(tmp_path: Path, name: str, settings: dict[str, float], attention: float, head: float) -> None:
    model = load(tmp_path, name, **settings)
    assert (model.attention_dropout, model.head_dropout) == (attention, head)


@pytest.mark.parametrize("name", ["distilbert", "modernbert", "mdeberta", *DECODERS])
def test_token_types_where_there_are_none(tmp_path: Path, name: str, ids: Tensor) -> None:
    model = load(tmp_path, name)
    with pytest.raises(ConfigError, match=f"token_type_ids were given.*{model.model_type}.*leave the argument out"):
        model(ids, token_type_ids=torch.zeros_like(ids))


def test_token_types_that_only_the_config_knows(tmp_path: Path, ids: Tensor) -> None:
    model = load(tmp_path, "distilbert", type_vocab_size=2)
    with pytest.raises(ConfigError, match="token_type_ids were given.*distilbert"):
        model(ids, token_type_ids=torch.zeros_like(ids))


@pytest.mark.parametrize("name", ["bert", "deberta-v2"])
def test_token_types_are_transformers_own(tmp_path: Path, name: str, ids: Tensor) -> None:
    kinds = (torch.arange(ids.shape[1]) > 3).long().expand_as(ids)
    got = load(tmp_path, name)(ids, token_type_ids=kinds, head="masked_lm").logits
    expected = TINY[name].make()(ids, token_type_ids=kinds).logits
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "head",
    [
        ClassificationHead(16, 2, 0.0),
        QuestionAnsweringHead(16, 0.0),
        BiaffineHead(16, 3, 0.0),
        MaskedLMHead(16, 60, nn.GELU(), 1e-5),
    ],
    ids=lambda head: type(head).__name__,
)
def test_decoder_takes_tagging_heads_only(tmp_path: Path, head: nn.Module, ids: Tensor) -> None:
    model = load(tmp_path, "qwen3")
    with pytest.raises(ConfigError, match=f"head 'x' is a {type(head).__name__}, but in a decoder \\(qwen3\\)"):
        model.add_head("x", head)
    model.add_head("x", TaggingHead(16, 5, 0.0))
    assert model(ids, head="x").logits.shape == (2, 8, 5)


@pytest.mark.parametrize("name", DECODERS)
def test_decoder_sees_only_what_stands_before(tmp_path: Path, name: str, ids: Tensor) -> None:
    model = load(tmp_path, name)
    fill(model.add_adapter("a", AdapterConfig(reduction=4, attention=True, invertible_reduction=2)))
    changed = ids.clone()
    changed[:, 5] = (ids[:, 5] + 1) % 60
    one, two = (model(x, composition=Stack("a")).last_hidden_state for x in (ids, changed))
    torch.testing.assert_close(one[:, :5], two[:, :5], atol=1e-6, rtol=1e-6)
    assert (one[:, 5:] - two[:, 5:]).abs().amax(dim=(0, 2)).min() > 1e-4


@pytest.mark.parametrize("name", DECODERS)
def test_decoder_keeps_no_cache(tmp_path: Path, name: str, ids: Tensor) -> None:
    encoder = load(tmp_path, name).encoder
    assert encoder(ids).past_key_values is None


@pytest.mark.parametrize("name", TINY)
def test_attention_runs_on_the_processor(tmp_path: Path, name: str) -> None:
    kernel = "eager" if "deberta" in name else "sdpa"
    assert load(tmp_path, name).encoder.config._attn_implementation == kernel


def test_compilation_asked_for_in_the_file_is_off(tmp_path: Path) -> None:
    folder = TINY["modernbert"].save(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "reference_compile": True}))
    assert Backbone.load(folder).encoder.config.reference_compile is False


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert"])
def test_feed_forward_in_chunks_is_made_whole(tmp_path: Path, name: str, ids: Tensor) -> None:
    outs, ids = [], ids[:, :7]  # Transformers refuses chunks of two here.
    for folder, size in (("whole", 0), ("chunks", 2)):
        model = load(tmp_path / folder, name, chunk_size_feed_forward=size)
        fill(model.add_adapter("a", AdapterConfig(reduction=4)))
        outs.append(model(ids, composition=Stack("a")).last_hidden_state)
    assert torch.equal(*outs)


def _by_name(layer: Any) -> Callable[[Tensor], Tensor]:
    return lambda x: layer.output(layer.intermediate(x), input_tensor=x)


def test_residual_given_by_name(tmp_path: Path, ids: Tensor) -> None:
    model = load(tmp_path, "bert")
    fill(model.add_adapter("a", AdapterConfig(reduction=4)))
    expected = model(ids, composition=Stack("a")).last_hidden_state
    for layer in model.encoder.encoder.layer:
        layer.feed_forward_chunk = _by_name(layer)
    assert torch.equal(model(ids, composition=Stack("a")).last_hidden_state, expected)


def test_pass_that_failed_leaves_nothing_behind(tmp_path: Path, ids: Tensor) -> None:
    model = load(tmp_path, "bert")
    fill(model.add_adapter("a", AdapterConfig(reduction=4, original_ln_after=False)))
    plain, adapted = model(ids).last_hidden_state, model(ids, composition=Stack("a")).last_hidden_state
    norm = model.encoder.encoder.layer[1].output.LayerNorm
    kept = norm.forward

    def fail(x: Tensor) -> Tensor:
        raise MemoryError

    norm.forward = fail
    with pytest.raises(MemoryError):
        model(ids, composition=Stack("a"))
    norm.forward = kept
    assert torch.equal(model(ids).last_hidden_state, plain)
    assert torch.equal(model(ids, composition=Stack("a")).last_hidden_state, adapted)
