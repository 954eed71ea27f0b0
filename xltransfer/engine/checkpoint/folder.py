"""From a path or a hub id to a part: find the folder, read its two files, bring them into the current layout."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from xltransfer.engine.checkpoint import legacy
from xltransfer.engine.checkpoint.layouts import Base, layout_of
from xltransfer.engine.checkpoint.part import KINDS, Kind, Part, is_of_another
from xltransfer.errors import ModelError

DEPTH = 2
"""How many folders below the given one are searched for parts."""


def read_part(source: str | Path, kind: Kind, base: Base | None = None, revision: str | None = None) -> Part:
    """Read one adapter, fusion or head, of any generation of AdapterHub's format.

    Parameters
    ----------
    source
        Folder, hub id (``owner/name``), or a folder inside a hub repository (``owner/name/folder``).
    kind
        What is wanted; files of other kinds in the same folder are not looked at.
    base
        The model that it is for, if there is one: architecture and hidden size must be the same.
    revision
        Of the hub repository.

    Raises
    ------
    ModelError
        No such folder; none or several parts in it; a file that cannot be read; another architecture or hidden size.
    """
    folder = find(source, (kind,), revision)
    return part_in(folder, kind, base)


def part_in(folder: Path, kind: Kind, base: Base | None = None) -> Part:
    """As `read_part`, from the folder that holds the files itself."""
    content = _read_content(folder, kind)
    what = f"{kind.name} {content['name']!r} in folder {folder.name!r}"
    model_type = _model_type(what, content, base)
    tensors = legacy.current_keys(_read_tensors(folder, kind), layout_of(model_type).prefix, what)
    own = {key: value for key, value in tensors.items() if not is_of_another(key, kind, content["name"])}
    if not own:
        others = sorted(tensors)[:3]
        raise ModelError(f"{what}: the file holds none of its weights, only {', '.join(others) or 'nothing'}")
    generation = legacy.generation(kind, content, own)
    content = legacy.current_content(kind, {**content, "model_type": model_type}, own, what)
    return Part(kind, content, {key: value.float() for key, value in own.items()}, folder.name, generation)


def find(source: str | Path, kinds: Sequence[Kind], revision: str | None = None) -> Path:
    """Return the folder of ``source`` that holds a part of ``kinds``: itself, or the only one below it that does.

    Raises
    ------
    ModelError
        No folder, no part, or several folders with parts, all of them named.
    """
    folder = _local(source, revision)
    if any((folder / kind.config).is_file() for kind in kinds):
        return folder
    patterns = [f"{'*/' * depth}{kind.config}" for kind in kinds for depth in range(1, DEPTH + 1)]
    below = sorted({path.parent for pattern in patterns for path in folder.glob(pattern)})
    wanted = " or ".join(kind.config for kind in kinds)
    if not below:
        raise ModelError(f"folder {folder.name!r} has no {wanted}, and no folder in it has; it is no AdapterHub folder")
    if len(below) > 1:
        names = [path.relative_to(folder).as_posix() for path in below]
        raise ModelError(
            f"folder {folder.name!r} holds {len(below)} parts: {', '.join(names)}; "
            f"name one of them, such as {source}/{names[0]}"
        )
    return below[0]


def _local(source: str | Path, revision: str | None) -> Path:
    """Return ``source`` where it is a folder, else the place of its snapshot from the hub."""
    folder = Path(source)
    if folder.is_dir():
        return folder
    words = str(source).split("/")
    if len(words) < 2 or not all(words):
        raise ModelError(
            f"{str(source)!r} is no folder here, and no hub id of the form owner/name or owner/name/folder"
        )
    from huggingface_hub import snapshot_download

    repository, inside = "/".join(words[:2]), "/".join(words[2:])
    files = [f"*{file}" for kind in KINDS for file in (kind.config, kind.safetensors, kind.bin)]
    try:
        snapshot = Path(snapshot_download(repository, revision=revision, allow_patterns=files))
    except Exception as error:
        raise ModelError(
            f"{str(source)!r} is no folder here, and the hub gave no repository {repository!r} "
            f"({type(error).__name__}); give an existing folder, owner/name, or owner/name/folder"
        ) from error
    if not (snapshot / inside).is_dir():
        raise ModelError(f"the hub's repository {repository!r} has no folder {inside!r} with an adapter's files")
    return snapshot / inside


def _read_content(folder: Path, kind: Kind) -> dict[str, Any]:
    try:
        content = json.loads((folder / kind.config).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"folder {folder.name!r}: {kind.config} is no readable JSON file ({error})") from error
    name = content.get("name") if isinstance(content, dict) else None
    if not isinstance(name, str) or not name:
        raise ModelError(
            f"folder {folder.name!r}: {kind.config} names no {kind.name}; heads of plain classes, which have no name, "
            "are not supported"
        )
    if not isinstance(content.get("hidden_size"), int):
        raise ModelError(f"{kind.name} {name!r} in folder {folder.name!r}: {kind.config} has no hidden_size")
    return dict(content)


def _model_type(what: str, content: dict[str, Any], base: Base | None) -> str:
    """Return the architecture that a file is for; one that says none takes the base model's."""
    found = content.get("model_type")
    if base is None:
        if not found:
            raise ModelError(f"{what}: the file says no model_type; load it into its base model instead")
        return str(found)
    if found and found != base.model_type:
        raise ModelError(f"{what} is for {found!r}, but the base model is {base.model_type!r}")
    if content["hidden_size"] != base.hidden:
        raise ModelError(f"{what} is {content['hidden_size']} wide, but the base model {base.hidden}")
    return base.model_type


def _read_tensors(folder: Path, kind: Kind) -> dict[str, Tensor]:
    for name in (kind.safetensors, kind.bin):
        if (folder / name).is_file():
            try:
                return _read_file(folder / name)
            except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
                raise ModelError(f"folder {folder.name!r}: {name} cannot be read ({type(error).__name__})") from error
    raise ModelError(f"folder {folder.name!r} has neither {kind.safetensors} nor {kind.bin} beside {kind.config}")


def _read_file(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ValueError("not a dictionary of tensors")
    return dict(tensors)
