"""Folders converted, averaged and described, with no base model at hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_folders import change_config, change_tensors
from safetensors.torch import load_file

from xltransfer.engine import Backbone
from xltransfer.engine.checkpoint import average, convert, describe, place
from xltransfer.engine.heads import MaskedLMHead, TaggingHead
from xltransfer.errors import ConfigError, ModelError

Save = Callable[..., Path]


@pytest.fixture
def save(tiny: Backbone, add_trained: Callable[..., None], tmp_path: Path) -> Save:
    """Write a trained adapter and return its folder, called as it."""

    def saved(name: str, seed: int = 1, **config: Any) -> Path:
        add_trained(tiny, name, seed=seed, **config)
        tiny.save_adapter(name, tmp_path / name)
        return tmp_path / name

    return saved


def test_an_older_file_converted_is_the_current_one(shared: Path, tmp_path: Path) -> None:
    goldens = shared / "goldens" / "xlmr"
    convert(goldens / "adapters_legacy" / "legacy_lang_relu", tmp_path / "out")
    got, expected = load_file(tmp_path / "out" / "adapter.safetensors"), load_file(
        goldens / "adapters" / "l1" / "adapter.safetensors"
    )  # fmt: skip
    assert sorted(got) == sorted(expected)
    assert all(torch.equal(got[key], expected[key]) for key in expected)
    content = [
        json.loads((folder / "adapter_config.json").read_text())
        for folder in (tmp_path / "out", goldens / "adapters" / "l1")
    ]
    versions = [each.pop("version") for each in content]
    assert content[0] == content[1]
    assert versions[0].startswith("xltransfer.")


def test_a_new_name_is_in_every_key_and_the_head_beside_goes_along(tiny: Backbone, save: Save, tmp_path: Path) -> None:
    folder = save("a", invertible_reduction=2)
    for name in ("a", "b"):
        tiny.add_head(name, TaggingHead(16, 3, dropout=0.1))
    tiny.save_head("a", folder, overwrite=True)
    parts = convert(folder, tmp_path / "out", "bin", name="sw")
    assert [(part.kind.name, part.name) for part in parts] == [("adapter", "sw"), ("head", "sw")]
    again = (tiny.load_adapter(tmp_path / "out"), tiny.load_head(tmp_path / "out"))
    assert again == ("sw", "sw")
    assert all(torch.equal(v, tiny.adapters["a"].state_dict()[k]) for k, v in tiny.adapters["sw"].state_dict().items())
    tiny.save_head("b", folder, overwrite=True)
    assert [part.name for part in convert(folder, tmp_path / "other", name="sw")] == ["sw", "b"]


def test_a_fusion_and_a_masked_lm_head_are_converted_too(tiny: Backbone, save: Save, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(name)
    tiny.add_fusion(["a", "b"])
    tiny.save_fusion("a,b", tmp_path / "f")
    tiny.add_head("m", MaskedLMHead(16, 60, torch.nn.GELU(), eps=1e-12))
    tiny.save_head("m", tmp_path / "m")
    convert(tmp_path / "f", tmp_path / "f2", name="mine")
    convert(tmp_path / "m", tmp_path / "m2", "bin", name="lm")
    assert (tiny.load_fusion(tmp_path / "f2"), tiny.load_head(tmp_path / "m2")) == ("mine", "lm")
    assert tiny.fusions["mine"].members == ("a", "b")


def test_what_cannot_be_read_is_not_converted(save: Save, tmp_path: Path) -> None:
    folder = save("a")
    with pytest.raises(ConfigError, match="adapter name 'a.b' .*or --name on the command line"):
        convert(folder, tmp_path / "out", name="a.b")
    with pytest.raises(ConfigError, match="folder 'a' exists and is not empty"):
        convert(folder, folder)
    change_tensors(
        folder, lambda tensors: tensors.pop("bert.encoder.layer.1.output.adapters.a.adapter_up.bias") is None
    )
    with pytest.raises(ModelError, match=r"1 keys missing: bert\.encoder\.layer\.1"):
        convert(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_mean_of_two_by_hand(tiny: Backbone, save: Save, tmp_path: Path) -> None:
    folders = [save(name, seed, invertible_reduction=2) for seed, name in enumerate("ab")]
    place([average(folders)], tmp_path / "half")
    place([average(folders, [0.75, 0.25], name="more")], tmp_path / "quarter")
    assert [tiny.load_adapter(tmp_path / name) for name in ("half", "quarter")] == ["a+b", "more"]
    a, b, half, more = (tiny.adapters[name].state_dict() for name in ("a", "b", "a+b", "more"))
    for key in a:
        torch.testing.assert_close(half[key], (a[key] + b[key]) / 2)
        torch.testing.assert_close(more[key], 0.75 * a[key] + 0.25 * b[key])
    assert tiny.adapters["more"].config == tiny.adapters["a"].config


def test_the_mean_of_equal_adapters_is_the_adapter(save: Save) -> None:
    folder = save("a")
    mean = average([folder] * 3, name="a")
    expected = load_file(folder / "adapter.safetensors")
    assert all(torch.equal(mean.tensors[key], expected[key]) for key in expected)


def test_the_order_of_adapters_does_not_matter(save: Save) -> None:
    folders = [save(name, seed) for seed, name in enumerate("abc")]
    one, other = average(folders, name="m"), average(folders[::-1], name="m")
    for key in one.tensors:
        torch.testing.assert_close(one.tensors[key], other.tensors[key], atol=1e-7, rtol=2e-7)


def test_adapters_of_different_configurations_are_not_averaged(save: Save) -> None:
    first, second = save("a"), save("b", reduction=8, activation="swish")
    with pytest.raises(ModelError) as error:
        average([first, second])
    assert str(error.value) == (
        "adapters of one configuration are averaged; these differ in reduction (a: 4, b: 8), "
        "activation (a: 'relu', b: 'swish')"
    )
    change_config(first, lambda content: content.update(model_type="roberta"))
    change_tensors(first, lambda tensors: {key.replace("bert.", "roberta.", 1): v for key, v in tensors.items()})
    with pytest.raises(ModelError, match=r"differ in model_type \(a: 'roberta', c: 'bert'\)$"):
        average([first, save("c")])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5], "has 1 numbers for 2 adapters; give one for each"),
        ([1.0, 1.0], "make 2 together; expected 1"),
        ([float("nan"), 1.0], "make nan together; expected 1"),
    ],
)
def test_weights_that_do_not_fit_are_refused(save: Save, weights: list[float], message: str) -> None:
    folder = save("a")
    with pytest.raises(ConfigError, match=message):
        average([folder, folder], weights, name="m")
    with pytest.raises(ConfigError, match="an average needs at least two adapters, got 1"):
        average([folder])


def test_a_description_by_hand(save: Save) -> None:
    folder = save("a", reduction=4, attention=True, ln_before=True, leave_out=(1,), invertible_reduction=2, scaling=0.5)
    (about,) = describe(folder)
    # Per bottleneck, 4 wide of 16: down 64 + 4, up 64 + 16, LayerNorm 16 + 16 (stored twice). NICE on halves of 8:
    # two nets of 32 + 4 and 32 + 8.
    weights, biases = 2 * (64 + 64 + 16) + 2 * (32 + 32), 2 * (4 + 16 + 16) + 2 * (4 + 8)
    assert about == {
        "kind": "adapter",
        "name": "a",
        "model_type": "bert",
        "model_name": None,
        "hidden_size": 16,
        "layout": "current",
        "layers": {"output": [0], "attention": [0]},
        "leave_out": [1],
        "bottleneck": [4],
        "reduction": 4,
        "activation": "relu",
        "invertible": "nice, reduction 2",
        "options": {"mh_adapter": True, "ln_before": True, "scaling": 0.5},
        "parameters": weights + biases,
        "parameters_without_biases": weights,
        "problems": [],
    }


def test_a_description_says_what_is_wrong(save: Save) -> None:
    folder = save("a")
    change_config(folder, lambda content: content["config"].update(phm_layer=True, leave_out=None, scaling="learned"))
    (about,) = describe(folder)
    assert about["options"] == {"phm_layer": True, "scaling": "learned"}
    assert about["problems"] == [
        "adapter 'a' in folder 'a': phm_layer=True is not supported, only False; scaling='learned' is not supported, "
        "only a number"
    ]


def test_descriptions_of_a_fusion_and_of_heads(tiny: Backbone, save: Save, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(name)
    tiny.add_fusion(["a", "b"])
    tiny.save_fusion("a,b", tmp_path / "f")
    tiny.add_head("m", MaskedLMHead(16, 60, torch.nn.GELU(), eps=1e-12))
    tiny.save_head("m", tmp_path / "m")
    (fusion,), (head,) = describe(tmp_path / "f"), describe(tmp_path / "m")
    assert (fusion["members"], fusion["layers"], fusion["options"]) == (["a", "b"], {"output": [0, 1]}, {})
    assert fusion["parameters"] == 2 * (3 * 256 + 2 * 16)
    # The decoder's 60 x 16 are the base model's.
    assert (head["head_type"], head["parameters"]) == ("masked_lm", 256 + 16 + 16 + 16 + 60)
    assert fusion["problems"] == head["problems"] == []
