"""Fusions inside a model, over adapters of all kinds: options, and layers that some or all of the members leave out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.equations import Plain, filled
from torch import Tensor

from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.fusion import Fusion, FusionConfig
from xltransfer.errors import ConfigError

TIGHT = {"atol": 1e-10, "rtol": 1e-10}
OPTIONS = (
    {},
    {"value": False},
    {"key": False},
    {"query": False},
    {"residual_before": True},
    {"value_before_softmax": False},
    {"query_before_ln": True},
)

Add = Callable[..., None]


@pytest.fixture
def model(tiny: Backbone, add_trained: Add) -> Backbone:
    """Four adapters of unlike width; b leaves out the first layer, c the second, d both."""
    for seed, (name, left_out) in enumerate((("a", ()), ("b", (0,)), ("c", (1,)), ("d", (0, 1)), ("e", ()))):
        add_trained(tiny, name, seed, reduction=seed + 1, leave_out=left_out)
    return tiny.double()


def add_fusion(model: Backbone, members: str, like: Fusion | None = None, **config: Any) -> Fusion:
    """Add a random fusion, or one with the weights of another."""
    torch.manual_seed(len(members))
    fusion = model.add_fusion(members.split(","), FusionConfig(**config))
    filled(fusion, spread=0.1).eval().requires_grad_(False)
    if like is not None:
        fusion.load_state_dict(like.state_dict())
    return fusion


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("over", ["plain", "stack"])
def test_fusion_in_a_model_is_its_equation(
    model: Backbone, tiny_folder: Path, ids: Tensor, options: dict[str, Any], over: str
) -> None:
    add_fusion(model, "a,e", **options)
    composition = Fuse("a", "e") if over == "plain" else Stack("c", Fuse("a", "e"), "b")
    with torch.no_grad():
        got = model(ids, composition=composition, output_hidden_states=True).hidden_states
        expected = Plain(tiny_folder, model, composition).states(ids)
    torch.testing.assert_close(torch.stack(got), torch.stack(expected), **TIGHT)


@pytest.mark.parametrize(
    "forms",
    [
        ({}, {"attention": False, "residual_before_ln": "post_add"}),
        ({"residual_before_ln": "post_add"}, {}),
        ({"ln_after": True, "ln_before": True}, {"scaling": 0.5, "residual_before_ln": False}),
        ({}, {"original_ln_before": False}),
        ({}, {"original_ln_after": False}),
        ({"attention": True, "original_ln_before": False},) * 2,
    ],
    ids=str,
)
def test_the_last_leaf_decides_what_a_fusion_reads(
    tiny: Backbone, tiny_folder: Path, ids: Tensor, add_trained: Add, forms: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    add_trained(tiny, "x", 1, **forms[0])
    add_trained(tiny, "y", 2, **forms[1])
    add_fusion(tiny.double(), "x,y")
    with torch.no_grad():
        got = tiny(ids, composition=Fuse("x", "y"), output_hidden_states=True).hidden_states
        expected = Plain(tiny_folder, tiny, Fuse("x", "y")).states(ids)
    torch.testing.assert_close(torch.stack(got), torch.stack(expected), **TIGHT)


def states(model: Backbone, ids: Tensor, composition: Stack | Fuse, start: int = 0) -> tuple[Tensor, ...]:
    with torch.no_grad():
        return model(ids, composition=composition, output_hidden_states=True).hidden_states


def test_members_that_leave_a_layer_out_drop_out_of_its_fusion(model: Backbone, ids: Tensor) -> None:
    everyone = add_fusion(model, "a,b,e")
    without = add_fusion(model, "a,e", like=everyone)
    got = states(model, ids, Fuse("a", "b", "e"))
    rest = states(model, ids, Fuse("a", "e"))
    assert without.members == ("a", "e")
    torch.testing.assert_close(got[1], rest[1], **TIGHT)
    assert not torch.allclose(got[2], rest[2])


def test_member_without_any_layer_changes_nothing(model: Backbone, ids: Tensor) -> None:
    everyone = add_fusion(model, "d,a,e")
    add_fusion(model, "a,e", like=everyone)
    got, rest = states(model, ids, Fuse("d", "a", "e")), states(model, ids, Fuse("a", "e"))
    torch.testing.assert_close(torch.stack(got), torch.stack(rest), **TIGHT)


def test_single_member_left_is_weighed_alone(model: Backbone, tiny_folder: Path, ids: Tensor) -> None:
    add_fusion(model, "b,a")
    got = model(ids, composition=Fuse("b", "a"), output_fusion_attention=True, output_hidden_states=True)
    first, second = (got.fusion_attention["b,a"][layer]["output_adapter"] for layer in (0, 1))
    assert torch.equal(first, torch.ones(2, 8, 1, dtype=torch.float64))
    assert second.shape == (2, 8, 2)
    expected = Plain(tiny_folder, model, Fuse("b", "a")).states(ids)
    torch.testing.assert_close(torch.stack(got.hidden_states), torch.stack(expected), **TIGHT)


def test_layer_left_out_by_every_member_is_the_plain_layer(model: Backbone, ids: Tensor) -> None:
    add_fusion(model, "b,d")
    plain, got = states(model, ids, Stack()), states(model, ids, Fuse("b", "d"))
    assert torch.equal(got[1], plain[1])
    assert not torch.allclose(got[2], plain[2])


def test_branch_whose_last_adapter_is_left_out_counts_with_the_one_below(
    model: Backbone, tiny_folder: Path, ids
) -> None:
    add_fusion(model, "b,e")
    composition = Fuse(Stack("a", "b"), "e")
    expected = Plain(tiny_folder, model, composition).states(ids)
    torch.testing.assert_close(torch.stack(states(model, ids, composition)), torch.stack(expected), **TIGHT)


def test_attention_of_unlike_branches_is_not_put_together(model: Backbone, ids: Tensor) -> None:
    add_fusion(model, "b,e")
    unlike = [Fuse("b", "e"), Fuse(Stack("a", "b"), "e")]
    assert model(ids, composition=unlike).last_hidden_state.isfinite().all()
    with pytest.raises(ConfigError, match="fusion 'b,e' weigh different numbers of members in layer 0"):
        model(ids, composition=unlike, output_fusion_attention=True)
