"""Adapters to disk and back, with every option; and files that must not be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_folders import change_config, change_tensors
from safetensors.torch import load_file
from torch import Tensor

from xltransfer.engine import Backbone, parse_composition
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.errors import ConfigError, ModelError

Trained = Callable[..., None]
FIRST = "bert.encoder.layer.0.output.adapters.a"
CONFIGS: list[dict[str, Any]] = [
    {},
    {"invertible_reduction": 2, "activation": "gelu"},
    {"invertible_reduction": 4.0, "activation": "gelu_new", "scaling": 2.5},
    {"attention": True, "original_ln_before": False, "activation": "swish"},
    {"attention": True, "output": False, "activation": "tanh"},
    {"ln_before": True, "ln_after": True, "activation": "leakyrelu"},
    {"ln_after": True, "adapter_residual_before_ln": True, "residual_before_ln": False},
    {"ln_before": True, "attention": True, "residual_before_ln": "post_add"},
    {"original_ln_after": False, "original_ln_before": False, "reduction": {"0": 2, "default": 8}},
    {"leave_out": (1,), "invertible_reduction": 2},
    {"leave_out": (0, 1), "invertible_reduction": 2},
]


@pytest.fixture
def saved(tiny: Backbone, add_trained: Trained, tmp_path: Path) -> Callable[..., Path]:
    """Write a trained adapter ``a`` of the given configuration and return its folder."""

    def save(**config: Any) -> Path:
        add_trained(tiny, "a", seed=5, **config)
        tiny.save_adapter("a", tmp_path / "a")
        return tmp_path / "a"

    return save


@pytest.mark.parametrize("format", ["safetensors", "bin"])
@pytest.mark.parametrize("config", CONFIGS)
def test_an_adapter_comes_back_with_the_same_bits(
    tiny_folder: Path, add_trained: Trained, tmp_path: Path, ids: Tensor, config: dict[str, Any], format: Any
) -> None:
    before, after = Backbone.load(tiny_folder), Backbone.load(tiny_folder)
    add_trained(before, "a", seed=5, **config)
    before.save_adapter("a", tmp_path / "made" / "a", format)
    assert after.load_adapter(tmp_path / "made" / "a") == "a"
    assert after.adapters["a"].config == before.adapters["a"].config
    expected, got = before.adapters["a"].state_dict(), after.adapters["a"].state_dict()
    assert list(got) == list(expected)
    assert all(torch.equal(got[key], expected[key]) for key in expected)
    with torch.no_grad():
        composition = parse_composition("a")
        outs = [model(ids, composition=composition).last_hidden_state for model in (before, after)]
    assert torch.equal(*outs)


def test_a_loaded_adapter_evaluates_and_can_be_trained(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved()
    tiny.train()
    tiny.load_adapter(folder, name="b")
    assert not tiny.adapters["b"].training
    assert all(parameter.requires_grad for parameter in tiny.adapters["b"].parameters())
    assert all(parameter.device == tiny.device for parameter in tiny.adapters["b"].parameters())


def test_the_layer_norm_before_is_stored_twice_and_the_down_projection_behind_it(saved: Callable[..., Path]) -> None:
    tensors = load_file(saved(ln_before=True, ln_after=True, reduction=8) / "adapter.safetensors")
    shapes = {key.removeprefix(f"{FIRST}."): tuple(value.shape) for key, value in tensors.items() if FIRST in key}
    assert shapes == {
        "adapter_norm_before.weight": (16,), "adapter_norm_before.bias": (16,),
        "adapter_down.0.weight": (16,), "adapter_down.0.bias": (16,),
        "adapter_down.1.weight": (2, 16), "adapter_down.1.bias": (2,),
        "adapter_up.weight": (16, 2), "adapter_up.bias": (16,),
        "adapter_norm_after.weight": (16,), "adapter_norm_after.bias": (16,),
    }  # fmt: skip
    assert torch.equal(tensors[f"{FIRST}.adapter_norm_before.bias"], tensors[f"{FIRST}.adapter_down.0.bias"])


def test_two_copies_that_differ_are_refused(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved(ln_before=True)
    change_tensors(folder, lambda tensors: tensors[f"{FIRST}.adapter_down.0.bias"].add_(1))
    with pytest.raises(ModelError, match=r"1 keys stored twice with different values: \S+norm_before.bias and \S+down"):
        tiny.load_adapter(folder)


def test_missing_and_left_over_keys_are_listed_together(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved(invertible_reduction=2)

    def change(tensors: dict[str, Tensor]) -> None:
        del tensors[f"{FIRST}.adapter_up.bias"], tensors["bert.invertible_adapters.a.G.2.weight"]
        tensors[f"{FIRST}.gate.weight"] = torch.ones(1)
        tensors["bert.prefix_tunings.a.wte"] = torch.ones(1)
        tensors["bert.pooler.bias"] = torch.ones(1)

    change_tensors(folder, change)
    with pytest.raises(ModelError) as error:
        tiny.load_adapter(folder)
    assert str(error.value) == (
        "adapter 'a' in folder 'a': "
        f"2 keys missing: {FIRST}.adapter_up.bias, bert.invertible_adapters.a.G.2.weight; "
        f"3 keys left over: {FIRST}.gate.weight, bert.pooler.bias, bert.prefix_tunings.a.wte. "
        "Nothing is initialised anew and nothing is left unread"
    )


def test_a_long_list_of_keys_is_cut_and_counted(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved(attention=True, ln_before=True, ln_after=True)
    change_tensors(folder, lambda tensors: {key: value for key, value in tensors.items() if "adapter_up" in key})
    with pytest.raises(ModelError, match=r"32 keys missing: .* and 12 more\."):
        tiny.load_adapter(folder)


def test_keys_of_other_parts_are_left_where_they_are(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved()
    others = [
        f"{FIRST}2.adapter_up.bias",
        "bert.encoder.layer.0.output.adapter_fusion_layer.a,b.key.bias",
        "heads.a.1.bias",
    ]
    change_tensors(folder, lambda tensors: tensors.update({key: torch.full((1,), float("nan")) for key in others}))
    assert tiny.load_adapter(folder) == "a"


def test_a_file_with_other_adapters_only_is_refused(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved()
    change_config(folder, lambda content: content.update(name="b"))
    with pytest.raises(ModelError, match=r"adapter 'b' .* holds none of its weights, only bert\.encoder"):
        tiny.load_adapter(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(tiny: Backbone, saved: Callable[..., Path], value: float) -> None:
    folder = saved()
    change_tensors(folder, lambda tensors: tensors[f"{FIRST}.adapter_up.bias"].__setitem__(3, value))
    with pytest.raises(ModelError, match=r"1 keys with NaN or infinite values: \S+\.a\.adapter_up\.bias"):
        tiny.load_adapter(folder)


def test_weights_of_another_width_than_the_options_say_are_refused(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved(reduction=4)
    change_config(folder, lambda content: content["config"].update(reduction_factor=8))
    with pytest.raises(
        ModelError, match=r"6 keys of another shape: \S+adapter_down.0.weight is \(4, 16\), expected \(2,"
    ):
        tiny.load_adapter(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 32}, "adapter 'a' in folder 'a' is 32 wide, but the base model 16"),
        ({"model_type": "xlm-roberta"}, "is for 'xlm-roberta', but the base model is 'bert'"),
        ({"hidden_size": None}, "adapter_config.json has no hidden_size"),
        ({"name": None}, "adapter_config.json names no adapter"),
        ({"config": "pfeiffer"}, "config='pfeiffer' in adapter_config.json; expected an object"),
    ],
)
def test_files_for_another_model_are_refused(
    tiny: Backbone, saved: Callable[..., Path], change: dict[str, Any], message: str
) -> None:
    folder = saved()
    change_config(folder, lambda content: content.update(change))
    with pytest.raises(ModelError, match=message):
        tiny.load_adapter(folder)


def test_a_file_that_names_no_architecture_is_taken_for_the_base_models(
    tiny: Backbone, saved: Callable[..., Path]
) -> None:
    folder = saved()
    change_config(folder, lambda content: content.pop("model_type"))
    assert tiny.load_adapter(folder) == "a"


def test_weights_for_more_layers_than_the_model_has_are_refused(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved()
    more = FIRST.replace("layer.0", "layer.7")
    change_tensors(folder, lambda tensors: tensors.update({f"{more}.adapter_up.bias": torch.ones(16)}))
    with pytest.raises(ModelError, match="has weights for layers 7, but the base model has layers 0 to 1"):
        tiny.load_adapter(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phm_layer": True}, "phm_layer=True is not supported, only False"),
        ({"use_gating": True}, "use_gating=True is not supported"),
        ({"is_parallel": True}, "is_parallel=True is not supported"),
        ({"cross_adapter": True}, "cross_adapter=True is not supported"),
        ({"dropout": 0.1}, r"dropout=0\.1 is not supported, only 0\.0"),
        ({"stochastic_depth": 0.1}, r"stochastic_depth=0\.1 is not supported"),
        ({"architecture": "lora"}, "architecture='lora' is not supported"),
        (
            {"inv_adapter": "glow", "inv_adapter_reduction_factor": 2},
            "inv_adapter='glow' is not supported, only 'nice'",
        ),
        ({"inv_adapter": "nice"}, "inv_adapter_reduction_factor=None; expected a number above 0"),
        ({"scaling": "learned"}, "scaling='learned' is not supported, only a number"),
        ({"non_linearity": "glu"}, "non_linearity='glu' is not supported; did you mean 'gelu'"),
        ({"reduction_factor": 0}, "reduction_factor=0; expected a number above 0"),
        ({"reduction_factor": {"0": "x"}}, "expected a number above 0, or such numbers by layer"),
        ({"reduction_factor": {"0": 4}}, "reduction names neither layer 1 nor 'default'"),
        ({"residual_before_ln": "before"}, "residual_before_ln='before'; expected true, false or 'post_add'"),
        ({"residual_before_ln": "post_add", "original_ln_before": False}, "post_add needs original_ln_before"),
        ({"ln_after": "no"}, "ln_after='no'; expected true or false"),
        ({"leave_out": ["0"]}, r"leave_out=\['0'\]; expected numbers of layers"),
        ({"leave_out": [5]}, "leave_out names layer 5, but the base model has layers 0 to 1"),
        ({"new_trick": True}, "new_trick=True is no known option"),
        ({"phm_layer": True, "dropout": 0.5}, r"dropout=0\.5 .*; phm_layer=True"),
    ],
)
def test_options_that_are_not_supported_are_named(
    tiny: Backbone, saved: Callable[..., Path], change: dict[str, Any], message: str
) -> None:
    folder = saved()
    change_config(folder, lambda content: content["config"].update(change))
    with pytest.raises(ModelError, match=rf"adapter 'a' in folder 'a': .*{message}"):
        tiny.load_adapter(folder)


def test_an_option_that_must_be_there_is_missed(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved()
    change_config(folder, lambda content: [content["config"].pop(key) for key in ("mh_adapter", "non_linearity")])
    with pytest.raises(ModelError, match="mh_adapter is missing; non_linearity is missing"):
        tiny.load_adapter(folder)


def test_an_unknown_option_that_is_off_changes_nothing(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved()
    change_config(folder, lambda content: content["config"].update(new_trick=False, other=None, non_linearity="ReLU"))
    tiny.load_adapter(folder)
    assert tiny.adapters["a"].config == AdapterConfig(reduction=4)


def test_the_name_is_the_one_in_the_file_unless_told_otherwise(
    tiny: Backbone, saved: Callable[..., Path], tmp_path: Path
) -> None:
    folder = saved().rename(tmp_path / "called-otherwise")
    assert tiny.load_adapter(folder) == "a"
    assert tiny.load_adapter(folder, name="sw@2") == "sw@2"
    assert set(tiny.adapters) == {"a", "sw@2"}


@pytest.mark.parametrize(
    ("name", "why"),
    [("v1.0", "has a dot"), ("", "is empty"), ("a b", "is not made of letters")],
)
def test_names_that_cannot_be_used_are_refused_with_the_remedy(
    tiny: Backbone, saved: Callable[..., Path], name: str, why: str
) -> None:
    folder = saved()
    with pytest.raises(ConfigError, match=f"adapter name {name!r} .*{why}.*give the adapter another name .name="):
        tiny.load_adapter(folder, name=name)


def test_an_adapter_that_is_not_there_is_not_saved(tiny: Backbone, add_trained: Trained, tmp_path: Path) -> None:
    add_trained(tiny, "swahili", seed=1)
    with pytest.raises(ConfigError, match="adapter 'swahilli' is not loaded; did you mean 'swahili'"):
        tiny.save_adapter("swahilli", tmp_path / "out")
    assert not (tmp_path / "out").exists()
