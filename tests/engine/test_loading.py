"""Nothing is silently initialised: every defect of a model folder is an error that says what is wrong."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertForMaskedLM, BertForPreTraining, BertModel, RobertaConfig, RobertaForMaskedLM

from xltransfer.engine import Backbone
from xltransfer.engine.masking import Vocabulary
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, nudge
from xltransfer.errors import ModelError

Edit = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]


@pytest.fixture
def edited(tiny_folder: Path, tmp_path: Path) -> Callable[[Edit], Path]:
    """Return a copy of the tiny model's folder with its tensors edited."""

    def make(edit: Edit) -> Path:
        folder = tmp_path / "edited"
        shutil.copytree(tiny_folder, folder)
        tensors = dict(edit(load_file(folder / "model.safetensors")))
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return make


def without(key: str) -> Edit:
    return lambda tensors: {name: value for name, value in tensors.items() if name != key}


def replaced(key: str, change: Callable[[Tensor], Tensor]) -> Edit:
    return lambda tensors: {**tensors, key: change(tensors[key]).contiguous()}


QUERY = "bert.encoder.layer.1.attention.self.query.weight"


def test_same_numbers_as_transformers_own_classes(tiny_folder: Path, ids: Tensor) -> None:
    ours, theirs = Backbone.load(tiny_folder), BertForPreTraining.from_pretrained(tiny_folder).eval()
    with torch.no_grad():
        got, expected = ours(ids, head="masked_lm"), theirs(ids)
        pooled = theirs.bert(ids).pooler_output
    torch.testing.assert_close(got.logits, expected.prediction_logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.pooler_output, pooled, atol=1e-6, rtol=1e-6)


def test_roberta_masked_lm_without_pooler(tmp_path: Path, ids: Tensor) -> None:
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=40,
    )
    theirs = RobertaForMaskedLM(config).eval()
    theirs.save_pretrained(tmp_path / "roberta")
    out = Backbone.load(tmp_path / "roberta")(ids, head="masked_lm")
    torch.testing.assert_close(out.logits, theirs(ids).logits, atol=1e-5, rtol=1e-5)
    assert out.pooler_output is None


def test_masked_lm_class_has_no_pooler_and_none_is_made_up(tiny_folder: Path, tmp_path: Path, ids: Tensor) -> None:
    BertForMaskedLM.from_pretrained(tiny_folder).save_pretrained(tmp_path / "mlm")
    model = Backbone.load(tmp_path / "mlm")
    assert model(ids).pooler_output is None
    assert not any("pooler" in name for name in model.base_parameters())


def test_plain_encoder_has_no_masked_lm_head(tiny_folder: Path, tmp_path: Path, ids: Tensor) -> None:
    BertModel.from_pretrained(tiny_folder).save_pretrained(tmp_path / "encoder")
    model = Backbone.load(tmp_path / "encoder")
    assert model.masked_lm is None and model(ids).pooler_output is not None
    with pytest.raises(ModelError, match="holds no masked-LM head, so it cannot be nudged"):
        with nudge(model, ids.numpy(), Vocabulary(60, 4, (0,)), NudgeSettings(1), NudgeSeeds(1, 2, 3, 4, 5)):
            pass


def test_folder_without_weights(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_folder / "config.json", tmp_path)
    with pytest.raises(ModelError, match="holds no weights; expected model.safetensors"):
        Backbone.load(tmp_path)


def test_folder_without_config(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_folder / "model.safetensors", tmp_path)
    with pytest.raises(ModelError, match="has no config.json; save it with save_pretrained"):
        Backbone.load(tmp_path)


@pytest.mark.parametrize("key", [QUERY, "bert.embeddings.LayerNorm.bias", "bert.pooler.dense.bias"])
def test_missing_encoder_weight(edited: Callable[[Edit], Path], key: str) -> None:
    with pytest.raises(ModelError, match=f"1 weights are missing: {key.removeprefix('bert.')}.*initialised anew"):
        Backbone.load(edited(without(key)))


@pytest.mark.parametrize("key", ["cls.predictions.transform.LayerNorm.weight", "cls.predictions.bias"])
def test_missing_masked_lm_weight(edited: Callable[[Edit], Path], key: str) -> None:
    with pytest.raises(ModelError, match=f"the masked-LM head lacks {key}"):
        Backbone.load(edited(without(key)))


def test_unknown_weight(edited: Callable[[Edit], Path]) -> None:
    with pytest.raises(ModelError, match="1 weights belong to no part of the encoder: bert.encoder.layer.7"):
        Backbone.load(edited(lambda tensors: {**tensors, "bert.encoder.layer.7.extra.weight": torch.ones(2)}))


def test_fewer_layers_in_the_config_than_in_the_file(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "short"
    shutil.copytree(tiny_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    with pytest.raises(ModelError, match="16 weights belong to no part of the encoder"):
        Backbone.load(folder)


def test_wrong_shape(edited: Callable[[Edit], Path]) -> None:
    with pytest.raises(ModelError, match="model folder 'edited'") as caught:
        Backbone.load(edited(replaced(QUERY, lambda tensor: tensor[:, :8])))
    assert "shape" in str(caught.value) or "mismatch" in str(caught.value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_value_that_is_not_finite(edited: Callable[[Edit], Path], bad: float) -> None:
    def spoil(tensor: Tensor) -> Tensor:
        tensor[0, 0] = bad
        return tensor

    with pytest.raises(ModelError, match="holds NaN or infinite values in bert.encoder.layer.1.attention.self.query"):
        Backbone.load(edited(replaced(QUERY, spoil)))


def test_bfloat16_file_becomes_float32(edited: Callable[[Edit], Path]) -> None:
    model = Backbone.load(edited(lambda tensors: {key: value.bfloat16() for key, value in tensors.items()}))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_old_names_of_layer_norms(edited: Callable[[Edit], Path], tiny: Backbone, ids: Tensor) -> None:
    def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        names = {key: key for key in tensors}
        for new, older in old.items():
            names = {key: name.replace(new, older) for key, name in names.items()}
        return {names[key]: value for key, value in tensors.items()}

    out = Backbone.load(edited(rename))(ids, head="masked_lm")
    assert torch.equal(out.logits, tiny(ids, head="masked_lm").logits)


def test_untied_decoder(edited: Callable[[Edit], Path]) -> None:
    with pytest.raises(ModelError, match="the masked-LM decoder is not tied to the word embeddings"):
        Backbone.load(edited(lambda tensors: {**tensors, "cls.predictions.decoder.weight": torch.ones(60, 16)}))


def test_decoder_bias_that_differs(edited: Callable[[Edit], Path]) -> None:
    key = "cls.predictions.decoder.bias"
    with pytest.raises(ModelError, match=f"{key} is not the same as cls.predictions.bias"):
        Backbone.load(edited(lambda tensors: {**tensors, key: torch.ones(60)}))


def test_decoder_is_the_word_embeddings_themselves(tiny: Backbone) -> None:
    names = list(tiny.base_parameters())
    assert not any("decoder" in name for name in names)
    assert len({parameter.data_ptr() for parameter in tiny.base_parameters().values()}) == len(names)


def test_unknown_architecture(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(tiny_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    for model_type, message in (
        ("gpt2", "model_type 'gpt2' has no adapter sites; known: bert, deberta-v2, .*, xlm-roberta"),
        # Transformers does not know this one either.
        ("xlm_robert", "model_type 'xlm_robert' has no adapter sites; did you mean 'xlm-roberta'"),
        (None, "model_type 'None' has no adapter sites; known: bert"),
    ):
        (folder / "config.json").write_text(json.dumps({**config, "model_type": model_type}))
        with pytest.raises(ModelError, match=message):
            Backbone.load(folder)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "'other': config.json is no JSON object"),
        ("[]", "'other': config.json is no JSON object"),
        ('{"model_type": "bert", "hidden_size": "wide"}', "'other': config.json is not valid: .*hidden_size"),
    ],
)
def test_config_that_cannot_be_read(tiny_folder: Path, tmp_path: Path, text: str, message: str) -> None:
    folder = tmp_path / "other"
    shutil.copytree(tiny_folder, folder)
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=f"(?s)model folder {message}"):
        Backbone.load(folder)


# --- kinds of files --------------------------------------------------------------------------------------------------


def test_sharded_safetensors(tiny_folder: Path, tmp_path: Path, tiny: Backbone, ids: Tensor) -> None:
    BertForPreTraining.from_pretrained(tiny_folder).save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    got, expected = Backbone.load(tmp_path)(ids, head="masked_lm"), tiny(ids, head="masked_lm")
    assert torch.equal(got.logits, expected.logits) and torch.equal(got.pooler_output, expected.pooler_output)


def as_bin(tiny_folder: Path, folder: Path, shards: int) -> Path:
    """Write the tiny model as torch.save does, in one file or with an index."""
    folder.mkdir()
    shutil.copy(tiny_folder / "config.json", folder)
    tensors = load_file(tiny_folder / "model.safetensors")
    if shards == 1:
        torch.save(tensors, folder / "pytorch_model.bin")
        return folder
    where = {key: f"pytorch_model-{number % shards}.bin" for number, key in enumerate(tensors)}
    for shard in set(where.values()):
        torch.save({key: tensors[key] for key in tensors if where[key] == shard}, folder / shard)
    index = {"metadata": {}, "weight_map": where}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize("shards", [1, 3])
def test_bin(tiny_folder: Path, tmp_path: Path, tiny: Backbone, ids: Tensor, shards: int) -> None:
    got = Backbone.load(as_bin(tiny_folder, tmp_path / "bin", shards))(ids, head="masked_lm")
    assert torch.equal(got.logits, tiny(ids, head="masked_lm").logits)


def test_missing_shard(tiny_folder: Path, tmp_path: Path) -> None:
    folder = as_bin(tiny_folder, tmp_path / "bin", 3)
    (folder / "pytorch_model-1.bin").unlink()
    with pytest.raises(ModelError, match="model folder 'bin' lacks pytorch_model-1.bin, which its .index.json names"):
        Backbone.load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_file_that_is_cut_short(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    folder = as_bin(tiny_folder, tmp_path / "bin", 1)
    whole = ((tiny_folder if name.startswith("model") else folder) / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=rf"model folder 'bin': {name} cannot be read \(\w+\); copy it anew"):
        Backbone.load(folder)


def test_hub_repository_with_a_bin_file_only(tiny_folder: Path, tmp_path: Path, ids: Tensor, monkeypatch) -> None:
    stored, asked = as_bin(tiny_folder, tmp_path / "hub", 1), []
    (stored / "pytorch_model.generator.bin").touch()

    def snapshot(model: str, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append(model)
        local = tmp_path / "cache"
        local.mkdir(exist_ok=True)
        for file in stored.iterdir():
            if any(file.match(pattern) for pattern in allow_patterns):
                shutil.copy(file, local)
        return str(local)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert Backbone.load("someone/model").masked_lm is not None
    assert asked == ["someone/model"] * 2
    assert sorted(file.name for file in (tmp_path / "cache").iterdir()) == ["config.json", "pytorch_model.bin"]
