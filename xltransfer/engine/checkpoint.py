"""AdapterHub's on-disk formats of adapters and heads, read by exact key; and our own artefact of a trained task.

Folders hold ``adapter_config.json`` with ``adapter.safetensors`` or ``pytorch_adapter.bin``, and ``head_config.json``
with ``model_head.safetensors`` or ``pytorch_model_head.bin``. A key that is missing is an error; keys of other parts,
which the reference library writes along, are not read. Settings that are not implemented are refused by name.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from xltransfer.engine.adapter import Adapter, AdapterConfig
from xltransfer.errors import ModelError

_PLAIN = {
    "mh_adapter": False,
    "output_adapter": True,
    "original_ln_before": True,
    "original_ln_after": True,
    "residual_before_ln": True,
    "ln_before": False,
    "ln_after": False,
    "adapter_residual_before_ln": False,
    "is_parallel": False,
    "phm_layer": False,
    "use_gating": False,
    "cross_adapter": False,
}


def read_tensors(folder: Path, stem: str, old_stem: str) -> dict[str, Tensor]:
    """Return the tensors of ``stem``.safetensors or ``old_stem``.bin in ``folder``."""
    if (folder / f"{stem}.safetensors").is_file():
        return load_file(folder / f"{stem}.safetensors")
    if (folder / f"{old_stem}.bin").is_file():
        tensors: dict[str, Tensor] = torch.load(folder / f"{old_stem}.bin", map_location="cpu", weights_only=True)
        return tensors
    raise ModelError(f"folder {folder.name!r} has neither {stem}.safetensors nor {old_stem}.bin")


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """Return the JSON object in ``folder / name``."""
    if not (folder / name).is_file():
        raise ModelError(f"folder {folder.name!r} has no {name}; it is no AdapterHub folder of that kind")
    content: dict[str, Any] = json.loads((folder / name).read_text())
    return content


def load_adapter(folder: Path, hidden: int, layers: int, prefix: str) -> Adapter:
    """Read one adapter of AdapterHub's format.

    Raises
    ------
    ModelError
        A setting that is not implemented, another hidden size, a missing key.
    """
    content = read_config(folder, "adapter_config.json")
    settings = content["config"]
    for key, expected in _PLAIN.items():
        if settings.get(key, expected) != expected:
            raise ModelError(f"adapter {folder.name!r}: {key}={settings[key]!r} is not supported, only {expected!r}")
    if content["hidden_size"] != hidden:
        raise ModelError(f"adapter {folder.name!r} is {content['hidden_size']} wide, the base model {hidden}")
    if settings.get("inv_adapter") not in (None, "nice"):
        raise ModelError(f"adapter {folder.name!r}: inv_adapter={settings['inv_adapter']!r}; only 'nice' is supported")
    config = AdapterConfig(
        reduction=settings["reduction_factor"],
        activation=_activation(content),
        scaling=settings.get("scaling", 1.0),
        leave_out=tuple(settings.get("leave_out", ())),
        invertible_reduction=settings["inv_adapter_reduction_factor"] if settings.get("inv_adapter") else None,
    )
    adapter = Adapter(config, hidden, layers)
    tensors = read_tensors(folder, "adapter", "pytorch_adapter")
    adapter.load_state_dict(
        {ours: _pick(tensors, theirs, folder) for ours, theirs in _adapter_keys(adapter, prefix, content["name"])}
    )
    return adapter.eval()


def _activation(content: dict[str, Any]) -> str:
    """Return the activation's name; before files carried a version (2022), "gelu" was the tanh approximation."""
    name = str(content["config"]["non_linearity"])
    return name if "version" in content else {"gelu": "gelu_new", "gelu_orig": "gelu"}.get(name, name)


def _adapter_keys(adapter: Adapter, prefix: str, name: str) -> list[tuple[str, str]]:
    keys = []
    for key in adapter.state_dict():
        part, _, rest = key.partition(".")
        if part == "invertible":
            keys.append((key, f"{prefix}.invertible_adapters.{name}.{rest}"))
        else:
            layer, module, leaf = rest.split(".")
            theirs = {"down": "adapter_down.0", "up": "adapter_up"}[module]
            keys.append((key, f"{prefix}.encoder.layer.{layer}.output.adapters.{name}.{theirs}.{leaf}"))
    return keys


def _pick(tensors: dict[str, Tensor], key: str, folder: Path) -> Tensor:
    if key not in tensors:
        raise ModelError(f"folder {folder.name!r} lacks {key}; nothing is initialised anew")
    return tensors[key].float()


def load_head(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a head's configuration and its tensors, keyed without ``heads.NAME.``."""
    content = read_config(folder, "head_config.json")
    prefix = f"heads.{content['name']}."
    tensors = read_tensors(folder, "model_head", "pytorch_model_head")
    own = {key.removeprefix(prefix): value.float() for key, value in tensors.items() if key.startswith(prefix)}
    if not own:
        raise ModelError(f"folder {folder.name!r} holds no weights of head {content['name']!r}")
    return content["config"], own


def save_artefact(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write trained tensors and their description into one safetensors file; ``load_file`` of safetensors reads it."""
    save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, path, metadata=metadata)
