"""Read a plain encoder and its masked-LM head from a folder or the hub, with nothing silently initialised.

``from_pretrained`` never raises on missing keys, drops the pooler when asked through a masked-LM class, keeps bfloat16
files in bfloat16 and loads NaN without a word. Here every one of these is an error or cannot happen. The masked-LM head
is read by exact key into our own module, so that encoder, pooler and head come from one file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.activations import ACT2FN

from xltransfer.engine.heads import MaskedLMHead
from xltransfer.engine.sites import Site, site_of
from xltransfer.errors import ModelError

_OLD_NORM_NAMES = {"weight": "gamma", "bias": "beta"}


@dataclass(frozen=True)
class Loaded:
    """An encoder in float32, its architecture's row, and its masked-LM head or None if the file has none."""

    encoder: nn.Module
    site: Site
    masked_lm: MaskedLMHead | None


def local_folder(model: str, revision: str | None = None) -> Path:
    """Return the folder of ``model``: itself where it exists, else a snapshot of that hub id.

    Raises
    ------
    ModelError
        When it is neither a folder nor a hub repository that can be reached or is cached.
    """
    folder = Path(model)
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=["*.json", "*.safetensors", "*.txt"]))
    except Exception as error:
        raise ModelError(
            f"model {model!r} is no folder here, and the hub gave no such repository ({type(error).__name__}); "
            "give an existing folder with config.json and weights, or a hub id"
        ) from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return all tensors of a model folder (safetensors, sharded or not, or ``pytorch_model.bin``) by key.

    Raises
    ------
    ModelError
        When the folder has no weight file.
    """
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return load_file(folder / "model.safetensors")
    if index.is_file():
        shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        return {key: tensor for shard in shards for key, tensor in load_file(folder / shard).items()}
    if (folder / "pytorch_model.bin").is_file():
        weights: dict[str, Tensor] = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
        return weights
    raise ModelError(
        f"model folder {folder.name!r} holds no weights; expected model.safetensors, "
        "model.safetensors.index.json or pytorch_model.bin beside config.json"
    )


def load(model: str, revision: str | None = None) -> Loaded:
    """Load ``model`` (folder or hub id) in float32, in evaluation mode.

    The pooler is kept where the file has one and left out where it has none; it is never made up.

    Raises
    ------
    ModelError
        Unknown architecture, no weights, missing or unread keys, wrong shapes, values that are not finite.
    """
    folder = local_folder(model, revision)
    if not (folder / "config.json").is_file():
        raise ModelError(f"model folder {folder.name!r} has no config.json; save it with save_pretrained")
    config = AutoConfig.from_pretrained(folder)
    site = site_of(config.model_type)
    weights = read_weights(folder)
    _refuse_not_finite(folder, weights)
    encoder = _encoder(folder, site, has_pooler=any(".pooler." in f".{key}" for key in weights))
    return Loaded(encoder.eval(), site, _masked_lm(folder, config, site, weights))


def _refuse_not_finite(folder: Path, weights: dict[str, Tensor]) -> None:
    bad = [key for key, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise ModelError(f"model folder {folder.name!r} holds NaN or infinite values in {', '.join(bad[:3])}")


def _encoder(folder: Path, site: Site, has_pooler: bool) -> nn.Module:
    verbosity, bars = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        encoder, info = AutoModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, add_pooling_layer=has_pooler, local_files_only=True
        )
    except RuntimeError as error:
        raise ModelError(f"model folder {folder.name!r}: {str(error).splitlines()[0]}") from error
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    problems = {
        "are missing": sorted(info["missing_keys"]),
        "have another shape": sorted(str(key) for key in info["mismatched_keys"]),
        "belong to no part of the encoder": sorted(
            key for key in info["unexpected_keys"] if not key.startswith(site.spare)
        ),
    }
    found = [f"{len(keys)} weights {what}: {', '.join(keys[:3])}" for what, keys in problems.items() if keys]
    if found:
        raise ModelError(
            f"model folder {folder.name!r} does not fit its config.json: {'; '.join(found)}. "
            "Nothing is initialised anew; save the complete model"
        )
    return encoder  # type: ignore[no-any-return]


def _masked_lm(folder: Path, config: Any, site: Site, weights: dict[str, Tensor]) -> MaskedLMHead | None:
    if f"{site.lm_dense}.weight" not in weights:
        return None
    head = MaskedLMHead(
        config.hidden_size, config.vocab_size, ACT2FN[config.hidden_act], eps=float(config.layer_norm_eps)
    )

    def tensor(key: str) -> Tensor:
        path, _, leaf = key.rpartition(".")
        old = f"{path}.{_OLD_NORM_NAMES.get(leaf, leaf)}"
        if key not in weights and old not in weights:
            raise ModelError(f"model folder {folder.name!r}: the masked-LM head lacks {key}")
        return weights[key if key in weights else old].float()

    state = {
        "dense.weight": tensor(f"{site.lm_dense}.weight"),
        "dense.bias": tensor(f"{site.lm_dense}.bias"),
        "norm.weight": tensor(f"{site.lm_norm}.weight"),
        "norm.bias": tensor(f"{site.lm_norm}.bias"),
        "bias": tensor(site.lm_bias),
    }
    decoder = weights.get(f"{site.lm_bias.rpartition('.')[0]}.decoder.weight")
    embeddings = weights[f"{site.prefix}.{site.word_embeddings}.weight"]
    if decoder is not None and not torch.equal(decoder, embeddings):
        raise ModelError(f"model folder {folder.name!r}: the masked-LM decoder is not tied to the word embeddings")
    head.load_state_dict(state)
    return head.eval()
