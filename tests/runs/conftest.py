"""Makes the hand-made work functions importable, here and in spawned children, and offers folders and units."""

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).resolve().parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)  # multiprocessing hands sys.path on to its children

from runs_work import units  # noqa: E402  (needs the path above)

from xltransfer.runs.executors.inline import run_inline  # noqa: E402
from xltransfer.runs.store import Store  # noqa: E402
from xltransfer.runs.unit import Unit  # noqa: E402


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty results folder."""
    return Store(tmp_path / "run")


@pytest.fixture
def six() -> list[Unit]:
    """Six units that need nothing."""
    return units(6)


@pytest.fixture
def uninterrupted(tmp_path: Path, six: list[Unit]) -> Store:
    """A folder where the six units were done without any fault."""
    from functools import partial

    from runs_work import score

    clean = Store(tmp_path / "clean")
    run_inline(six, partial(score, clean.folder), clean)
    return clean
