"""Named parts: what cannot be added, and the mode in which parts arrive."""

import pytest
import torch
from tiny_models import fill

from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.heads import ClassificationHead, TaggingHead
from xltransfer.errors import ConfigError


@pytest.mark.parametrize("name", ["x.y", ""])
def test_names_that_torch_cannot_hold_are_refused_with_a_remedy(tiny: Backbone, name: str) -> None:
    for add in (
        lambda: tiny.add_adapter(name, AdapterConfig()),
        lambda: tiny.add_head(name, TaggingHead(tiny.hidden, 2, 0.0)),
    ):
        with pytest.raises(ConfigError, match="give the (adapter|head) another name"):
            add()


@pytest.mark.parametrize("name", ["to", "pop", "cpu", "keys", "type"])
def test_languages_that_are_words_of_torch_are_names_like_others(tiny: Backbone, ids: torch.Tensor, name: str) -> None:
    fill(tiny.add_adapter(name, AdapterConfig(4)), seed=1)
    fill(tiny.add_adapter("other", AdapterConfig(4)), seed=2)
    fill(tiny.add_fusion([name, "other"]), seed=3)
    with torch.no_grad():
        own, fused = (tiny(ids, composition=c).last_hidden_state for c in (Stack(name), Fuse(name, "other")))
        assert not torch.equal(own, fused)
        state = {key: value.clone() for key, value in tiny.state_dict().items()}
        for parameter in tiny.adapters.parameters():
            parameter.zero_()
        tiny.load_state_dict(state)
        assert torch.equal(tiny.to("cpu").float()(ids, composition=Stack(name)).last_hidden_state, own)
    del tiny.adapters[name]
    assert name not in tiny.adapters


@pytest.mark.parametrize("members", [[], ["a"]])
def test_a_fusion_needs_two_members(tiny: Backbone, members: list[str]) -> None:
    tiny.add_adapter("a", AdapterConfig(4))
    with pytest.raises(ConfigError, match="at least two members"):
        tiny.add_fusion(members)


@pytest.mark.parametrize("training", [True, False])
def test_fresh_parts_arrive_in_the_mode_of_the_model(tiny: Backbone, training: bool) -> None:
    tiny.train(training)
    adapters = [tiny.add_adapter(name, AdapterConfig(4)) for name in "ab"]
    fusion, head = tiny.add_fusion(["a", "b"]), TaggingHead(tiny.hidden, 2, 0.5)
    tiny.add_head("h", head)
    assert {part.training for part in (*adapters, fusion, head)} == {training}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reduction": 0}, "reduction 0"),
        ({"reduction": {"default": -2.0}}, "reduction -2.0"),
        ({"invertible_reduction": 0.0}, "reduction 0.0"),
        ({"residual_before_ln": "post-add"}, "'post-add'; expected"),
    ],
)
def test_an_adapter_of_no_meaning_is_refused(tiny: Backbone, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tiny.add_adapter("a", AdapterConfig(**changes))  # type: ignore[arg-type]


def test_odd_hidden_size_has_no_invertible_adapter() -> None:
    from torch import nn

    from xltransfer.engine.invertible import Invertible
    from xltransfer.errors import ModelError

    with pytest.raises(ModelError, match="odd: 7"):
        Invertible(7, 2, nn.ReLU())


def test_a_text_is_no_composition(tiny: Backbone, ids: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match=r"parse_composition\('ab'\)"):
        tiny(ids, composition="ab")


def test_an_unknown_rule_of_stacks_has_a_near_match(tiny: Backbone) -> None:
    from xltransfer.engine.loading import Loaded

    with pytest.raises(ConfigError, match="did you mean 'madx_equation'"):
        Backbone(Loaded(tiny.encoder, tiny.site, None), stack="madx_equatio")  # type: ignore[arg-type]


def test_positions_are_refused_for_a_head_that_does_not_read_them(tiny: Backbone, ids: torch.Tensor) -> None:
    tiny.add_head("cls", ClassificationHead(tiny.hidden, 3, 0.0))
    with pytest.raises(ConfigError, match="not asked at positions"):
        tiny(ids, head="cls", positions=torch.tensor([0]))
