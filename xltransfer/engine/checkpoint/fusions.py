"""Fusions between `Fusion` and AdapterHub's ``adapter_fusion_config.json`` with its weights."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from xltransfer.engine.adapter import Place
from xltransfer.engine.checkpoint.adapters import refuse_layers_beyond
from xltransfer.engine.checkpoint.fill import fill, spread
from xltransfer.engine.checkpoint.layouts import Base, Layout, layout_of
from xltransfer.engine.checkpoint.part import FUSION, Part, new_content
from xltransfer.engine.checkpoint.placing import Format, place
from xltransfer.engine.checkpoint.settings import fusion_config
from xltransfer.engine.fusion import Fusion
from xltransfer.errors import ModelError


def build_fusion(part: Part, base: Base) -> Fusion:
    """Return the fusion of a part, in evaluation mode; it sits where the file has weights for it.

    Raises
    ------
    ModelError
        As `build_adapter`; fewer than two members, or one of them twice.
    """
    members = part.content["adapter_names"]
    if len(members) < 2 or len(set(members)) < len(members):
        raise ModelError(f"{part.what}: adapter_names={members!r}; expected two or more names, each once")
    layout = layout_of(base.model_type)
    refuse_layers_beyond(part, base)
    config = fusion_config(part.settings, part.what)
    fusion = Fusion(members, config, base.hidden, base.layers, _places(part, layout))
    fill(fusion, part, _keys(fusion, part.name, layout))
    return fusion.eval()


def _places(part: Part, layout: Layout) -> Sequence[Place]:
    found = {place[1] for key in part.tensors if (place := layout.place_of(key)) is not None}
    places: tuple[Place, Place] = ("output", "attention")
    # With no key of any layer, those behind the feed-forward are the ones to be missed.
    return tuple(place for place in places if place in found) or ("output",)


def fusion_part(fusion: Fusion, name: str, base: Base) -> Part:
    """Return a fusion as what its files will hold."""
    layout = layout_of(base.model_type)
    content = {**new_content(name, base, asdict(fusion.config)), "adapter_names": list(fusion.members)}
    return Part(FUSION, content, spread(fusion, _keys(fusion, name, layout)))


def write_fusion(
    fusion: Fusion,
    name: str,
    folder: str | Path,
    base: Base,
    format: Format = "safetensors",
    overwrite: bool = False,
) -> None:
    """Write a fusion's folder; see `placing.place`. The reference library loads it when the members are loaded."""
    place([fusion_part(fusion, name, base)], folder, format, overwrite)


def _keys(fusion: Fusion, name: str, layout: Layout) -> dict[str, Sequence[str]]:
    keys: dict[str, Sequence[str]] = {}
    for key in fusion.state_dict():
        part, layer, rest = key.split(".", 2)
        start = layout.layer(layer, "attention" if part == "attention" else "output", "adapter_fusion_layer", name)
        keys[key] = (start + rest,)
    return keys
