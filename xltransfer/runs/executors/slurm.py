"""Slices of units as Slurm array jobs, through submitit (extra ``slurm``).

Each job runs the inline executor on its slice, so a slice behaves as a run of its own: it skips what is present,
records failures and goes on. The run that submitted waits for the jobs of a stage before it submits the next.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xltransfer.errors import ConfigError
from xltransfer.runs.executors.inline import run_inline
from xltransfer.runs.executors.ledger import Ledger, OnEvent, Outcome, Work, stages
from xltransfer.runs.failure import Failure
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def run_slurm(
    units: Iterable[Unit],
    work: Work,
    store: Store,
    jobs: int,
    on_event: OnEvent | None = None,
    parameters: Mapping[str, Any] | None = None,
    cluster: str | None = None,
) -> Outcome:
    """Do every unit that is not present in array jobs, stage by stage.

    Parameters
    ----------
    units
        The wanted units.
    work
        Top-level function or ``functools.partial`` of one, called with each unit in a job.
    store
        The results folder, on a file system that the jobs see under the same path.
    jobs
        Number of jobs that the units of a stage are dealt to.
    on_event
        Called here; ``started`` when a unit's job is submitted, the others when the job has ended.
    parameters
        submitit's parameters, for example ``timeout_min``, ``slurm_partition``, ``cpus_per_task``.
    cluster
        submitit's executor: None asks submitit (Slurm where it is installed), ``local`` or ``debug`` need no cluster.

    Raises
    ------
    ValueError
        If ``jobs`` is below 1.
    ConfigError
        If submitit is not installed.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; expected at least 1")
    try:
        import submitit
    except ImportError as err:
        raise ConfigError(
            "the Slurm executor needs submitit; install it with: pip install 'xltransfer[slurm]'"
        ) from err
    executor = submitit.AutoExecutor(folder=store.folder / "log" / "slurm", cluster=cluster)
    executor.update_parameters(**{"name": "xltransfer", **(parameters or {})})
    store.remove_leftovers()
    ledger = Ledger(store, on_event)
    for stage in stages(units):
        wanted = [unit for unit in stage if ledger.admits(unit)]
        _run_stage(executor, deal(wanted, jobs), work, store, ledger)
    return ledger.outcome()


def deal(units: Sequence[Unit], hands: int) -> list[list[Unit]]:
    """Deal units to at most ``hands`` slices in turn, so that units that lie together (and cost alike) are spread."""
    return [list(units[start::hands]) for start in range(min(hands, len(units)))]


def run_slice(units: Sequence[Unit], work: Work, store: Store) -> Outcome:
    """Do one slice: what each job calls."""
    return run_inline(units, work, store)


def _run_stage(executor: Any, slices: list[list[Unit]], work: Work, store: Store, ledger: Ledger) -> None:
    """Submit the slices of one stage as one array, wait for them, and account for their units."""
    with executor.batch():
        jobs = [executor.submit(run_slice, units, work, store) for units in slices]
    for units in slices:
        for unit in units:
            ledger.started(unit)
    for job, units in zip(jobs, slices, strict=True):
        error = job.exception()  # waits
        failed = {} if error is not None else {failure.unit: failure for failure in job.result().failed}
        for unit in units:
            if unit.id in failed:
                ledger.failed(unit, failed[unit.id])
            elif error is None or store.is_present(unit):
                ledger.ended(unit, 0.0)
            else:
                ledger.failed(unit, Failure.of(unit, f"job {job.job_id} ended as {job.state}: {_last_line(error)}"))


def _last_line(error: BaseException) -> str:
    """Return the last line of an error: submitit's errors end with the cause, after a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" -")]
    return lines[-1] if lines else type(error).__name__
