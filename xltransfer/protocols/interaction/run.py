"""Run an interaction study into a folder. The commands and scripts call this."""

from dataclasses import replace
from pathlib import Path

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.execution import OnPlan, Slurm, Way, run_units
from xltransfer.protocols.interaction.header import header_of
from xltransfer.protocols.interaction.plan import price
from xltransfer.protocols.interaction.wanted import wanted
from xltransfer.protocols.interaction.work import work
from xltransfer.protocols.transfer.wanted import Wanted
from xltransfer.runs.executors.ledger import OnEvent, Outcome
from xltransfer.runs.failure import Failure
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def run_study(
    resolved: ResolvedStudy,
    folder: Path,
    *,
    workers: int | None = None,
    mixed: bool = False,
    slurm: Slurm | None = None,
    on_event: OnEvent | None = None,
    on_plan: OnPlan | None = None,
) -> Outcome:
    """Do everything that ``resolved`` wants and ``folder`` does not have; see `execution.run_units`.

    A training that fails costs only what needs it: what shared its unit is trained alone, and the compositions that
    shared a unit with those that need it are scored without them, in a further round.
    """
    rounds = _Rounds(resolved, Store(folder))
    while True:
        last = run_units(
            Way(header_of, rounds.units, work),
            resolved,
            folder,
            workers=workers,
            mixed=mixed,
            slurm=slurm,
            on_event=on_event,
            on_plan=None if rounds.tried else on_plan,
        )
        if not rounds.goes_on(last):
            return rounds.outcome()


class _Rounds:
    """The account of one call: what was tried, and what became of it.

    Attributes
    ----------
    tried
        Every unit that was given to workers, by id.
    """

    def __init__(self, resolved: ResolvedStudy, store: Store) -> None:
        self.resolved, self.store = resolved, store
        self.tried: dict[str, Unit] = {}
        self._device = ""
        self._ended: list[Outcome] = []
        self._failed: dict[str, Failure] = {}
        # Grows only: a unit that failed and was split must not be put together again.
        self._known = {failure.unit for failure in store.failures()}

    def units(self, resolved: ResolvedStudy, folder: Path, workers: int, device: str) -> Wanted:
        """Return the units of the next round; trainings that failed in this call are not tried again."""
        self._device = device
        # Nominal rates are enough for the order of units and for the progress bar, which corrects itself.
        found = price(resolved, folder, None, workers, device, self._known).wanted
        units = tuple(unit for unit in found.units if not (unit.produces == "artefact" and unit.id in self._failed))
        self.tried |= {unit.id: unit for unit in units}
        return replace(found, units=units)

    def goes_on(self, last: Outcome) -> bool:
        """Take account of a round; tell whether its failures leave units that have not been tried."""
        self._ended.append(last)
        self._failed |= {failure.unit: failure for failure in last.failed}
        self._known |= self._failed.keys()
        if not last.failed:
            return False
        left = {unit.id for unit in wanted(self.resolved, self._device, self.store.present(), self._known).units}
        for unit in self._failed.keys() - left:
            # Smaller units have taken its place.
            self.store.clear_failure(self.tried[unit])
        self._failed = {unit: failure for unit, failure in self._failed.items() if unit in left}
        return bool(left - self.tried.keys())

    def outcome(self) -> Outcome:
        """Return the account of all rounds."""
        done = tuple(unit for each in self._ended for unit in each.done)
        skipped = tuple(unit for each in self._ended for unit in each.skipped)
        return Outcome(done, skipped, tuple(self._failed.values()))
