"""A small study on disk, as plain data that a test can change before it is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def plain() -> dict[str, Any]:
    """A valid study on three small own datasets, as plain data."""
    common = {"title": "t", "source": "s", "licence": "l", "citation": "c"}
    return {
        "name": "small",
        "data_root": "data",
        "base": {"name": "tiny", "model": "models/tiny", "seen": ["eng"]},
        "datasets": [
            {
                "name": "trees",
                **common,
                "root": "ud",
                "reader": {"kind": "conllu"},
                "entries": [
                    {"name": "T-eng", "language": "eng", "files": {"train": "en.conllu", "test": "en-test.conllu"}},
                    {"name": "T-wol", "language": "wol", "files": {"test": "wo-test.conllu"}},
                ],
            },
            {
                "name": "texts",
                **common,
                "root": "text",
                "reader": {"kind": "text"},
                "entries": [
                    {"name": "x-eng", "language": "eng", "files": {"train": "eng.txt"}},
                    {"name": "x-wol", "language": "wo", "files": {"train": "wol.txt"}},
                ],
            },
        ],
        "tasks": [
            {"name": "pos", "train": [{"dataset": "trees"}], "targets": [{"dataset": "trees"}]},
            {"name": "mlm", "targets": [{"dataset": "texts"}]},
        ],
        "transfer": {"corpora": [{"dataset": "texts"}], "replicates": 2},
        "cells": [{"steps": 10}, {"steps": 1, "tasks": ["pos"], "languages": ["wol"]}],
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write a study and the (empty) files of :func:`plain`; returns the study file."""
    for name in ("ud/en.conllu", "ud/en-test.conllu", "ud/wo-test.conllu", "text/eng.txt", "text/wol.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "data" / "models" / "tiny").mkdir(parents=True)

    def write_study(data: dict[str, Any]) -> Path:
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return path

    return write_study
