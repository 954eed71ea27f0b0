"""What an interaction study would cost: each unit's tokens, seconds and bytes, and the time of the whole.

38 languages have 703 pairs and 8,436 triples; a trained fusion of mBERT is 85 MB, so what is stored counts as well.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.base_model import refuse_base
from xltransfer.protocols.interaction.calibrate import Rates, calibrate, nominal
from xltransfer.protocols.interaction.compositions import language_of, mixes
from xltransfer.protocols.interaction.context import InteractionContext
from xltransfer.protocols.interaction.training import adapter_settings
from xltransfer.protocols.interaction.wanted import ADAPTERS, COMPOSITIONS, FUSIONS, members_of, mixes_of, wanted
from xltransfer.protocols.transfer.calibrate import padded_tokens
from xltransfer.protocols.transfer.context import device_kind
from xltransfer.protocols.transfer.plan import Plan, Row, plan_of, store_at
from xltransfer.protocols.transfer.training import training_tokens
from xltransfer.protocols.transfer.wanted import split_scorer
from xltransfer.runs.unit import Unit


class Pricer:
    """Tokens, seconds and bytes of the units of one study.

    Parameters
    ----------
    context
        Gives the encoded targets and the texts; the model is not loaded.
    rates
        Measured or nominal.
    """

    def __init__(self, context: InteractionContext, rates: Rates) -> None:
        self.context = context
        self.rates = rates
        self.start = rates.start
        # A study of 38 languages asks for each of them some thousand times.
        self._training_tokens = cache(partial(training_tokens, context))
        self._padded_tokens = cache(partial(padded_tokens, context))
        self._items = cache(self._count_items)
        self._steps = cache(self._adapter_steps)

    def tokens(self, unit: Unit) -> int:
        """Return the padded tokens that go through the model."""
        kind = unit.key["kind"]
        if kind in (ADAPTERS, FUSIONS):
            return sum(self._trained(unit).values())
        if unit.produces == "artefact":
            return self._training_tokens(str(unit.key["task"]))
        return self._times(unit) * sum(tokens for _, tokens in self._scored(unit))

    def seconds(self, unit: Unit) -> float:
        """Return the expected seconds of one worker."""
        kind, rates = unit.key["kind"], self.rates
        if kind in (ADAPTERS, FUSIONS):
            rate = {1: rates.adapters, **rates.fusions}
            return sum(tokens * rate[len(members)] for members, tokens in self._trained(unit).items())
        if unit.produces == "artefact":
            return self._training_tokens(str(unit.key["task"])) * rates.train[str(unit.key["task"])]
        # The task adapters alone cost what one language adapter costs, nearly.
        sizes = [len(mix.members) for mix in mixes_of(unit)] if kind == COMPOSITIONS else [1]
        return sum(tokens * rates.score[task, size] for size in sizes for task, tokens in self._scored(unit))

    def bytes(self, unit: Unit) -> float:
        """Return the expected bytes of what the unit writes; a task adapter is not counted, it is small."""
        if unit.key["kind"] in (ADAPTERS, FUSIONS):
            return sum(self.rates.artefact_bytes[len(members)] for members in members_of(unit))
        if unit.produces == "artefact":
            return 0.0
        stored = sum(self.rates.item_bytes[task] * self._items(task, name) for task, name in self._cells(unit))
        # The trivial predictor is stored beside the task adapters alone.
        return self.rates.unit_bytes + stored * (self._times(unit) if unit.key["kind"] == COMPOSITIONS else 2)

    def _trained(self, unit: Unit) -> dict[tuple[str, ...], int]:
        """Return the tokens that each member's or fusion's training takes."""
        spec = self.context.study.interaction
        if unit.key["kind"] == FUSIONS:
            tokens = spec.fusions.steps * spec.fusions.batch_size * spec.block
            return dict.fromkeys(members_of(unit), tokens)
        batch = spec.adapters.batch_size * spec.block
        return {members: self._steps(language_of(members[0])) * batch for members in members_of(unit)}

    def _adapter_steps(self, language: str) -> int:
        return adapter_settings(self.context).descent(len(self.context.corpora[language])).steps

    def _times(self, unit: Unit) -> int:
        return len(unit.key["compositions"]) if unit.key["kind"] == COMPOSITIONS else 1

    def _cells(self, unit: Unit) -> list[tuple[str, str]]:
        scorers: Mapping[str, list[str]]
        scorers = unit.key["scorers"] if unit.key["kind"] == COMPOSITIONS else unit.key["scores"]["0"]
        return [(split_scorer(scorer)[0], name) for scorer, names in scorers.items() for name in names]

    def _scored(self, unit: Unit) -> list[tuple[str, int]]:
        return [(task, self._padded_tokens(task, name)) for task, name in self._cells(unit)]

    def _count_items(self, task: str, name: str) -> int:
        context = self.context
        alone = context.specs[task].adapter is None
        return len((context.text(task, name) if alone else context.encoded(task, name, "test")).items)


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


def price(
    resolved: ResolvedStudy,
    folder: Path | None,
    rates: Rates | None,
    workers: int,
    device: str,
    failed: Collection[str] = (),
) -> Plan:
    """Return the plan for a kind of device under given ``rates`` (None: nominal ones); for ``failed`` see `wanted`."""
    store = store_at(folder)
    pricer = Pricer(InteractionContext(resolved, store), rates or nominal(resolved))
    plan = plan_of(wanted(resolved, device, store.present(), failed), pricer, workers, _kind)
    parts: Counter[str] = Counter()
    for unit in plan.wanted.units:
        parts[_kind(unit)] += _parts(unit)
    rows = [replace(row, kind=_told(row.kind, parts[row.kind])) for row in plan.rows]
    return replace(plan, rows=(*rows, *left_out(resolved)))


def _parts(unit: Unit) -> int:
    """Return how many trainings a unit stands for, or scores of a composition on a target."""
    if unit.key["kind"] == COMPOSITIONS:
        return len(unit.key["compositions"]) * sum(map(len, unit.key["scorers"].values()))
    return len(unit.key.get("members", ()))


def _told(kind: str, parts: int) -> str:
    if not parts:
        return kind
    return f"{kind}: {parts:,} {'scores' if kind == COMPOSITIONS else 'trainings'}"


def left_out(resolved: ResolvedStudy) -> list[Row]:
    """Return a row that counts the compositions of which no member has test data; their fusions are not trained."""
    spec, tested = resolved.study.interaction, {ref.language for refs in resolved.targets.values() for ref in refs}
    if spec.targets == "all":
        return []
    left = [mix for mix in mixes(resolved) if tested.isdisjoint(mix.members)]
    return [Row("compositions left out: no member has test data", len(left), 0, 0.0)] if left else []


def _kind(unit: Unit) -> str:
    kind = str(unit.key["kind"])
    if kind == FUSIONS:
        sizes = {len(members) for members in members_of(unit)}
        return f"fusions of {' and '.join(map(str, sorted(sizes)))}"
    if kind in (ADAPTERS, COMPOSITIONS):
        return kind
    return f"task adapter {unit.key['task']}" if unit.produces == "artefact" else str(unit.key["setting"])
