"""The worker process: waits for units, does them, reports; ends with its parent.

Spawned, so it imports everything anew; it stays alive for many units, and ``work`` may keep a loaded model in module
globals. Ctrl-C is the parent's business (a terminal sends it to the whole process group).
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import connection, parent_process
from typing import Any

from xltransfer.runs.executors.ledger import Work
from xltransfer.runs.failure import Failure
from xltransfer.runs.unit import Unit

READY, BROKEN, ENDED, FAILED = "ready", "broken", "ended", "failed"
"""What a worker reports: it may have units, it could not start, ``work`` returned, ``work`` raised."""


def serve(pipe: "connection.Connection[Any, Any]", work: Work, initialise: Callable[[], None] | None) -> None:
    """Do units from ``pipe`` until ``None`` or the end of the parent; report (what, seconds, failure or text)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        if initialise is not None:
            initialise()
    except Exception as error:
        pipe.send((BROKEN, 0.0, f"{type(error).__name__}: {error}"))
        return
    pipe.send((READY, 0.0, None))
    while (unit := _receive(pipe)) is not None:
        start = time.perf_counter()
        try:
            work(unit)
        except Exception as error:
            pipe.send((FAILED, time.perf_counter() - start, Failure.of(unit, error)))
        else:
            pipe.send((ENDED, time.perf_counter() - start, None))


def _receive(pipe: "connection.Connection[Any, Any]") -> Unit | None:
    """Return the next unit, or None when there are no more or the parent is gone."""
    try:
        unit: Unit | None = pipe.recv()
    except EOFError:
        return None
    return unit


def _end_with_parent() -> None:
    """Wait until the parent process is gone, then stop at once; a file being written never gets its name."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
