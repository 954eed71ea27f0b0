"""Hand-made work functions at module level, which spawned workers and subprocesses import by name.

Run as a script it is a small program that executes units: ``runs_work.py FOLDER EXECUTOR UNITS SECONDS``.
"""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from xltransfer.runs import atomic
from xltransfer.runs.artefacts import artefact_metadata
from xltransfer.runs.cells import Cell
from xltransfer.runs.executors.inline import run_inline
from xltransfer.runs.executors.processes import run_processes
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

ITEMS = 4
HERE_PATH = str(Path(__file__).resolve().parent)


def units(count: int) -> list[Unit]:
    """Units numbered from 0 that need nothing."""
    return [Unit({"protocol": "transfer", "base": "mini", "n": n}) for n in range(count)]


def staged(count: int) -> list[Unit]:
    """An artefact and ``count`` units that need it."""
    adapter = Unit({"protocol": "transfer", "base": "mini", "adapter": "pos"}, produces="artefact")
    return [adapter, *(Unit(unit.key, needs=(adapter.id,), stage=1) for unit in units(count))]


def cell(n: int = 0, **changes: Any) -> Cell:
    """A pos cell of four items whose counts depend on ``n``: 1, 2, 2, 0 right of 2, 2, 3, 1 for n = 0."""
    fields: dict[str, Any] = {
        "task": "pos", "dataset": "ud", "target": "wol", "setting": "nudged", "shape": "pos", "transfer": "yor",
        "corpus": "bible", "steps": 10, "replicate": 0, "adapter_seed": 1, "n_items": ITEMS, "n_scored": ITEMS,
        "counts": {
            "correct": np.array([1, 2, 2, 0]) + n,
            "total": np.array([2, 2, 3, 1]) + n,
            "span_tp": np.array([1, 1, 2, 0]) + n,
            "span_fp": np.array([1, 0, 1, 1]),
            "span_fn": np.array([1, 0, 1, 0]),
            "nll": np.array([0.5, 0.25, 1.25, 2.0], dtype=np.float32),
        },
    }  # fmt: skip
    return Cell(**(fields | changes))


def score(folder: Path, unit: Unit) -> None:
    """Write one cell whose counts depend on the unit's number."""
    store = Store(folder)
    store.write_targets("pos", "ud", "wol", [f"s{n}" for n in range(ITEMS)], ["d0", "d0", "d1", "d1"])
    store.write(unit, [cell(unit.key["n"])])


def slow_score(folder: Path, seconds: float, unit: Unit) -> None:
    """Write one cell after a while, and leave the number of the process beside the folder."""
    with (folder.parent / "pids").open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    score(folder, unit)


def train_and_score(folder: Path, unit: Unit) -> None:
    """Save an artefact, or write one cell."""
    if unit.produces == "artefact":
        tensors = {"down": np.ones((2, 3), dtype=np.float32)}
        metadata = artefact_metadata(unit) | {"reduction": "16", "activation": "relu", "épochs": "5"}
        Store(folder).place_artefact(unit.id, lambda path: save_file(tensors, path, metadata=metadata))
    else:
        score(folder, unit)


def train_nothing(folder: Path, unit: Unit) -> None:
    """Fail to make the artefact."""
    if unit.produces == "artefact":
        raise RuntimeError("the loss is not finite")
    score(folder, unit)


def raise_on(folder: Path, number: int, unit: Unit) -> None:
    """Raise for one unit, with a path of this machine and a second line."""
    if unit.key["n"] == number:
        raise ValueError("cannot read '/home/someone/data/wol.conllu': line 3\nsecond line")
    score(folder, unit)


def die_on(folder: Path, number: int, unit: Unit) -> None:
    """End the worker process without a word for one unit."""
    if unit.key["n"] == number:
        os._exit(9)
    score(folder, unit)


def die_once(folder: Path, number: int, unit: Unit) -> None:
    """Be killed the first time that one unit runs."""
    mark = folder.parent / "died"
    if unit.key["n"] == number and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    score(folder, unit)


def die_after_writing(folder: Path, unit: Unit) -> None:
    """End the worker when the unit is present but not yet reported."""
    score(folder, unit)
    os._exit(3)


def die_between_shards(folder: Path, number: int, unit: Unit) -> None:
    """Be killed while the measurements of one unit are being written: items are there, a temporary file too."""
    if unit.key["n"] == number:
        whole = atomic.place_bytes

        def place_bytes(path: Path, content: bytes) -> None:
            if path.parent.name == "measurements":
                atomic.place(path, lambda temporary: _die_halfway(temporary, content))
            whole(path, content)

        atomic.place_bytes = place_bytes
    score(folder, unit)


def _die_halfway(temporary: Path, content: bytes) -> None:
    temporary.write_bytes(content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def score_threads(folder: Path, unit: Unit) -> None:
    """Fail unless the worker was started with two threads and initialised."""
    if os.environ["OMP_NUM_THREADS"] != "2" or os.environ["MKL_NUM_THREADS"] != "2" or not INITIALISED:
        raise RuntimeError("the worker was not prepared")
    score(folder, unit)


INITIALISED: list[int] = []


def initialise() -> None:
    """Note that the worker was prepared."""
    INITIALISED.append(1)


def initialise_badly() -> None:
    """A model that cannot be loaded."""
    raise FileNotFoundError("no weights")


def initialise_dying() -> None:
    """A library that takes the process down."""
    os._exit(7)


def write_nothing(unit: Unit) -> None:
    """Return as if all were well."""


def content(folder: Path) -> dict[str, bytes]:
    """Everything in a results folder that must not vary, by relative name."""
    kinds = ("items", "measurements", "artefacts", "targets")
    return {f"{kind}/{path.name}": path.read_bytes() for kind in kinds for path in sorted((folder / kind).glob("*"))}


def main(folder: Path, executor: str, count: int, seconds: float) -> int:
    """Do ``count`` units and return 0, 1 if some failed, 130 after Ctrl-C."""
    store = Store(folder)
    work = partial(slow_score, folder, seconds)
    try:
        if executor == "inline":
            outcome = run_inline(units(count), work, store)
        elif executor == "die":
            outcome = run_inline(units(count), partial(die_between_shards, folder, 2), store)
        else:
            outcome = run_processes(units(count), work, store, workers=2)
    except KeyboardInterrupt:
        return 130
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
