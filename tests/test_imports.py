"""What is imported when, and that imports go down the floors; checks of loading run in an interpreter of their own."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from mini_study import MiniStudy

PACKAGE = Path(__file__).resolve().parents[1] / "xltransfer"
FLOORS = {
    "errors": 0,
    "languages": 1,
    "randomness": 1,
    "metrics": 1,
    "rules": 1,
    "alignment": 1,
    "config": 2,
    "data": 3,
    "engine": 3,
    "tasks": 4,
    "runs": 4,
    "analysis": 5,
    "protocols": 5,
    "figures": 6,
    "report": 7,
    "cli": 8,
}
BLOCK_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, NoTorch())
"""


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["xltransfer", "xltransfer.cli.main"])
def test_package_and_command_line_load_nothing_heavy(module: str) -> None:
    heavy = {"torch", "transformers", "datasets", "pandas", "scipy", "numpy", "pyarrow"}
    loaded = python(f"import sys, {module}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))").split()
    assert not heavy & set(loaded)


def test_results_are_read_and_analysed_where_torch_cannot_be_imported(mini_study: MiniStudy) -> None:
    code = f"""{BLOCK_TORCH}
import xltransfer
from xltransfer.analysis import out_of_aggregates, rank_transfer_languages, transfer_scores
run = xltransfer.open_run({str(mini_study.folder)!r})
m = run.measurements()
ts = transfer_scores(m, out_of_aggregates=out_of_aggregates(m, run.items()))
print(len(rank_transfer_languages(ts)), run.study["name"], len(run.failures()))
"""
    ranked, name, failures = python(code).split()
    assert int(ranked) > 0
    assert (name, failures) == ("mini", "0")


def test_torch_is_really_blocked_in_that_test() -> None:
    done = subprocess.run([sys.executable, "-c", f"{BLOCK_TORCH}import torch"], capture_output=True, text=True)
    assert "torch is blocked" in done.stderr


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms that a module imports from."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} if node.module != "xltransfer" else {f"xltransfer.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    rooms = {name.split(".")[1] for name in names if name.startswith("xltransfer.")}
    return {room for room in rooms if room in FLOORS}


@pytest.mark.parametrize("room", sorted(FLOORS))
def test_a_room_imports_only_from_floors_below(room: str) -> None:
    files = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").exists() else sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for path in files:
        upward = {other for other in imported_rooms(path) - {room} if FLOORS[other] >= FLOORS[room]}
        assert not upward, f"{path.relative_to(PACKAGE)} imports {upward}"


def test_every_room_is_on_a_floor() -> None:
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__", "data_manifests"} == set(FLOORS)
