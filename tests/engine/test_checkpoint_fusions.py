"""Fusions to disk and back, with every option; and files that must not be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_folders import change_config, change_tensors
from torch import Tensor

from xltransfer.engine import Backbone, parse_composition
from xltransfer.engine.fusion import FusionConfig
from xltransfer.errors import ConfigError, ModelError

Trained = Callable[..., None]
FIRST = "bert.encoder.layer.0.output.adapter_fusion_layer.a,b"
CONFIGS: list[dict[str, Any]] = [
    {},
    {"value": False, "regularization": False, "value_initialized": False},
    {"key": False, "query_before_ln": True, "dropout_prob": 0.3},
    {"query": False, "residual_before": True, "temperature": True, "value_before_softmax": False, "dropout_prob": 0.0},
]


def model_with(folder: Path, add_trained: Trained, **config: Any) -> Backbone:
    """Return the tiny model with adapters ``a``, ``b`` and ``c``."""
    model = Backbone.load(folder)
    for seed, name in enumerate("abc"):
        add_trained(model, name, seed=seed, **config)
    return model


def fill(module: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3, generator=generator)


@pytest.fixture
def saved(tiny_folder: Path, add_trained: Trained, tmp_path: Path) -> Callable[..., Path]:
    """Write a fusion of ``a`` and ``b`` and return its folder."""

    def save(name: str | None = None, attention: bool = False, **config: Any) -> Path:
        model = model_with(tiny_folder, add_trained, attention=attention)
        fill(model.add_fusion(["a", "b"], FusionConfig(**config), name=name))
        model.save_fusion(name or "a,b", tmp_path / "f")
        return tmp_path / "f"

    return save


@pytest.mark.parametrize("format", ["safetensors", "bin"])
@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("config", CONFIGS)
def test_a_fusion_comes_back_with_the_same_bits(
    tiny_folder: Path,
    add_trained: Trained,
    tmp_path: Path,
    ids: Tensor,
    config: dict[str, Any],
    attention: bool,
    format: Any,
) -> None:
    before, after = (model_with(tiny_folder, add_trained, attention=attention) for _ in range(2))
    fill(before.add_fusion(["a", "b"], FusionConfig(**config)))
    before.eval()
    before.save_fusion("a,b", tmp_path / "f", format)
    assert after.load_fusion(tmp_path / "f") == "a,b"
    fusion = after.fusions["a,b"]
    assert (fusion.config, fusion.members, fusion.training) == (FusionConfig(**config), ("a", "b"), False)
    with torch.no_grad():
        composition = parse_composition("Fuse(a, b)")
        outs = [model(ids, composition=composition).last_hidden_state for model in (before, after)]
    assert torch.equal(*outs)


def test_a_fusion_with_a_name_of_its_own(tiny_folder: Path, add_trained: Trained, saved: Callable[..., Path]) -> None:
    folder = saved(name="mine")
    model = model_with(tiny_folder, add_trained)
    assert model.load_fusion(folder) == "mine"
    assert model.load_fusion(folder, name="a,b") == "a,b"
    assert set(model.fusions) == {"mine", "a,b"}
    with pytest.raises(ConfigError, match="fusion name 'a.b' .*has a dot"):
        model.load_fusion(folder, name="a.b")
    with pytest.raises(ConfigError, match=r"give the fusion another name"):
        model.load_fusion(folder, name="a(b")


def test_only_the_named_fusion_is_taken(tiny_folder: Path, add_trained: Trained, saved: Callable[..., Path]) -> None:
    folder = saved()
    longer = f"{FIRST},c"
    change_tensors(folder, lambda tensors: tensors.update({f"{longer}.key.bias": torch.ones(16)}))
    model = model_with(tiny_folder, add_trained)
    assert model.load_fusion(folder) == "a,b"
    with pytest.raises(ModelError, match=r"fusion 'a,b,c' .* keys missing: .*layer\.0\S+a,b,c\.key\.weight"):
        change_config(folder, lambda content: content.update(name="a,b,c", adapter_names=["a", "b", "c"]))
        model.load_fusion(folder)


def test_missing_and_left_over_keys_are_listed(
    tiny_folder: Path, add_trained: Trained, saved: Callable[..., Path]
) -> None:
    folder = saved(value=False)
    change_tensors(folder, lambda tensors: tensors.update({f"{FIRST}.value.weight": tensors.pop(f"{FIRST}.key.bias")}))
    model = model_with(tiny_folder, add_trained)
    with pytest.raises(ModelError, match=r"1 keys missing: \S+0\S+key\.bias; 1 keys left over: \S+0\S+value\.weight"):
        model.load_fusion(folder)
    assert not model.fusions


def test_members_that_are_not_loaded_are_named(
    tiny: Backbone, add_trained: Trained, saved: Callable[..., Path]
) -> None:
    add_trained(tiny, "a", seed=1)
    with pytest.raises(ConfigError, match="fusion member 'b' is not loaded; known: a"):
        tiny.load_fusion(saved())
    assert not tiny.fusions


def test_members_at_other_places_are_refused(
    tiny_folder: Path, add_trained: Trained, saved: Callable[..., Path]
) -> None:
    model = model_with(tiny_folder, add_trained, attention=True)
    with pytest.raises(
        ModelError, match=r"sits at \('output',\), but its members, as loaded here, at \('output', 'att"
    ):
        model.load_fusion(saved())
    assert not model.fusions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temprature": True}, "temprature=True is no known option; did you mean 'temperature'"),
        ({"key": "yes"}, "key='yes'; expected true or false"),
        ({"dropout_prob": "no"}, "dropout_prob='no'; expected a number or null"),
    ],
)
def test_options_that_cannot_be_meant_are_named(
    tiny_folder: Path, add_trained: Trained, saved: Callable[..., Path], change: dict[str, Any], message: str
) -> None:
    folder = saved()
    change_config(folder, lambda content: content["config"].update(change))
    with pytest.raises(ModelError, match=message):
        model_with(tiny_folder, add_trained).load_fusion(folder)


@pytest.mark.parametrize("members", [["a"], ["a", "a"]])
def test_members_must_be_two_or_more(
    tiny_folder: Path, add_trained: Trained, saved: Callable[..., Path], members: list[str]
) -> None:
    folder = saved()
    change_config(folder, lambda content: content.update(adapter_names=members))
    with pytest.raises(ModelError, match="expected two or more names, each once"):
        model_with(tiny_folder, add_trained).load_fusion(folder)


def test_named_configurations(tiny_folder: Path, add_trained: Trained, saved: Callable[..., Path]) -> None:
    folder = saved(**CONFIGS[1])
    change_config(folder, lambda content: content.update(config="static"))
    model = model_with(tiny_folder, add_trained)
    model.load_fusion(folder)
    assert model.fusions["a,b"].config == FusionConfig(**CONFIGS[1])
    change_config(folder, lambda content: content.update(config="dynamic"))
    with pytest.raises(ModelError, match=r"2 keys missing: \S+value\.weight"):
        model.load_fusion(folder)
