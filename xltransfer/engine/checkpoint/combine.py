"""New folders out of folders, with no base model at hand: an older layout rewritten, adapters averaged."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.checkpoint.adapters import build_adapter
from xltransfer.engine.checkpoint.folder import find, part_in, read_part
from xltransfer.engine.checkpoint.fusions import build_fusion
from xltransfer.engine.checkpoint.heads import build_head
from xltransfer.engine.checkpoint.layouts import Base
from xltransfer.engine.checkpoint.part import ADAPTER, FUSION, HEAD, KINDS, Kind, Part, check_name
from xltransfer.engine.checkpoint.placing import Format, place
from xltransfer.engine.checkpoint.settings import adapter_config
from xltransfer.errors import ConfigError, ModelError

TOLERANCE = 1e-6
"""By how much the weights of an average may miss 1."""


def check_part(part: Part) -> nn.Module:
    """Return the module of a part, built for the base model that the part itself tells of; raises `ModelError`."""
    builders: dict[Kind, Callable[[Part, Base], nn.Module]] = {
        ADAPTER: build_adapter,
        FUSION: build_fusion,
        HEAD: build_head,
    }
    return builders[part.kind](part, part.base())


def convert(
    source: str | Path,
    out: str | Path,
    format: Format = "safetensors",
    name: str | None = None,
    revision: str | None = None,
) -> list[Part]:
    """Write what a folder holds (adapter, fusion, head) into a new one in the current layout; return what was written.

    Parameters
    ----------
    source
        Folder or hub id, see `folder.read_part`.
    name
        New name of the parts; default: each keeps its own. A head that is not called like the adapter beside it keeps
        its own too.

    Raises
    ------
    ModelError
        As reading does; the files are checked as far as that goes without the base model.
    ConfigError
        A folder that is not empty, a name that cannot be used.
    """
    folder = find(source, KINDS, revision)
    parts = [part_in(folder, kind) for kind in KINDS if (folder / kind.config).is_file()]
    for part in parts:
        check_part(part)
    if name is not None:
        parts = [part.renamed(name) if part.name == parts[0].name else part for part in parts]
    place(parts, out, format)
    return parts


def average(sources: Sequence[str | Path], weights: Sequence[float] | None = None, name: str | None = None) -> Part:
    """Return the weighted mean of adapters of one configuration and model, parameter by parameter.

    Parameters
    ----------
    sources
        Two or more folders or hub ids.
    weights
        One for each, together 1; default: equal ones.
    name
        Default: the adapters' names joined by ``+``.

    Raises
    ------
    ConfigError
        Fewer than two adapters, weights that do not fit, a name that cannot be used.
    ModelError
        Naming every setting in which the adapters differ; and what reading refuses.
    """
    if len(sources) < 2:
        raise ConfigError(f"an average needs at least two adapters, got {len(sources)}")
    shares = _shares(weights, len(sources))
    parts = [read_part(source, ADAPTER) for source in sources]
    name = name or "+".join(part.name for part in parts)
    check_name(ADAPTER, name)
    for part in parts:
        check_part(part)
    _refuse_mixed(parts)
    parts = [part.renamed(name) for part in parts]
    # In double precision, so that equal adapters give themselves.
    by = torch.tensor(shares, dtype=torch.float64)
    means = {
        key: torch.tensordot(by, torch.stack([part.tensors[key].double() for part in parts]), dims=1).float()
        for key in parts[0].tensors
    }
    return Part(ADAPTER, parts[0].content, means)


def _shares(weights: Sequence[float] | None, count: int) -> list[float]:
    if weights is None:
        return [1 / count] * count
    if len(weights) != count:
        raise ConfigError(f"weights={list(weights)} has {len(weights)} numbers for {count} adapters; give one for each")
    if not abs(sum(weights) - 1) <= TOLERANCE:
        raise ConfigError(f"weights={list(weights)} make {sum(weights):g} together; expected 1")
    return list(weights)


def _refuse_mixed(parts: Sequence[Part]) -> None:
    """Raise `ModelError` unless all parts are adapters of one configuration, for one model."""
    facts = [_facts(part) for part in parts]
    differing = {key for each in facts for key in each if each[key] != facts[0][key]}
    if differing:
        said = [
            f"{key} ({', '.join(f'{part.name}: {each[key]!r}' for part, each in zip(parts, facts, strict=True))})"
            for key in facts[0]
            if key in differing
        ]
        raise ModelError(f"adapters of one configuration are averaged; these differ in {', '.join(said)}")


def _facts(part: Part) -> dict[str, Any]:
    base = part.base()
    config: AdapterConfig = adapter_config(part.settings, part.what)
    return {"model_type": base.model_type, "hidden_size": base.hidden, "layers": base.layers, **asdict(config)}
