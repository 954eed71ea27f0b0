"""What a folder holds, told without a base model: for `xltransfer adapters show`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.checkpoint.combine import check_part
from xltransfer.engine.checkpoint.folder import find, part_in
from xltransfer.engine.checkpoint.layouts import layout_of
from xltransfer.engine.checkpoint.part import ADAPTER, FUSION, KINDS, Part
from xltransfer.engine.checkpoint.settings import FUSION_DEFAULTS, adapter_settings
from xltransfer.errors import ModelError

_TOLD = {"reduction_factor", "non_linearity", "leave_out", "inv_adapter", "inv_adapter_reduction_factor"}
"""Options that a description names by themselves."""


def describe(source: str | Path, revision: str | None = None) -> list[dict[str, Any]]:
    """Return a description of every part in a folder: adapter, fusion, head, as far as they are there.

    Each is a dictionary of plain values, ready for JSON. ``options`` are those that differ from Pfeiffer's adapter, or
    from the ``dynamic`` fusion. ``parameters`` counts what is stored twice once, and a decoder that is tied to the word
    embeddings not at all. ``problems`` lists why a part cannot be loaded as it stands; a file that cannot be read at
    all is an error.

    Raises
    ------
    ModelError
        See `folder.read_part`.
    """
    folder = find(source, KINDS, revision)
    return [_describe(part_in(folder, kind)) for kind in KINDS if (folder / kind.config).is_file()]


def _describe(part: Part) -> dict[str, Any]:
    content = part.content
    about: dict[str, Any] = {
        "kind": part.kind.name,
        "name": part.name,
        "model_type": content["model_type"],
        "model_name": content["model_name"],
        "hidden_size": content["hidden_size"],
        "layout": part.generation,
    }
    if part.kind is ADAPTER:
        about |= _adapter(part)
    elif part.kind is FUSION:
        about |= {"members": list(content["adapter_names"]), "layers": _layers(part)}
        about |= {"options": _unlike(part.settings, FUSION_DEFAULTS)}
    else:
        kind = part.settings.get("head_type")
        about |= {"head_type": kind, "options": _unlike(part.settings, {"head_type": kind})}
    problems: list[str] = []
    try:
        check_part(part)
    except ModelError as error:
        problems.append(str(error))
    return about | _parameters(part) | {"problems": problems}


def _adapter(part: Part) -> dict[str, Any]:
    settings = part.settings
    usual = adapter_settings(AdapterConfig())
    return {
        "layers": _layers(part),
        "leave_out": list(settings["leave_out"] or ()),
        "bottleneck": _widths(part),
        "reduction": settings.get("reduction_factor"),
        "activation": settings.get("non_linearity"),
        "invertible": None
        if not settings["inv_adapter"]
        else f"{settings['inv_adapter']}, reduction {settings['inv_adapter_reduction_factor']}",
        "options": {key: value for key, value in _unlike(settings, usual).items() if key not in _TOLD},
    }


def _unlike(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that differ from the usual ones, unknown ones too."""
    return {key: value for key, value in settings.items() if value != usual.get(key)}


def _layers(part: Part) -> dict[str, list[int]]:
    """Return the layers that have weights, by place."""
    layout = layout_of(part.content["model_type"])
    found = {place for key in part.tensors if (place := layout.place_of(key)) is not None}
    places = sorted({place for _, place in found}, reverse=True)
    return {place: sorted(layer for layer, at in found if at == place) for place in places}


def _widths(part: Part) -> list[int]:
    """Return the widths of the bottlenecks that occur."""
    ends = (".adapter_down.0.weight", ".adapter_down.1.weight")
    return sorted({len(value) for key, value in part.tensors.items() if key.endswith(ends) and value.dim() == 2})


def _parameters(part: Part) -> dict[str, int]:
    """Count numbers in the file; those that it stores twice, or that are the model's own, once or not at all."""
    counted = _counted(part)
    biases = sum(value.numel() for key, value in counted.items() if key.endswith(".bias"))
    whole = sum(value.numel() for value in counted.values())
    return {"parameters": whole, "parameters_without_biases": whole - biases}


def _counted(part: Part) -> Mapping[str, Tensor]:
    if part.kind is ADAPTER and part.settings.get("ln_before"):
        return {key: value for key, value in part.tensors.items() if ".adapter_norm_before." not in key}
    tied = f"heads.{part.name}.3.weight" if part.settings.get("head_type") == "masked_lm" else None
    return {key: value for key, value in part.tensors.items() if key != tied}
