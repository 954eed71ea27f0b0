"""Run a study of any protocol into a folder: header, units, workers. A protocol says only what its units are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.tokenizer import load_tokenizer
from xltransfer.errors import ConfigError
from xltransfer.protocols.base_model import refuse_base
from xltransfer.protocols.transfer.context import device_kind
from xltransfer.protocols.transfer.wanted import Wanted
from xltransfer.protocols.transfer.work import prepare_process
from xltransfer.runs.executors.inline import run_inline
from xltransfer.runs.executors.ledger import OnEvent, Outcome
from xltransfer.runs.executors.processes import run_processes
from xltransfer.runs.executors.slurm import run_slurm
from xltransfer.runs.folder import Header, claim
from xltransfer.runs.store import Store


@dataclass(frozen=True)
class Slurm:
    """Array jobs in place of processes.

    Attributes
    ----------
    jobs
        Jobs that the units of a stage are dealt to.
    parameters
        submitit's parameters, for example ``timeout_min``, ``slurm_partition``, ``gpus_per_node``.
    cluster
        None: Slurm; ``local`` and ``debug`` are submitit's stand-ins.
    """

    jobs: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cluster: str | None = None


OnPlan = Callable[[Wanted], None]


@dataclass(frozen=True)
class Way:
    """What a protocol says about a run.

    Attributes
    ----------
    header_of
        From study, tokenizer and kind of device to the folder's header.
    units
        From study, folder, workers and kind of device to the units to do, those of a stage in order of preference.
    work
        Does one unit; called with unit, ``resolved``, ``folder`` and ``mixed``.
    """

    header_of: Callable[[ResolvedStudy, Any, str], Header]
    units: Callable[[ResolvedStudy, Path, int, str], Wanted]
    work: Callable[..., None]


def run_units(
    way: Way,
    resolved: ResolvedStudy,
    folder: Path,
    *,
    workers: int | None = None,
    mixed: bool = False,
    slurm: Slurm | None = None,
    on_event: OnEvent | None = None,
    on_plan: OnPlan | None = None,
) -> Outcome:
    """Do everything that ``resolved`` wants and ``folder`` does not have.

    Parameters
    ----------
    way
        The protocol's.
    resolved
        The study.
    folder
        The results folder; made if absent, continued if it fits.
    workers
        Processes; None: one per GPU, or one process on a CPU. 0 runs in this process, for debugging.
    mixed
        Accept results of another device, thread count or library version beside these; such rows say so.
    slurm
        Run as Slurm array jobs in place of processes here; ``engine.device`` must then say what the jobs have.
    on_event, on_plan
        Told of every event of a unit, and of the units before the first one starts.

    Raises
    ------
    RunFolderError
        The folder was made by another study, or in another environment without ``mixed``.
    ConfigError, DataError, ModelError
        Found before any unit starts: a corpus too short, lengths beyond the model's positions, no weights.
    KeyboardInterrupt
        On Ctrl-C; finished units are kept and the same call goes on with the rest.
    """
    device = _device(resolved, slurm)
    # Loaded once here, so that a folder that cannot be used is refused before any unit starts.
    refuse_base(resolved)
    header = way.header_of(resolved, load_tokenizer(resolved.model), device)
    differing = claim(folder, header, mixed=mixed)
    store = Store(folder)
    count = workers or (torch.cuda.device_count() if device == "cuda" else 1)
    todo = way.units(resolved, folder, count, device)
    if on_plan is not None:
        on_plan(todo)
    job = partial(way.work, resolved=resolved, folder=str(folder), mixed=differing)
    if slurm is not None:
        return run_slurm(todo.units, job, store, slurm.jobs, on_event, slurm.parameters, slurm.cluster)
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


def _device(resolved: ResolvedStudy, slurm: Slurm | None) -> str:
    """Return the kind of device that the units will run on."""
    setting = resolved.study.engine.device
    if slurm is None:
        return device_kind(setting)
    if setting == "auto":
        raise ConfigError("engine.device is 'auto', but Slurm's jobs may have what this machine lacks; say cpu or cuda")
    return setting
