"""Adapters, their options and stacks of them, inside a whole model, against the equations in plain torch.

The goldens cover Pfeiffer and Houlsby; here are the options that no golden has, the layers that are left out, and the
rule of madx2020. Fusions have a file of their own.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from engine.equations import Plain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.errors import ConfigError

HOULSBY = {"attention": True, "original_ln_before": False}
OPTIONS = {
    "pfeiffer": {},
    "post_add": {"residual_before_ln": "post_add"},
    "residual of the LayerNorm": {"residual_before_ln": False},
    "own LayerNorm before": {"ln_before": True},
    "own LayerNorm after": {"ln_after": True},
    "residual before the own LayerNorm": {"ln_after": True, "adapter_residual_before_ln": True},
    "no closing LayerNorm": {"original_ln_after": False},
    "no closing LayerNorm, Houlsby": {**HOULSBY, "original_ln_after": False},
    "houlsby": HOULSBY,
    "behind the attention only": {"attention": True, "output": False},
    "scaling": {"scaling": 0.25},
    "a width for each layer": {"reduction": {"0": 2, "default": 8}},
    "everything": {
        "scaling": 3.0,
        "ln_before": True,
        "ln_after": True,
        "residual_before_ln": "post_add",
        "activation": "swish",
    },
}
TIGHT = {"atol": 1e-10, "rtol": 1e-10}

Add = Callable[..., None]


def both(model: Backbone, folder: Path, ids: Tensor, composition: Stack) -> tuple[Tensor, Tensor]:
    """Return all hidden states as the engine gives them and as the equations do."""
    with torch.no_grad():
        got = model(ids, composition=composition, output_hidden_states=True).hidden_states
        expected = Plain(folder, model, composition, stack=model.stack).states(ids)
    return torch.stack(got), torch.stack(expected)


def agree(model: Backbone, folder: Path, ids: Tensor, composition: Stack) -> None:
    got, expected = both(model.double(), folder, ids, composition)
    torch.testing.assert_close(got, expected, **TIGHT)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_option_is_its_equation(
    tiny: Backbone, tiny_folder: Path, ids: Tensor, add_trained: Add, options: dict[str, object]
) -> None:
    add_trained(tiny, "a", 1, **options)
    agree(tiny, tiny_folder, ids, Stack("a"))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_option_changes_the_result(tiny: Backbone, ids: Tensor, add_trained: Add, options: dict[str, object]) -> None:
    # Otherwise the comparison above could not see the option.
    add_trained(tiny, "a", 1, **options)
    add_trained(tiny, "plain", 1)
    got, plain = (tiny(ids, composition=Stack(name)).last_hidden_state for name in ("a", "plain"))
    assert torch.allclose(got, plain) == (options == {})


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_new", "swish", "tanh", "leakyrelu"])
def test_activation_is_its_formula(
    tiny: Backbone, tiny_folder: Path, ids: Tensor, add_trained: Add, activation: str
) -> None:
    add_trained(tiny, "a", 1, activation=activation, invertible_reduction=2)
    agree(tiny, tiny_folder, ids, Stack("a"))


OPTION_SETS = st.fixed_dictionaries(
    {
        "ln_before": st.booleans(),
        "ln_after": st.booleans(),
        "original_ln_before": st.booleans(),
        "original_ln_after": st.booleans(),
        "adapter_residual_before_ln": st.booleans(),
        "residual_before_ln": st.sampled_from([True, False, "post_add"]),
        "attention": st.booleans(),
        "scaling": st.sampled_from([1.0, 0.5]),
        "leave_out": st.sampled_from([(), (0,), (1,), (0, 1)]),
    }
).filter(lambda options: options["original_ln_before"] or options["residual_before_ln"] != "post_add")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(OPTION_SETS, min_size=1, max_size=3))
def test_any_options_in_any_stack(
    tiny_folder: Path, ids: Tensor, add_trained: Add, members: list[dict[str, object]]
) -> None:
    model = Backbone.load(tiny_folder)
    for number, options in enumerate(members):
        add_trained(model, f"a{number}", number, **options)
    agree(model, tiny_folder, ids, Stack(*(f"a{number}" for number in range(len(members)))))


@pytest.mark.parametrize("rule", ["adapterhub", "madx_equation"])
@pytest.mark.parametrize("names", [("l",), ("l", "t"), ("l", "t", "m")])
def test_each_rule_of_stacks_is_its_equation(
    tiny_folder: Path, ids: Tensor, add_trained: Add, rule: str, names: tuple[str, ...]
) -> None:
    model = Backbone.load(tiny_folder, stack=rule)
    for seed, name in enumerate(names):
        # The second has no weights in the first layer.
        add_trained(model, name, seed, scaling=2.0, invertible_reduction=2, leave_out=(0,) if name == "t" else ())
    agree(model, tiny_folder, ids, Stack(*names))


def test_rules_of_stacks_agree_on_one_adapter_and_differ_on_two(
    tiny_folder: Path, ids: Tensor, add_trained: Add
) -> None:
    models = [Backbone.load(tiny_folder, stack=rule) for rule in ("adapterhub", "madx_equation")]
    for model in models:
        add_trained(model, "l", 1)
        add_trained(model, "t", 2)
    one = [model(ids, composition=Stack("l")).last_hidden_state for model in models]
    two = [model(ids, composition=Stack("l", "t")).last_hidden_state for model in models]
    torch.testing.assert_close(one[0], one[1], atol=1e-5, rtol=1e-5)
    assert (two[0] - two[1]).abs().max() > 0.01


@pytest.mark.parametrize(
    "options",
    [
        HOULSBY,
        {"original_ln_after": False},
        {"ln_before": True},
        {"ln_after": True},
        {"residual_before_ln": False},
        {"residual_before_ln": "post_add"},
    ],
    ids=str,
)
def test_the_papers_rule_refuses_what_it_does_not_define(
    tiny_folder: Path, ids: Tensor, add_trained: Add, options: dict[str, object]
) -> None:
    model = Backbone.load(tiny_folder, stack="madx_equation")
    add_trained(model, "l", 1)
    add_trained(model, "other", 2, **options)
    with pytest.raises(ConfigError, match="madx_equation is defined for stacks of Pfeiffer adapters only"):
        model(ids, composition=Stack("l", "other"))


def test_the_papers_rule_refuses_fusions(tiny_folder: Path, ids: Tensor, add_trained: Add) -> None:
    model = Backbone.load(tiny_folder, stack="madx_equation")
    for seed, name in enumerate(("a", "b")):
        add_trained(model, name, seed)
    model.add_fusion(["a", "b"])
    with pytest.raises(ConfigError, match="madx_equation"):
        model(ids, composition=Fuse("a", "b"))


def test_layer_left_out_by_all_is_the_plain_layer(tiny: Backbone, ids: Tensor, add_trained: Add) -> None:
    add_trained(tiny, "a", 1, leave_out=(0,))
    add_trained(tiny, "b", 2, leave_out=(0, 1))
    plain = tiny(ids, output_hidden_states=True).hidden_states
    adapted = tiny(ids, composition=Stack("a", "b"), output_hidden_states=True).hidden_states
    assert torch.equal(plain[1], adapted[1])
    assert not torch.allclose(plain[2], adapted[2])


def test_member_without_weights_is_skipped(tiny: Backbone, ids: Tensor, add_trained: Add) -> None:
    add_trained(tiny, "a", 1)
    add_trained(tiny, "nowhere", 2, leave_out=(0, 1))
    alone = tiny(ids, composition=Stack("a")).last_hidden_state
    assert torch.equal(tiny(ids, composition=Stack("a", "nowhere")).last_hidden_state, alone)
    assert torch.equal(tiny(ids, composition=Stack("nowhere", "a")).last_hidden_state, alone)


def test_post_add_needs_the_sum_that_it_adds(tiny: Backbone) -> None:
    with pytest.raises(ConfigError, match="post_add needs original_ln_before"):
        tiny.add_adapter("a", AdapterConfig(residual_before_ln="post_add", original_ln_before=False))


def test_reduction_must_be_given_for_every_layer(tiny: Backbone) -> None:
    with pytest.raises(ConfigError, match="reduction names neither layer 1 nor 'default'"):
        tiny.add_adapter("a", AdapterConfig(reduction={"0": 2}))


def test_width_is_rounded_down_and_never_zero(tiny: Backbone) -> None:
    widths = [tiny.add_adapter("a", AdapterConfig(reduction=r)).at(0).form.width for r in (2, 3, 16, 100)]
    assert widths == [8, 5, 1, 1]
