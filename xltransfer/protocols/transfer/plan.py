"""What a study would cost: each unit's tokens, seconds and bytes, and the time of the whole on some workers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Protocol

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.base_model import refuse_base
from xltransfer.protocols.transfer.calibrate import Rates, calibrate, nominal, padded_tokens
from xltransfer.protocols.transfer.context import Context, device_kind
from xltransfer.protocols.transfer.training import training_tokens
from xltransfer.protocols.transfer.wanted import BASELINE, NOISE, Wanted, split_scorer, wanted
from xltransfer.runs.plan import expected_seconds
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


@dataclass(frozen=True)
class Row:
    """Units of one kind together: how many, tokens through the model, seconds of one worker."""

    kind: str
    units: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes
    ----------
    wanted
        The units, priced, the longest of a stage first.
    rows
        The same by kind.
    expected
        Seconds from start to end with the workers asked for.
    disk
        Bytes of the new shards.
    """

    wanted: Wanted
    rows: tuple[Row, ...]
    expected: float
    disk: int


class Prices(Protocol):
    """Tokens, seconds and bytes of units; ``start``: seconds until the first one begins."""

    @property
    def start(self) -> float: ...

    def tokens(self, unit: Unit, /) -> int: ...

    def seconds(self, unit: Unit, /) -> float: ...

    def bytes(self, unit: Unit, /) -> float: ...


class Pricer:
    """Tokens, seconds and bytes of the units of one study.

    Parameters
    ----------
    context
        Gives the encoded targets; the model is not loaded.
    rates
        Measured or nominal.
    """

    def __init__(self, context: Context, rates: Rates) -> None:
        self.context = context
        self.rates = rates
        self.start = rates.start

    def tokens(self, unit: Unit) -> int:
        """Return the padded tokens that go through the model, nudging and training included."""
        spec = self.context.study.nudge
        if unit.produces == "artefact":
            return training_tokens(self.context, str(unit.key["task"]))
        nudged = self._steps(unit) * spec.batch_size * spec.block
        return nudged + sum(count for _, count in self._scored(unit))

    def seconds(self, unit: Unit) -> float:
        """Return the expected seconds of one worker."""
        if unit.produces == "artefact":
            task = str(unit.key["task"])
            return training_tokens(self.context, task) * self.rates.train[task]
        nudged = self.rates.enter + self._steps(unit) * self.rates.step
        return nudged + sum(self.rates.score[task] * count for task, count in self._scored(unit))

    def bytes(self, unit: Unit) -> float:
        """Return the expected bytes of the unit's shards; a task adapter is not counted, it is small."""
        if unit.produces == "artefact":
            return 0.0
        return self.rates.unit_bytes + sum(
            self._passes(unit) * self.rates.item_bytes[task] * self._items(task, name)
            for task, name in self._cells(unit)
        )

    def _steps(self, unit: Unit) -> int:
        return max(int(steps) for steps in unit.key["scores"])

    def _passes(self, unit: Unit) -> int:
        # The noise floor scores everything twice; the trivial predictor is stored beside the baseline.
        return 2 if unit.key["setting"] in (NOISE, BASELINE) else 1

    def _cells(self, unit: Unit) -> list[tuple[str, str]]:
        by_steps: Mapping[str, Mapping[str, list[str]]] = unit.key["scores"]
        return [
            (split_scorer(scorer)[0], name)
            for targets in by_steps.values()
            for scorer, names in targets.items()
            for name in names
        ]

    def _scored(self, unit: Unit) -> list[tuple[str, int]]:
        passes = 2 if unit.key["setting"] == NOISE else 1
        return [(task, passes * padded_tokens(self.context, task, name)) for task, name in self._cells(unit)]

    def _items(self, task: str, name: str) -> int:
        spec = self.context.specs[task]
        source = self.context.text(task, name) if spec.adapter is None else self.context.encoded(task, name, "test")
        return len(source.items)


def make_plan(resolved: ResolvedStudy, folder: Path | None, *, workers: int = 1, seconds: float = 10.0) -> Plan:
    """Return the plan of what ``folder`` lacks (None: everything), with rates measured here for ``seconds``.

    Raises
    ------
    ConfigError, DataError, ModelError
        As the run would, before any unit starts.
    """
    refuse_base(resolved)
    device = device_kind(resolved.study.engine.device)
    return price(resolved, folder, calibrate(resolved, workers, seconds), workers, device)


def price(resolved: ResolvedStudy, folder: Path | None, rates: Rates | None, workers: int, device: str) -> Plan:
    """Return the plan for a kind of device under given ``rates`` (None: nominal ones)."""
    store = store_at(folder)
    pricer = Pricer(Context(resolved, store), rates or nominal(resolved))
    return plan_of(wanted(resolved, device, store.present()), pricer, workers, _kind)


def store_at(folder: Path | None) -> Store:
    """Return the store of a results folder; None: of one that is not there."""
    return Store(folder if folder is not None else Path(gettempdir()) / "no-such-results-folder")


def plan_of(todo: Wanted, pricer: Prices, workers: int, kind_of: Callable[[Unit], str]) -> Plan:
    """Return the plan of some units under their prices, the longest of a stage first."""
    priced = sorted(
        (replace(unit, cost=pricer.seconds(unit)) for unit in todo.units), key=lambda unit: (unit.stage, -unit.cost)
    )
    todo = replace(todo, units=tuple(priced))
    kinds: dict[str, list[Unit]] = {}
    for unit in priced:
        kinds.setdefault(kind_of(unit), []).append(unit)
    rows = tuple(
        Row(kind, len(units), sum(pricer.tokens(unit) for unit in units), sum(unit.cost for unit in units))
        for kind, units in kinds.items()
    )
    expected = pricer.start + expected_seconds(priced, workers) if priced else 0.0
    return Plan(todo, rows, expected, round(sum(pricer.bytes(unit) for unit in priced)))


def _kind(unit: Unit) -> str:
    if unit.produces == "artefact":
        return f"task adapter {unit.key['task']}"
    steps = ", ".join(f"k={steps}" for steps in unit.key["scores"] if steps != "0")
    return f"{unit.key['setting']} {steps}".strip()
