"""Do one unit in whatever process it is given to: the function that executors call."""

import os
from typing import TypeVar

import torch

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine.precision import precise
from xltransfer.protocols.transfer.context import Context
from xltransfer.protocols.transfer.scoring import measure
from xltransfer.protocols.transfer.training import train_adapter
from xltransfer.runs.executors.processes import WORKER_NUMBER
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

C = TypeVar("C", bound=Context)
_CONTEXTS: dict[tuple[str, str], Context] = {}
"""The last context of this process: loading a model and encoding all targets takes longer than many a unit."""


def work(unit: Unit, resolved: ResolvedStudy, folder: str, mixed: tuple[str, ...] = ()) -> None:
    """Train the unit's adapter, or make and score its model, and write what it produces into ``folder``."""
    context = context_for(resolved, folder, mixed)
    with precise(context.device, resolved.study.engine.precision):
        if unit.produces == "artefact":
            train_adapter(context, unit)
        else:
            context.store.write(unit, measure(context, unit))


def context_for(resolved: ResolvedStudy, folder: str, mixed: tuple[str, ...] = ()) -> Context:
    """Return this process's context of a study and folder, making it on first use."""
    return kept_context(Context, resolved, folder, mixed)


def kept_context(make: type[C], resolved: ResolvedStudy, folder: str, mixed: tuple[str, ...]) -> C:
    """Return this process's context of the class ``make``, making it on first use; there is one at a time."""
    key = (folder, resolved.study.model_dump_json())
    if key not in _CONTEXTS:
        torch.set_num_threads(resolved.study.engine.threads)
        _CONTEXTS.clear()
        _CONTEXTS[key] = make(resolved, Store(folder), mixed)
    kept = _CONTEXTS[key]
    assert isinstance(kept, make)
    return kept


def prepare_process(device: str, threads: int) -> None:
    """Set this worker's threads, and give it the GPU of its own number."""
    torch.set_num_threads(threads)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get(WORKER_NUMBER, "0")) % torch.cuda.device_count())
