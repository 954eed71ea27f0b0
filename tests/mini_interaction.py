"""The miniature study's data and model in an interaction study: three languages, pairs and one triple, all fusions.

``interaction_files`` is the study file, ``interaction_study`` the same with a finished results folder. Tests that write
into a results folder take a copy of it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from mini_study import MiniStudy

from xltransfer.config.load import load_study
from xltransfer.config.resolve import ResolvedStudy

SHARDS = ("measurements", "items", "artefacts", "targets")
SECTION = {
    "block": 32,
    "triples": "all",
    "fusion": ["trained", "untrained", "uniform"],
    "adapters": {"reduction": 2, "steps": 6, "batch_size": 2, "learning_rate": 0.01, "invertible": 2},
    "fusions": {"steps": 4, "batch_size": 3, "learning_rate": 0.01},
}

Rewrite = Callable[..., ResolvedStudy]


def interaction(content: dict[str, Any]) -> dict[str, Any]:
    """Return the miniature transfer study as an interaction study, with two tasks and masked-LM."""
    kept = {key: value for key, value in content.items() if key not in ("nudge", "cells", "controls")}
    corpora = {key: value for key, value in content["transfer"].items() if key != "replicates"}
    tasks = [task for task in content["tasks"] if task["name"] != "dep"]
    section = {"protocol": "interaction", "transfer": corpora, "tasks": tasks, "interaction": SECTION}
    return kept | section | {"name": "mini_interaction"}


@pytest.fixture(scope="session")
def interaction_files(mini_files: MiniStudy, tmp_path_factory: pytest.TempPathFactory) -> MiniStudy:
    """Study file beside the miniature study's data and model; nothing has been run."""
    path = mini_files.path.with_name("interaction.yaml")
    content = interaction(yaml.safe_load(mini_files.path.read_text("utf-8")))
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return MiniStudy(path, load_study(path), tmp_path_factory.mktemp("interaction") / "run")


@pytest.fixture(scope="session")
def interaction_study(interaction_files: MiniStudy) -> MiniStudy:
    """The same with its run, made in this process; every unit is done."""
    from xltransfer.protocols.interaction.run import run_study

    outcome = run_study(interaction_files.resolved, interaction_files.folder, workers=0)
    assert not outcome.failed, outcome.failed
    return interaction_files


@pytest.fixture
def rewritten(interaction_files: MiniStudy, tmp_path: Path) -> Rewrite:
    """Return the study with keys of its section ``interaction`` changed, and top-level ones under ``top``."""

    def rewrite(top: dict[str, Any] | None = None, **changes: Any) -> ResolvedStudy:
        content = yaml.safe_load(interaction_files.path.read_text("utf-8"))
        content["interaction"] |= changes
        content |= {"data_root": str(interaction_files.path.parent), **(top or {})}
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_study(path)

    return rewrite


def shards(folder: Path) -> dict[str, bytes]:
    """Return every shard of a folder by its place."""
    return {f"{kind}/{path.name}": path.read_bytes() for kind in SHARDS for path in sorted((folder / kind).iterdir())}
