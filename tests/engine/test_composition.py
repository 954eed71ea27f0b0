"""Compositions as text, and fresh, left-out and unknown adapters."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xltransfer.engine import Backbone, Stack, parse_composition
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.heads import TaggingHead
from xltransfer.errors import ConfigError, ModelError

NAMES = st.lists(st.from_regex(r"[A-Za-z0-9_@.+-]+", fullmatch=True), max_size=4)


@given(NAMES)
def test_composition_reads_its_own_text(members: list[str]) -> None:
    assert parse_composition(str(Stack(*members))) == Stack(*members)


def test_single_name_is_a_stack_of_one() -> None:
    assert parse_composition(" pos@1 ") == Stack("pos@1")


@pytest.mark.parametrize("text", ["Stack(a, Fuse(b, c))", "Stack(a,,b)", "Stack(a", "a b", "Fuse(a, b)"])
def test_other_texts_are_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="is not of the form 'NAME' or 'Stack"):
        parse_composition(text)


@pytest.mark.parametrize("rule", ["adapterhub", "madx_equation"])
def test_fresh_adapter_is_no_adapter_bit_for_bit(tiny_folder, ids, rule) -> None:
    model = Backbone.load(tiny_folder, stack=rule)
    model.add_adapter("fresh", AdapterConfig(reduction=2, invertible_reduction=2)).eval()
    with torch.no_grad():
        with_it = model(ids, composition=Stack("fresh"), head="masked_lm", output_hidden_states=True)
        without = model(ids, head="masked_lm", output_hidden_states=True)
    assert torch.equal(with_it.last_hidden_state, without.last_hidden_state)
    assert torch.equal(with_it.logits, without.logits)
    assert torch.equal(with_it.pooler_output, without.pooler_output)


def test_left_out_layer_is_the_plain_layer(tiny: Backbone, ids: torch.Tensor, add_trained: Callable[..., None]) -> None:
    add_trained(tiny, "last_only", 1, leave_out=(0,))
    plain = tiny(ids, output_hidden_states=True).hidden_states
    adapted = tiny(ids, composition=Stack("last_only"), output_hidden_states=True).hidden_states
    assert torch.equal(plain[1], adapted[1])
    assert not torch.allclose(plain[2], adapted[2])


def test_stack_reads_from_left_to_right(tiny: Backbone, ids: torch.Tensor, add_trained: Callable[..., None]) -> None:
    add_trained(tiny, "a", 1)
    add_trained(tiny, "b", 2)
    one, other = tiny(ids, composition=Stack("a", "b")), tiny(ids, composition=Stack("b", "a"))
    assert not torch.allclose(one.last_hidden_state, other.last_hidden_state)


def test_only_the_first_member_transforms_the_embeddings(tiny, ids, add_trained) -> None:
    add_trained(tiny, "invertible", 1, invertible_reduction=2)
    add_trained(tiny, "plain", 2)
    embeddings = tiny(ids, output_hidden_states=True).hidden_states[0]
    first = tiny(ids, composition=Stack("invertible", "plain"), output_hidden_states=True).hidden_states[0]
    second = tiny(ids, composition=Stack("plain", "invertible"), output_hidden_states=True).hidden_states[0]
    assert torch.equal(second, embeddings)
    assert torch.equal(first, tiny.adapters["invertible"].invertible(embeddings))


def test_unknown_adapter_names_the_near_one(tiny: Backbone, ids: torch.Tensor) -> None:
    tiny.add_adapter("swahili", AdapterConfig())
    with pytest.raises(ConfigError, match="adapter 'swahil' is not loaded; did you mean 'swahili'"):
        tiny(ids, composition=Stack("swahil"))


def test_unknown_head_names_the_known_ones(tiny: Backbone, ids: torch.Tensor) -> None:
    tiny.add_head("pos", TaggingHead(tiny.hidden, 3, 0.0))
    with pytest.raises(ConfigError, match="head 'parser' is not loaded; known: masked_lm, pos"):
        tiny(ids, head="parser")


def test_base_models_head_name_is_taken(tiny: Backbone) -> None:
    with pytest.raises(ConfigError, match="head name 'masked_lm' is taken"):
        tiny.add_head("masked_lm", TaggingHead(tiny.hidden, 3, 0.0))


def test_unknown_activation(tiny: Backbone) -> None:
    with pytest.raises(ModelError, match="activation 'rleu' is not known; did you mean 'relu'"):
        tiny.add_adapter("a", AdapterConfig(activation="rleu"))


def test_failed_pass_leaves_no_adapter_behind(tiny, ids, add_trained) -> None:
    add_trained(tiny, "a", 1)
    before = tiny(ids).last_hidden_state
    with pytest.raises(ConfigError, match="head 'no'"):
        tiny(ids, composition=Stack("a"), head="no")
    assert torch.equal(tiny(ids).last_hidden_state, before)
