"""Several worker processes on this machine, each doing one unit at a time and kept alive for many.

Every worker is watched through its process sentinel: when one dies (out of memory, a fault in native code) only its own
unit is affected, which is tried once more in a new worker and then recorded as failed. The number of workers changes
speed, never bytes, because each has the same number of threads.
"""

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any

from xltransfer.errors import UnitError
from xltransfer.runs.executors.ledger import Ledger, OnEvent, Outcome, Work, stages
from xltransfer.runs.executors.worker import BROKEN, ENDED, FAILED, serve
from xltransfer.runs.failure import Failure
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
WORKER_NUMBER = "XLTRANSFER_WORKER"
"""Environment variable of a worker: its number from 0, the smallest that no other living worker has."""
START_ATTEMPTS = 3
"""So many workers in a row may die before they are ready; then the run stops, as no unit is to blame."""
STOP_SECONDS = 10.0
"""Time that a worker has to end after it was told to."""


def run_processes(
    units: Iterable[Unit],
    work: Work,
    store: Store,
    workers: int,
    on_event: OnEvent | None = None,
    initialise: Callable[[], None] | None = None,
    threads: int = 1,
) -> Outcome:
    """Do every unit that is not present in ``workers`` spawned processes, stage by stage.

    Parameters
    ----------
    units
        The wanted units, in order of preference within a stage.
    work
        Top-level function or ``functools.partial`` of one, called with each unit in a worker.
    store
        The results folder.
    workers
        Number of processes.
    on_event
        Called in this process with every :class:`~xltransfer.runs.executors.ledger.Event`.
    initialise
        Called once in every worker before its first unit, for example to load a model.
    threads
        Threads of each worker, set in its environment before it starts.

    Raises
    ------
    ValueError
        If ``workers`` or ``threads`` is below 1.
    UnitError
        If ``initialise`` raises, or workers die before they are ready.
    KeyboardInterrupt
        On Ctrl-C, after the workers were ended; nothing half-written remains.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if value < 1:
            raise ValueError(f"{name} is {value}; expected at least 1")
    store.remove_leftovers()
    crew = _Crew(work, initialise, threads, Ledger(store, on_event), store)
    try:
        for stage in stages(units):
            crew.do(stage, workers)
        crew.dismiss()
    finally:
        crew.end()
    return crew.ledger.outcome()


@dataclass(eq=False)
class _Worker:
    """A process, our end of its pipe, and the unit that it is doing."""

    number: int
    process: SpawnProcess
    pipe: "connection.Connection[Any, Any]"
    unit: Unit | None = None
    ready: bool = False


class _Crew:
    """The workers of one run."""

    def __init__(
        self, work: Work, initialise: Callable[[], None] | None, threads: int, ledger: Ledger, store: Store
    ) -> None:
        self.ledger = ledger
        self._job = (work, initialise)
        self._threads = threads
        self._store = store
        self._workers: list[_Worker] = []
        self._queue: deque[Unit] = deque()
        self._died_with: set[Unit] = set()
        self._failed_starts = 0

    def do(self, units: list[Unit], workers: int) -> None:
        """Do all units of one stage."""
        self._queue.extend(units)
        while True:
            self._assign()
            busy = sum(worker.unit is not None for worker in self._workers)
            if not self._queue and not busy:
                return
            while len(self._workers) < min(workers, busy + len(self._queue)):
                self._start()
            self._wait()

    def dismiss(self) -> None:
        """Let idle workers end by themselves."""
        for worker in self._workers:
            with contextlib.suppress(OSError):  # it is gone already
                worker.pipe.send(None)
        for worker in self._workers:
            worker.process.join(STOP_SECONDS)

    def end(self) -> None:
        """End every worker, whatever it is doing, and remove what it was writing."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            _end(worker)
        self._workers.clear()
        self._store.remove_leftovers()

    def _assign(self) -> None:
        """Give units to ready workers; units that need no work are accounted for on the way."""
        for worker in self._workers:
            while self._queue and worker.ready and worker.unit is None and worker.process.is_alive():
                unit = self._queue.popleft()
                if not self.ledger.admits(unit):
                    continue
                worker.unit = unit
                self.ledger.started(unit)
                with contextlib.suppress(BrokenPipeError):  # it died idle: the sentinel says so next
                    worker.pipe.send(unit)

    def _start(self) -> None:
        """Start one worker."""
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, *self._job), daemon=True)
        resource_tracker.ensure_running()  # starting it would unblock the signals that are blocked here
        number = min(set(range(len(self._workers) + 1)) - {worker.number for worker in self._workers})
        variables = dict.fromkeys(THREAD_VARIABLES, str(self._threads)) | {WORKER_NUMBER: str(number)}
        with _variables(variables), _interrupts_blocked():
            process.start()
            theirs.close()
            self._workers.append(_Worker(number, process, ours))

    def _wait(self) -> None:
        """Wait until workers report or die, and account for it; a report counts even if its sender died after it."""
        waiting = [handle for worker in self._workers for handle in (worker.pipe, worker.process.sentinel)]
        signalled = set(connection.wait(waiting))
        for worker in list(self._workers):
            if not signalled & {worker.pipe, worker.process.sentinel}:
                continue
            try:
                report = worker.pipe.recv() if worker.pipe.poll() else None
            except (EOFError, OSError):
                report = None
            if report is not None:
                self._hear(worker, *report)
            else:
                self._bury(worker)

    def _hear(self, worker: _Worker, what: str, seconds: float, said: Any) -> None:
        """Account for one report."""
        if what == BROKEN:
            raise UnitError(f"a worker could not start: {said}")
        unit, worker.unit = worker.unit, None
        worker.ready, self._failed_starts = True, 0
        if unit is not None and what == ENDED:
            self.ledger.ended(unit, seconds)
        elif unit is not None and what == FAILED:
            self.ledger.failed(unit, said, seconds)

    def _bury(self, worker: _Worker) -> None:
        """Account for a dead worker: try its unit once more, then record it as failed."""
        self._workers.remove(worker)
        ending = _end(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= START_ATTEMPTS:
                raise UnitError(
                    f"{START_ATTEMPTS} workers in a row died before they were ready, the last with {ending}"
                )
        unit, reason = worker.unit, f"worker died with {ending}"
        if unit is None:
            return
        if self._store.is_present(unit):  # it died after the last file was in place
            self.ledger.ended(unit, 0.0)
        elif unit in self._died_with:
            self.ledger.failed(unit, Failure.of(unit, reason))
        else:
            self._died_with.add(unit)
            self.ledger.retried(unit, reason)
            self._queue.appendleft(unit)


def _end(worker: _Worker) -> str:
    """Wait for a worker that is ending, kill it if it does not, and return how it ended."""
    worker.process.join(STOP_SECONDS)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    code = worker.process.exitcode
    worker.pipe.close()
    worker.process.close()
    if code is not None and code < 0:
        return f"signal {-code} ({signal.Signals(-code).name})"
    return f"exit code {code}"


@contextlib.contextmanager
def _variables(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables that a child inherits, and restore ours."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Hold back Ctrl-C: a child inherits the block and so never sees it, we see it when the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
