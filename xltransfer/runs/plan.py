"""What is still to be done: wanted units minus present ones, by stage, with its cost. Knows no protocol."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from xltransfer.runs.executors.ledger import stages
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


@dataclass(frozen=True)
class Stage:
    """Units that may run at the same time.

    Attributes
    ----------
    number
        The stage; a stage starts when all lower ones have ended.
    units
        Its units, each once.
    """

    number: int
    units: tuple[Unit, ...]

    @property
    def cost(self) -> float:
        """Expected seconds of one worker for all units together; NaN if any is unknown."""
        return total_cost(self.units)


def wanted_minus_present(units: Iterable[Unit], store: Store) -> list[Unit]:
    """Return the units that are not present, each once, lower stages first, otherwise in the order given."""
    return [unit for stage in stages(units) for unit in stage if not store.is_present(unit)]


def by_stage(units: Iterable[Unit]) -> tuple[Stage, ...]:
    """Group units by stage, lowest first."""
    return tuple(Stage(group[0].stage, tuple(group)) for group in stages(units))


def total_cost(units: Iterable[Unit]) -> float:
    """Return the expected seconds of one worker for all units; NaN if any is unknown, 0 for no units."""
    return math.fsum(unit.cost for unit in units)


def expected_seconds(units: Iterable[Unit], workers: int) -> float:
    """Return the expected wall-clock seconds with ``workers`` workers; NaN if any unit's cost is unknown.

    Each unit of a stage goes to the worker that is free first, in the order given, as the executor does it.

    Raises
    ------
    ValueError
        If ``workers`` is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; expected at least 1")
    seconds = 0.0
    for group in stages(units):
        if any(math.isnan(unit.cost) for unit in group):
            return math.nan
        busy_until = [0.0] * workers
        for unit in group:
            free = busy_until.index(min(busy_until))
            busy_until[free] += unit.cost
        seconds += max(busy_until)
    return seconds
