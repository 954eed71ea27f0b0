"""The miniature study's data and model in an alignment study: parallel sentences, and an adapter for each language."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from mini_study import WORLD, MiniStudy

from xltransfer.data.world.world import make_world
from xltransfer.engine import Backbone
from xltransfer.engine.adapter import AdapterConfig

N = 24
"""Parallel sentences."""

MATCHED = {"name": "par", "data": [{"dataset": "par"}]}
LOOSE = {"name": "loose", "kind": "unmatched", "data": [{"dataset": "loose"}], "max_items": 10}
STATES = ["nudge", "language_adapters", "task_adapters", "language_and_task_adapters"]
EVERYTHING = {"compared": [MATCHED, LOOSE], "states": STATES, "adapters": "adapters", "max_length": 32}
"""Section ``alignment`` with translations, other texts and all states."""


def write_home(folder: Path, mini: MiniStudy) -> Path:
    """Put the miniature study's files, parallel sentences and random language adapters into a folder."""
    for name in ("world", "model"):
        (folder / name).symlink_to(mini.path.parent / name)
    world = make_world(WORLD)
    (folder / "parallel").mkdir()
    for code, lines in world.parallel(N).items():
        (folder / "parallel" / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    model = Backbone.load(folder / "model")
    for number, code in enumerate(world.codes):
        adapter = model.add_adapter(code, AdapterConfig(reduction=4))
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
        model.save_adapter(code, folder / "adapters" / code)
    return folder


def study_file(home: Path, mini: MiniStudy, alignment: Mapping[str, Any], name: str = "a.yaml", **more: Any) -> Path:
    """Write a study: the miniature one with pos only, one nudge (if that is a state), and texts to compare."""
    data = yaml.safe_load(mini.path.read_text(encoding="utf-8"))
    cells = [{"steps": 2}] if "nudge" in alignment.get("states", ["nudge"]) else []
    data |= {"protocol": "alignment", "tasks": data["tasks"][:1], "cells": cells}
    data["alignment"] = {"max_length": 32, **alignment}
    data["controls"] = {"shuffled_text": None, "random_sign": None, "noise_floor": {"precision": "float64"}}
    data["transfer"]["replicates"] = 1
    codes = [language["code"] for language in data["languages"]]
    data["datasets"] += [
        {
            "name": name,
            "title": "t",
            "source": "s",
            "licence": "l",
            "citation": "c",
            "root": "parallel",
            "reader": {"kind": "text", "held_out": 0} | extra,
            "entries": [
                {"name": f"{name}-{code}", "language": code, "files": {"test": f"{code}.txt"}} for code in codes
            ],
        }
        for name, extra in (("par", {"parallel": {"test": "mini"}}), ("loose", {}))
    ]
    path = home / name
    path.write_text(yaml.safe_dump(data | more, sort_keys=False), encoding="utf-8")
    return path
