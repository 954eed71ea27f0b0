"""One unit after the other in this process. Simple, debuggable, and what each Slurm job runs."""

import time
from collections.abc import Iterable

from xltransfer.runs.executors.ledger import Ledger, OnEvent, Outcome, Work, stages
from xltransfer.runs.failure import Failure
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def run_inline(units: Iterable[Unit], work: Work, store: Store, on_event: OnEvent | None = None) -> Outcome:
    """Do every unit that is not present, stage by stage.

    Parameters
    ----------
    units
        The wanted units, in order of preference within a stage.
    work
        Called with each unit; any exception fails the unit and the run goes on.
    store
        The results folder.
    on_event
        Called with every :class:`~xltransfer.runs.executors.ledger.Event`.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C; nothing half-written remains, and the next run continues.
    """
    store.remove_leftovers()
    ledger = Ledger(store, on_event)
    for stage in stages(units):
        for unit in stage:
            if ledger.admits(unit):
                _do(unit, work, ledger)
    return ledger.outcome()


def _do(unit: Unit, work: Work, ledger: Ledger) -> None:
    """Do one unit and account for it."""
    ledger.started(unit)
    start = time.perf_counter()
    try:
        work(unit)
    except Exception as error:
        ledger.failed(unit, Failure.of(unit, error), time.perf_counter() - start)
    else:
        ledger.ended(unit, time.perf_counter() - start)
