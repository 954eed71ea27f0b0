"""Keys of every architecture, written out as ``adapters`` 1.3.0 saves them; and each of them to disk and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel

from xltransfer.engine import Backbone, parse_composition
from xltransfer.engine.checkpoint.layouts import LAYOUTS, layout_of
from xltransfer.engine.heads import TaggingHead
from xltransfer.engine.sites import SITES

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "vocab_size": 60}
DISTIL = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "vocab_size": 60}
MORE: dict[str, dict[str, Any]] = {
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False},
    "modernbert": {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
    "llama": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
}
# As saved by the library from tiny models with an adapter ``a`` at both places, fused with another one.
BERT = ("{}.encoder.layer.1.output", "{}.encoder.layer.1.attention.output", "{}.invertible_adapters")
FLAT = ("{}.1.output_adapters", "{}.1.attention_adapters")
WRITTEN = {
    "bert": tuple(words.format("bert") for words in BERT),
    "roberta": tuple(words.format("roberta") for words in BERT),
    "xlm-roberta": tuple(words.format("roberta") for words in BERT),
    "deberta-v2": tuple(words.format("deberta") for words in BERT),
    "distilbert": (*(words.format("distilbert.transformer.layer") for words in FLAT), "distilbert.invertible_adapters"),
    **{
        name: (*(words.format("model.layers") for words in FLAT), "model.invertible_adapters")
        for name in ("modernbert", "llama", "qwen2", "qwen3")
    },
}


def test_every_architecture_with_sites_has_a_layout() -> None:
    assert set(LAYOUTS) == set(SITES) == set(WRITTEN)
    assert {name: layout.prefix for name, layout in LAYOUTS.items()} == {
        name: site.prefix for name, site in SITES.items()
    }


@pytest.fixture
def model(tmp_path: Path, add_trained: Callable[..., None], request: pytest.FixtureRequest) -> Backbone:
    """A tiny random model with adapters ``a`` and ``b`` at both places, their fusion and a head ``t``."""
    kind: str = request.param
    torch.manual_seed(1)
    config = AutoConfig.for_model(kind, **(DISTIL if kind == "distilbert" else {**SIZES, **MORE.get(kind, {})}))
    AutoModel.from_config(config).save_pretrained(tmp_path / "base")
    model = Backbone.load(tmp_path / "base")
    for seed, name in enumerate("ab"):
        add_trained(model, name, seed=seed, attention=True, invertible_reduction=2)
    fusion = model.add_fusion(["a", "b"])
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    model.add_head("t", TaggingHead(16, 3, dropout=0.1))
    return model.eval()


@pytest.mark.parametrize("model", LAYOUTS, indirect=True)
def test_keys_are_the_librarys(model: Backbone, tmp_path: Path) -> None:
    output, attention, invertible = WRITTEN[model.model_type]
    model.save_adapter("a", tmp_path / "a")
    model.save_fusion("a,b", tmp_path / "f")
    adapter, fusion = load_file(tmp_path / "a" / "adapter.safetensors"), next((tmp_path / "f").glob("*.safetensors"))
    ends = [f"{part}.{leaf}" for part in ("adapter_down.0", "adapter_up") for leaf in ("bias", "weight")]
    of_layer = {f"{place}.adapters.a.{end}" for place in (output, attention) for end in ends}
    of_nice = {f"{invertible}.a.{net}.{i}.{leaf}" for net in "FG" for i in (0, 2) for leaf in ("bias", "weight")}
    assert set(adapter) == of_layer | {key.replace(".1.", ".0.", 1) for key in of_layer} | of_nice
    assert len(adapter) == 2 * 8 + 8
    projections = ("key.bias", "key.weight", "query.bias", "query.weight", "value.weight")
    assert {key for key in load_file(fusion) if ".1." in key} == {
        f"{place}.adapter_fusion_layer.a,b.{end}" for place in (output, attention) for end in projections
    }


@pytest.mark.parametrize("model", LAYOUTS, indirect=True)
def test_everything_comes_back(model: Backbone, tmp_path: Path) -> None:
    for name in "ab":
        model.save_adapter(name, tmp_path / name)
    model.save_fusion("a,b", tmp_path / "f", "bin")
    model.save_head("t", tmp_path / "t")
    again = Backbone.load(tmp_path / "base")
    loaded = [again.load_adapter(tmp_path / name) for name in "ab"]
    assert [*loaded, again.load_fusion(tmp_path / "f"), again.load_head(tmp_path / "t")] == ["a", "b", "a,b", "t"]
    ids = torch.randint(5, 60, (2, 7), generator=torch.Generator().manual_seed(3))
    for text in ("a", "Stack(a, b)", "Fuse(a, b)"):
        with torch.no_grad():
            outs = [each(ids, composition=parse_composition(text), head="t").logits for each in (model, again)]
        assert torch.equal(*outs)


@pytest.mark.parametrize("model", ["modernbert", "qwen3", "distilbert"], indirect=True)
def test_bare_encoders_leave_the_first_word_out(model: Backbone, tmp_path: Path) -> None:
    from adapter_folders import change_tensors, in_words

    model.save_adapter("a", tmp_path / "a")
    change_tensors(tmp_path / "a", in_words({layout_of(model.model_type).prefix: ""}))
    model.load_adapter(tmp_path / "a", name="again")
    before: dict[str, Any] = model.adapters["a"].state_dict()
    assert all(torch.equal(value, before[key]) for key, value in model.adapters["again"].state_dict().items())
