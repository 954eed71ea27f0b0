"""Read a plain encoder and its masked-LM head from a folder or the hub, with nothing silently initialised.

``from_pretrained`` never raises on missing keys, drops the pooler when asked through a masked-LM class, keeps bfloat16
files in bfloat16 and loads NaN without a word. Here every one of these is an error or cannot happen. The masked-LM head
is read by exact key into our own module, so that encoder, pooler and head come from one file.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
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
from xltransfer.engine.sites import LMKeys, Site, site_of, value_of
from xltransfer.errors import ModelError

_SAFETENSORS = "model.safetensors"
_BIN = "pytorch_model.bin"
_TEXTS = ("*.json", "*.txt", "*.model")
_BINS = (_BIN, "pytorch_model-*.bin")


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
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=[*_TEXTS, "*.safetensors"]))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(model, revision=revision, allow_patterns=[*_TEXTS, *_BINS]))
    except Exception as error:
        raise ModelError(
            f"model {model!r} is no folder here, and the hub gave no such repository ({type(error).__name__}); "
            "give an existing folder with config.json and weights, or a hub id"
        ) from error
    return folder


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return all tensors of a model folder (safetensors or ``pytorch_model.bin``, sharded or not) by key.

    Raises
    ------
    ModelError
        When the folder has no weight file, or one that cannot be read.
    """
    for name in (_SAFETENSORS, _BIN):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return _read_file(folder / name)
        if index.is_file():
            shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
            return {key: tensor for shard in shards for key, tensor in _read_file(folder / shard).items()}
    raise ModelError(
        f"model folder {folder.name!r} holds no weights; expected {_SAFETENSORS} or {_BIN}, or the "
        ".index.json of one of them, beside config.json"
    )


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ModelError(f"model folder {path.parent.name!r} lacks {path.name}, which its .index.json names")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"model folder {path.parent.name!r}: {path.name} cannot be read ({type(error).__name__}); copy it anew"
        ) from error
    return weights


def load(model: str, revision: str | None = None) -> Loaded:
    """Load ``model`` (folder or hub id) in float32, in evaluation mode.

    The pooler is kept where the file has one and left out where it has none; it is never made up.

    Raises
    ------
    ModelError
        Unknown architecture, no weights, missing or unread keys, wrong shapes, values that are not finite.
    """
    folder = local_folder(model, revision)
    config, site = _described(folder)
    weights = read_weights(folder)
    _refuse_not_finite(folder, weights)
    encoder = _encoder(folder, config, site, weights)
    embeddings = encoder.get_submodule(site.word_embeddings).weight
    assert isinstance(embeddings, Tensor)
    return Loaded(encoder.eval(), site, _masked_lm(folder, config, site, weights, embeddings))


def _described(folder: Path) -> tuple[Any, Site]:
    """Return the folder's config, with the row's overrides, and its architecture's row."""
    if not (folder / "config.json").is_file():
        raise ModelError(f"model folder {folder.name!r} has no config.json; save it with save_pretrained")
    try:
        model_type = str(json.loads((folder / "config.json").read_text()).get("model_type"))
    except (ValueError, AttributeError) as error:
        raise ModelError(f"model folder {folder.name!r}: config.json is no JSON object ({error})") from error
    site = site_of(model_type)
    try:
        config = AutoConfig.from_pretrained(folder)
    except Exception as error:
        raise ModelError(f"model folder {folder.name!r}: config.json is not valid: {error}") from error
    for name, value in site.overrides.items():
        setattr(config, name, value)
    return config, site


def _refuse_not_finite(folder: Path, weights: dict[str, Tensor]) -> None:
    bad = [key for key, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise ModelError(f"model folder {folder.name!r} holds NaN or infinite values in {', '.join(bad[:3])}")


def _encoder(folder: Path, config: Any, site: Site, weights: dict[str, Tensor]) -> nn.Module:
    options: dict[str, object] = {}
    if site.pooler:
        options["add_pooling_layer"] = any(".pooler." in f".{key}" for key in weights)
    try:
        with _quiet():
            encoder, info = AutoModel.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                attn_implementation=site.kernel,
                output_loading_info=True,
                local_files_only=True,
                **options,
            )
    except RuntimeError as error:
        raise ModelError(f"model folder {folder.name!r}: {str(error).splitlines()[0]}") from error
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting what is checked here."""
    verbosity, bars = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _empty_head(config: Any, keys: LMKeys) -> MaskedLMHead:
    """Return a head of the shape that ``config`` and the row's ``keys`` give it; its weights are still to be read."""
    return MaskedLMHead(
        config.hidden_size,
        config.vocab_size,
        ACT2FN[value_of(keys.activation, config)],
        eps=float(value_of(keys.eps, config)),
        dense_bias=bool(value_of(keys.dense_bias, config)),
        norm_bias=bool(value_of(keys.norm_bias, config)),
    )


def _masked_lm(
    folder: Path, config: Any, site: Site, weights: dict[str, Tensor], embeddings: Tensor
) -> MaskedLMHead | None:
    keys = next(
        (row for row in site.masked_lm if any(key in weights for names in _names(row).values() for key in names)), None
    )
    if keys is None:
        return None
    head = _empty_head(config, keys)
    state = {name: _found(weights, names) for name, names in _names(keys).items()}
    problems = [*_misfits(head, keys, state), *_untied(config, keys, weights, embeddings)]
    if problems:
        raise ModelError(f"model folder {folder.name!r}: {'; '.join(problems)}")
    head.load_state_dict({name: tensor.float() for name, tensor in state.items() if tensor is not None})
    return head.eval()


def _names(keys: LMKeys) -> dict[str, tuple[str, ...]]:
    """Return each parameter of the head with the keys under which a file may have it."""
    return {
        "dense.weight": (f"{keys.dense}.weight",),
        "dense.bias": (f"{keys.dense}.bias",),
        # Files of 2018 have the names of TensorFlow's LayerNorm.
        "norm.weight": (f"{keys.norm}.weight", f"{keys.norm}.gamma"),
        "norm.bias": (f"{keys.norm}.bias", f"{keys.norm}.beta"),
        "bias": (keys.bias,),
    }


def _found(weights: dict[str, Tensor], names: tuple[str, ...]) -> Tensor | None:
    return next((weights[name] for name in names if name in weights), None)


def _misfits(head: MaskedLMHead, keys: LMKeys, state: dict[str, Tensor | None]) -> Iterator[str]:
    """Say what is missing, left over or of another shape in a head that was found."""
    wanted = head.state_dict()
    for name, (key, *_) in _names(keys).items():
        tensor = state[name]
        if name in wanted and tensor is None:
            yield f"the masked-LM head lacks {key}"
        elif name not in wanted and tensor is not None:
            yield f"the masked-LM head has {key}, of which config.json says that there is none"
        elif tensor is not None and tensor.shape != wanted[name].shape:
            yield f"{key} has shape {list(tensor.shape)}, and config.json asks for {list(wanted[name].shape)}"


def _untied(config: Any, keys: LMKeys, weights: dict[str, Tensor], embeddings: Tensor) -> Iterator[str]:
    """Say where a decoder of its own differs from the word embeddings and the bias."""
    if keys.decoder is None:
        return
    matrix, bias = weights.get(f"{keys.decoder}.weight"), weights.get(f"{keys.decoder}.bias")
    if matrix is None and not getattr(config, "tie_word_embeddings", True):
        yield f"config.json says that the masked-LM decoder is not tied, but the file lacks {keys.decoder}.weight"
    if matrix is not None and not torch.equal(matrix.float(), embeddings):
        yield "the masked-LM decoder is not tied to the word embeddings"
    if bias is not None and keys.bias in weights and not torch.equal(bias, weights[keys.bias]):
        yield f"{keys.decoder}.bias is not the same as {keys.bias}"
