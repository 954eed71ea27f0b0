"""What happens to units while they are executed: events for the caller, failures for the folder, lines for the log."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from xltransfer.runs.failure import Failure
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

Kind = Literal["started", "done", "skipped", "failed", "retried"]
Work = Callable[[Unit], None]
"""Does one unit: writes its shards or its artefact through a :class:`Store`, and nothing else."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a unit.

    Attributes
    ----------
    kind
        ``started``, ``done``, ``skipped`` (was present), ``failed``, or ``retried`` (its worker died; it runs again).
    unit
        The unit.
    seconds
        How long it took; 0 for events that are not an end.
    error
        Class and message, empty unless failed or retried.
    """

    kind: Kind
    unit: Unit
    seconds: float = 0.0
    error: str = ""


OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Outcome:
    """What a run did: units done by it, units that were present, and the failures."""

    done: tuple[Unit, ...] = ()
    skipped: tuple[Unit, ...] = ()
    failed: tuple[Failure, ...] = ()


def stages(units: Iterable[Unit]) -> Iterator[list[Unit]]:
    """Yield the units of each stage, lowest first, each unit once, otherwise in the order given."""
    distinct = list(dict.fromkeys(units))
    for stage in sorted({unit.stage for unit in distinct}):
        yield [unit for unit in distinct if unit.stage == stage]


class Ledger:
    """Keeps the account of one run; the only place that tells callback, log and folder what happened.

    Parameters
    ----------
    store
        Where failures and the log go.
    on_event
        Called for every event, in the process that runs the executor.
    """

    def __init__(self, store: Store, on_event: OnEvent | None = None) -> None:
        self._store = store
        self._on_event = on_event
        self._done: list[Unit] = []
        self._skipped: list[Unit] = []
        self._failed: list[Failure] = []

    def admits(self, unit: Unit) -> bool:
        """Whether the unit should start now: it is not present, and the artefacts that it needs are."""
        if self._store.is_present(unit):
            self.skipped(unit)
            return False
        for need in unit.needs:
            if not self._store.artefact_path(need).exists():
                known = {failure.unit for failure in (*self._failed, *self._store.failures())}
                why = "failed" if need in known else "is neither in the folder nor among the units of this run"
                self.failed(unit, Failure.of(unit, f"needs artefact {need}, which {why}"))
                return False
        return True

    def started(self, unit: Unit) -> None:
        """The unit starts."""
        self._tell(Event("started", unit))

    def skipped(self, unit: Unit) -> None:
        """The unit was present."""
        self._skipped.append(unit)
        self._store.clear_failure(unit)
        self._tell(Event("skipped", unit))

    def ended(self, unit: Unit, seconds: float) -> None:
        """``work`` returned; the unit is done if it is present now."""
        if not self._store.is_present(unit):
            self.failed(unit, Failure.of(unit, f"work returned without writing its {unit.produces}"), seconds)
            return
        self._done.append(unit)
        self._store.clear_failure(unit)
        self._tell(Event("done", unit, seconds))

    def failed(self, unit: Unit, failure: Failure, seconds: float = 0.0) -> None:
        """The unit failed."""
        self._failed.append(failure)
        with contextlib.suppress(OSError):  # a full disk must not hide the failure: outcome and event still have it
            self._store.keep_failure(failure)
        self._tell(Event("failed", unit, seconds, str(failure)))

    def retried(self, unit: Unit, reason: str) -> None:
        """The unit's worker died; it will run once more."""
        self._tell(Event("retried", unit, error=reason))

    def outcome(self) -> Outcome:
        """Return the account."""
        return Outcome(tuple(self._done), tuple(self._skipped), tuple(self._failed))

    def _tell(self, event: Event) -> None:
        """Log the event and hand it to the caller."""
        with contextlib.suppress(OSError):  # the log is a convenience; a full disk is reported by the unit itself
            self._store.log(event=event.kind, unit=event.unit.id, seconds=event.seconds, error=event.error)
        if self._on_event is not None:
            self._on_event(event)
