"""Adapters between `Adapter` and AdapterHub's ``adapter_config.json`` with its weights."""

from collections.abc import Sequence
from pathlib import Path

from xltransfer.engine.adapter import Adapter
from xltransfer.engine.checkpoint.fill import fill, spread
from xltransfer.engine.checkpoint.layouts import Base, Layout, layout_of
from xltransfer.engine.checkpoint.part import ADAPTER, Part, new_content
from xltransfer.engine.checkpoint.placing import Format, place
from xltransfer.engine.checkpoint.settings import adapter_config, adapter_settings
from xltransfer.errors import ConfigError, ModelError


def build_adapter(part: Part, base: Base) -> Adapter:
    """Return the adapter of a part, in evaluation mode.

    Raises
    ------
    ModelError
        Options that are not supported, weights for layers that the base model has not, and what `fill` refuses.
    """
    config = adapter_config(part.settings, part.what)
    layout = layout_of(base.model_type)
    refuse_layers_beyond(part, base)
    try:
        adapter = Adapter(config, base.hidden, base.layers)
    except (ConfigError, ModelError) as error:
        raise ModelError(f"{part.what}: {error}") from error
    fill(adapter, part, _keys(adapter, part.name, layout))
    return adapter.eval()


def refuse_layers_beyond(part: Part, base: Base) -> None:
    """Raise `ModelError` where a part has weights for layers that the base model has not."""
    layout = layout_of(base.model_type)
    layers = {found[0] for key in part.tensors if (found := layout.place_of(key)) is not None}
    beyond = sorted(layer for layer in layers if layer >= base.layers)
    if beyond:
        raise ModelError(
            f"{part.what} has weights for layers {', '.join(map(str, beyond))}, but the base model has layers 0 to "
            f"{base.layers - 1}"
        )


def adapter_part(adapter: Adapter, name: str, base: Base) -> Part:
    """Return an adapter as what its files will hold."""
    layout = layout_of(base.model_type)
    return Part(
        ADAPTER,
        new_content(name, base, adapter_settings(adapter.config)),
        spread(adapter, _keys(adapter, name, layout)),
    )


def write_adapter(
    adapter: Adapter,
    name: str,
    folder: str | Path,
    base: Base,
    format: Format = "safetensors",
    overwrite: bool = False,
) -> None:
    """Write an adapter's folder; see `placing.place`."""
    place([adapter_part(adapter, name, base)], folder, format, overwrite)


def _keys(adapter: Adapter, name: str, layout: Layout) -> dict[str, Sequence[str]]:
    """Return the file's keys of each parameter of ``adapter``."""
    keys: dict[str, Sequence[str]] = {}
    for key in adapter.state_dict():
        part, _, rest = key.partition(".")
        if part == "invertible":
            keys[key] = (layout.invertible(name) + rest,)
        else:
            layer, module, leaf = rest.split(".")
            start = layout.layer(layer, "attention" if part == "attention" else "output", "adapters", name)
            keys[key] = [f"{start}{word}.{leaf}" for word in _words(module, adapter.config.ln_before)]
    return keys


def _words(module: str, ln_before: bool) -> Sequence[str]:
    """Return the library's paths of a part of a bottleneck; its down-projection is a sequence."""
    paths: dict[str, Sequence[str]] = {
        "norm_before": ("adapter_norm_before", "adapter_down.0"),
        "down": ("adapter_down.1" if ln_before else "adapter_down.0",),
        "up": ("adapter_up",),
        "norm_after": ("adapter_norm_after",),
    }
    return paths[module]
