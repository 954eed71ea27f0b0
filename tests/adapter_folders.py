"""Adapter folders changed by hand, file by file, for tests of readers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

Tensors = dict[str, Tensor]


def change_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Let ``change`` edit the object in the folder's only ``*_config.json``."""
    (path,) = folder.glob("*_config.json")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def change_tensors(folder: Path, change: Callable[[Tensors], Any]) -> None:
    """Let ``change`` edit the dictionary in the folder's only weight file, or return another one."""
    (path,) = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    plain = path.suffix == ".safetensors"
    tensors = load_file(path) if plain else torch.load(path, weights_only=True)
    changed = change(tensors)
    tensors = changed if isinstance(changed, dict) else tensors
    if plain:
        save_file({key: value.clone() for key, value in tensors.items()}, path)
    else:
        torch.save(tensors, path)


def in_words(change: dict[str, str]) -> Callable[[Tensors], Tensors]:
    """Return an edit that replaces whole words of keys; a word that becomes empty is left out."""

    def renamed(tensors: Tensors) -> Tensors:
        words = {key: [change.get(word, word) for word in key.split(".")] for key in tensors}
        return {".".join(word for word in words[key] if word): value for key, value in tensors.items()}

    return renamed
