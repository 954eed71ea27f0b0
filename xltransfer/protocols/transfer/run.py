"""Run a transfer study into a folder: header, plan, execution. The commands and scripts call this."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.tokenizer import load_tokenizer
from xltransfer.engine.loading import load
from xltransfer.errors import ModelError
from xltransfer.protocols.transfer.context import device_kind
from xltransfer.protocols.transfer.header import header_of
from xltransfer.protocols.transfer.plan import price
from xltransfer.protocols.transfer.wanted import Wanted
from xltransfer.protocols.transfer.work import prepare_process, work
from xltransfer.runs.executors.inline import run_inline
from xltransfer.runs.executors.ledger import OnEvent, Outcome
from xltransfer.runs.executors.processes import run_processes
from xltransfer.runs.folder import claim
from xltransfer.runs.store import Store

OnPlan = Callable[[Wanted], None]


def run_study(
    resolved: ResolvedStudy,
    folder: Path,
    *,
    workers: int | None = None,
    mixed: bool = False,
    on_event: OnEvent | None = None,
    on_plan: OnPlan | None = None,
) -> Outcome:
    """Do everything that ``resolved`` wants and ``folder`` does not have.

    Parameters
    ----------
    resolved
        The study.
    folder
        The results folder; made if absent, continued if it fits.
    workers
        Processes; None: one per GPU, or one process on a CPU. 0 runs in this process, for debugging.
    mixed
        Accept results of another device, thread count or library version beside these; such rows say so.
    on_event, on_plan
        Told of every event of a unit, and of the units before the first one starts.

    Raises
    ------
    RunFolderError
        The folder was made by another study, or in another environment without ``mixed``.
    ConfigError, DataError, ModelError
        Found before any unit starts: a corpus too short, a model without weights.
    KeyboardInterrupt
        On Ctrl-C; finished units are kept and the same call goes on with the rest.
    """
    device = device_kind(resolved.study.engine.device)
    _check_model(resolved)
    header = header_of(resolved, load_tokenizer(resolved.model))
    differing = claim(folder, header, mixed=mixed)
    store = Store(folder)
    count = workers or (torch.cuda.device_count() if device == "cuda" else 1)
    # Nominal rates are enough for the order of units and for the progress bar, which corrects itself.
    todo = price(resolved, folder, None, count).wanted
    if on_plan is not None:
        on_plan(todo)
    job = partial(work, resolved=resolved, folder=str(folder), mixed=differing)
    if workers == 0:
        before = torch.get_num_threads()
        try:
            return run_inline(todo.units, job, store, on_event)
        finally:
            torch.set_num_threads(before)
    return run_processes(
        todo.units,
        job,
        store,
        count,
        on_event,
        initialise=partial(prepare_process, device, resolved.study.engine.threads),
        threads=resolved.study.engine.threads,
    )


def _check_model(resolved: ResolvedStudy) -> None:
    """Load the base model once, so that a folder that cannot be nudged is refused before any unit starts."""
    loaded = load(resolved.model, resolved.study.base.revision)
    if loaded.masked_lm is None:
        raise ModelError(f"base model {resolved.model!r} holds no masked-LM head, so it cannot be nudged")
    if resolved.study.nudge.pooler == "reinitialise" and getattr(loaded.encoder, "pooler", None) is None:
        raise ModelError(f"nudge.pooler is 'reinitialise', but base model {resolved.model!r} holds no pooler")
