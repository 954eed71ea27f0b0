"""Fixtures shared by all tests: where the real data lies, and a quiet, offline environment."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

pytest_plugins = ["mini_study", "mini_interaction"]

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real data, goldens and a small model; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared (real data, goldens, mini-mbert) is absent")
    return SHARED
