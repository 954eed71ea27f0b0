"""Every architecture's own files: heads by exact key, half precision, decoders of their own, what is left over."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import DECODERS, TINY
from torch import Tensor

from xltransfer.engine import Backbone
from xltransfer.errors import ModelError

Edit = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]


def without(key: str) -> Edit:
    return lambda tensors: {name: value for name, value in tensors.items() if name != key}


def replaced(key: str, change: Callable[[Tensor], Tensor]) -> Edit:
    return lambda tensors: {**tensors, key: change(tensors[key]).contiguous()}


def rewritten(folder: Path, edit: Edit, **settings: object) -> Path:
    """Edit the tensors and the config of a saved model where it lies."""
    tensors = dict(edit(load_file(folder / "model.safetensors")))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **settings}))
    return folder


def test_mdeberta_as_its_authors_publish_it(tmp_path: Path, ids: Tensor) -> None:
    """Half precision, pytorch_model.bin, leftovers of training, and a config that does not know of the head's kind."""
    tensors = load_file(TINY["mdeberta"].save(tmp_path / "saved") / "model.safetensors")
    half = {key: value.half() for key, value in tensors.items()}
    folder = tmp_path / "published"
    folder.mkdir()
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if key != "legacy"}))
    left_over = {"mask_predictions.dense.weight": torch.ones(16, 16).half()}
    left_over["deberta.embeddings.position_embeddings.weight"] = torch.ones(48, 16).half()
    torch.save({**half, **left_over}, folder / "pytorch_model.bin")
    theirs = TINY["mdeberta"].make()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(parameter.half())
    model = Backbone.load(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model(ids, head="masked_lm").logits, theirs(ids).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["modernbert", "llama", "qwen3"])
def test_half_precision_does_not_reach_the_rotations(tmp_path: Path, ids: Tensor, name: str) -> None:
    folder = rewritten(TINY[name].save(tmp_path), lambda t: {k: v.bfloat16() for k, v in t.items()}, dtype="bfloat16")
    theirs = TINY[name].make()
    theirs.load_state_dict({key: value.bfloat16().float() for key, value in theirs.state_dict().items()})
    got = Backbone.load(folder)(ids).last_hidden_state
    expected = theirs.get_submodule(TINY[name].encoder)(ids).last_hidden_state
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "bias, message",
    [
        ("classifier_bias", "has head.dense.bias, of which config.json says that there is none"),
        ("norm_bias", "7 weights belong to no part of the encoder: model.embeddings.norm.bias"),
    ],
)
def test_biases_of_modernberts_head_are_the_configs(tmp_path: Path, ids: Tensor, bias: str, message: str) -> None:
    folder = TINY["modernbert"].save(tmp_path / "saved", **{bias: True})
    theirs = TINY["modernbert"].make(**{bias: True})
    got = Backbone.load(folder)(ids, head="masked_lm").logits
    torch.testing.assert_close(got, theirs(ids).logits, atol=1e-5, rtol=1e-5)
    rewritten(folder, lambda tensors: tensors, **{bias: False})
    with pytest.raises(ModelError, match=message):
        Backbone.load(folder)


@pytest.mark.parametrize(
    "name, key",
    [
        ("bert", "cls.predictions.transform.dense.weight"),
        ("roberta", "lm_head.layer_norm.bias"),
        ("distilbert", "vocab_transform.weight"),
        ("mdeberta", "lm_predictions.lm_head.dense.weight"),
        ("deberta-v2", "cls.predictions.bias"),
        ("modernbert", "decoder.bias"),
    ],
)
def test_head_that_is_incomplete_or_of_another_shape(tmp_path: Path, name: str, key: str) -> None:
    folder = rewritten(TINY[name].save(tmp_path / "model"), replaced(key, lambda tensor: tensor[:3]))
    with pytest.raises(ModelError, match=f"{key} has shape \\[3.*config.json asks for"):
        Backbone.load(folder)
    rewritten(folder, without(key))
    with pytest.raises(ModelError, match=f"the masked-LM head lacks {key}"):
        Backbone.load(folder)


@pytest.mark.parametrize("name, decoder", [("distilbert", "vocab_projector"), ("modernbert", "decoder")])
def test_untied_decoders(tmp_path: Path, name: str, decoder: str) -> None:
    folder = rewritten(TINY[name].save(tmp_path / "model"), lambda tensors: tensors, tie_word_embeddings=False)
    with pytest.raises(ModelError, match=f"says that the masked-LM decoder is not tied.*lacks {decoder}.weight"):
        Backbone.load(folder)
    rewritten(folder, lambda tensors: {**tensors, f"{decoder}.weight": torch.ones(60, 16)})
    with pytest.raises(ModelError, match="the masked-LM decoder is not tied to the word embeddings"):
        Backbone.load(folder)


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_own_language_model_head_stays_unread(tmp_path: Path, name: str) -> None:
    folder = TINY[name].save(tmp_path / "model")
    assert "lm_head.weight" in load_file(folder / "model.safetensors")
    assert not any("lm_head" in key for key in Backbone.load(folder).base_parameters())
    with pytest.raises(ModelError, match="1 weights are missing: layers.1.mlp.up_proj.weight"):
        Backbone.load(rewritten(folder, without("model.layers.1.mlp.up_proj.weight")))


@pytest.mark.parametrize("name", ["distilbert", "mdeberta", "modernbert", "qwen2"])
def test_weight_of_no_part(tmp_path: Path, name: str) -> None:
    """A pooler counts as one: of these architectures none has any."""
    folder = rewritten(TINY[name].save(tmp_path), lambda tensors: {**tensors, "pooler.dense.weight": torch.ones(2)})
    with pytest.raises(ModelError, match="1 weights belong to no part of the encoder: pooler.dense.weight"):
        Backbone.load(folder)


def test_hub_id_that_cannot_be_had() -> None:
    with pytest.raises(ModelError, match="'nobody/no-such-model' is no folder here.*give an existing folder"):
        Backbone.load("nobody/no-such-model")
