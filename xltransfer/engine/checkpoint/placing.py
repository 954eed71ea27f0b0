"""Folders that appear whole or not at all: written beside the wanted place, then moved into it."""

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors.torch import save_file

from xltransfer.engine.checkpoint.part import KINDS, Part, check_name
from xltransfer.errors import ConfigError, near_match

Format = Literal["safetensors", "bin"]
FILES = {file for kind in KINDS for file in (kind.config, kind.safetensors, kind.bin)}
"""All that an AdapterHub folder holds."""


def place(parts: Sequence[Part], folder: str | Path, format: Format = "safetensors", overwrite: bool = False) -> Path:
    """Write parts of different kinds into one folder, in the current layout, and return it.

    Parameters
    ----------
    folder
        Made with its parents. It may be there and empty; it may hold an adapter, fusion or head if ``overwrite``.
    format
        Of the weights: ``safetensors``, which the reference library loads with ``use_safetensors=True``; or ``bin``,
        which it loads by default.
    overwrite
        Whether files of the same kinds are replaced. Files of other kinds stay; a folder that holds anything else is
        never touched.

    Raises
    ------
    ConfigError
        An unknown format, a folder that is not empty, a name that cannot be used.
    """
    folder = Path(folder)
    if format not in get_args(Format):
        raise ConfigError(f"format={format!r} is no format of weights{near_match(format, get_args(Format))}")
    for part in parts:
        check_name(part.kind, part.name)
    kept = _kept(folder, parts, overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:12]}.tmp"
    try:
        temporary.mkdir()
        for path in kept:
            shutil.copy2(path, temporary / path.name)
        for part in parts:
            _write(part, temporary, format)
        _swap(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _kept(folder: Path, parts: Sequence[Part], overwrite: bool) -> list[Path]:
    """Return the files of a folder that stay in it; raises `ConfigError` where it must not be touched."""
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    if (there or folder.exists() and not folder.is_dir()) and not overwrite:
        raise ConfigError(f"folder {folder.name!r} exists and is not empty; give a new one, or overwrite=True")
    foreign = [path.name for path in there if path.name not in FILES]
    if foreign or folder.exists() and not folder.is_dir():
        raise ConfigError(
            f"{folder.name!r} is no folder of adapter files only{': ' if foreign else ''}{', '.join(foreign[:3])}; "
            "it is not overwritten"
        )
    replaced = {file for part in parts for file in (part.kind.config, part.kind.safetensors, part.kind.bin)}
    return [path for path in there if path.name not in replaced]


def _write(part: Part, folder: Path, format: Format) -> None:
    text = json.dumps(part.content, indent=2, sort_keys=True)
    (folder / part.kind.config).write_text(f"{text}\n", encoding="utf-8", newline="\n")
    tensors = dict(sorted(part.tensors.items()))
    if format == "safetensors":
        save_file(tensors, folder / part.kind.safetensors)
    else:
        torch.save(tensors, folder / part.kind.bin)


def _swap(temporary: Path, folder: Path) -> None:
    """Move ``temporary`` to ``folder``; what was there before is put back where that fails."""
    old = folder.parent / f"{temporary.name}.old"
    if folder.exists():
        os.replace(folder, old)
    try:
        os.replace(temporary, folder)
    except BaseException:
        if old.exists():
            os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
