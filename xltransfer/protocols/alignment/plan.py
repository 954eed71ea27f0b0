"""What an alignment study would cost: each unit's tokens, seconds and bytes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import AutoConfig

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine import Stack
from xltransfer.engine.loading import local_folder
from xltransfer.metrics import count_columns
from xltransfer.protocols.alignment.context import AlignmentContext, adapter_folders
from xltransfer.protocols.alignment.measure import SHAPES, values_of
from xltransfer.protocols.alignment.pairs import Pair
from xltransfer.protocols.alignment.states import never_made, split_setting, wanted
from xltransfer.protocols.alignment.vectors import vectors
from xltransfer.protocols.base_model import refuse_base
from xltransfer.protocols.transfer.calibrate import time_nudge
from xltransfer.protocols.transfer.context import device_kind
from xltransfer.protocols.transfer.plan import Plan, Row, plan_of, store_at
from xltransfer.protocols.transfer.training import training_tokens
from xltransfer.runs.unit import Unit

_TRAINING = 3.0  # what a token of training costs beside one that only goes forward
_FLOAT = 4  # bytes of a stored value


@dataclass(frozen=True)
class AlignmentRates:
    """Seconds (of one worker) that the parts of an alignment study cost.

    Attributes
    ----------
    token
        A padded token through the model.
    pair
        Set of texts to seconds for all layers of one pair.
    step, enter
        An optimizer step of a nudge, and entering and leaving it.
    start
        Until a worker has loaded everything.
    """

    token: float
    pair: Mapping[str, float]
    step: float
    enter: float
    start: float


class AlignmentPricer:
    """Tokens, seconds and bytes of the units of one study.

    Parameters
    ----------
    context
        Gives the tokenised texts.
    rates
        Measured or nominal.
    """

    def __init__(self, context: AlignmentContext, rates: AlignmentRates) -> None:
        self.context, self.rates, self.start = context, rates, rates.start
        self._layers = _layers(context.resolved)

    def tokens(self, unit: Unit) -> int:
        """Return the padded tokens that go through the model, nudging and training included."""
        if unit.produces == "artefact":
            return training_tokens(self.context, str(unit.key["task"]))
        spec = self.context.study.nudge
        return _steps(unit) * spec.batch_size * spec.block + self._read(unit)

    def seconds(self, unit: Unit) -> float:
        """Return the expected seconds of one worker."""
        if unit.produces == "artefact":
            return _TRAINING * self.rates.token * self.tokens(unit)
        nudged = self.rates.enter + _steps(unit) * self.rates.step if "replicate" in unit.key else 0.0
        compared = sum(self.rates.pair[name] * len(pairs) for name, pairs in _sets(unit))
        return nudged + self.rates.token * self._read(unit) + compared

    def bytes(self, unit: Unit) -> float:
        """Return the expected bytes of the unit's shards, before their compression; adapters are small."""
        if unit.produces == "artefact":
            return 0.0
        return float(sum(self._pair_bytes(name, pair) for name, pairs in _sets(unit) for pair in pairs))

    def _read(self, unit: Unit) -> int:
        """Return the padded tokens of every side that is read."""
        return sum(
            self.context.prepared_side(name, entry).tokens
            for name, pairs in _sets(unit)
            for entry in _entries(self.context, name, pairs)
        )

    def _pair_bytes(self, name: str, pair: str) -> int:
        spec = self.context.sets[name]
        sides = [self.context.prepared_side(name, entry) for entry in _entries(self.context, name, [pair])]
        items = sum(len(side.encoded.items) for side in sides) // (2 if spec.kind == "matched" else 1)
        # All layers, and the middle one once more.
        return (self._layers + 1) * items * _FLOAT * len(count_columns(SHAPES[spec.kind]))


def make_plan(resolved: ResolvedStudy, folder: Path | None, *, workers: int = 1, seconds: float = 10.0) -> Plan:
    """Return the plan of what ``folder`` lacks (None: everything), with rates measured in this process.

    Raises
    ------
    ConfigError, DataError, ModelError
        As the run would, before any unit starts.
    """
    refuse_base(resolved)
    adapter_folders(resolved)
    device = device_kind(resolved.study.engine.device)
    return price(resolved, folder, calibrated(resolved, seconds), workers, device)


def price(
    resolved: ResolvedStudy, folder: Path | None, rates: AlignmentRates | None, workers: int, device: str
) -> Plan:
    """Return the plan for a kind of device under given ``rates`` (None: nominal ones, good for the order of units)."""
    store = store_at(folder)
    context = AlignmentContext(resolved, store)
    for name in context.sets:
        context.sides(name)
    pricer = AlignmentPricer(context, rates or nominal(resolved))
    plan = plan_of(wanted(resolved, device, store.present()), pricer, workers, _kind)
    return replace(plan, rows=(*plan.rows, *left_out(resolved)))


def left_out(resolved: ResolvedStudy) -> list[Row]:
    """Return a row that counts the nudges and controls whose language is in no compared pair, and names these.

    Raises
    ------
    ConfigError
        As `states.states`.
    """
    models = never_made(resolved)
    languages = ", ".join(dict.fromkeys(model.corpus.language for model in models if model.corpus is not None))
    return [Row(f"nudges left out, in no compared pair: {languages}", len(models), 0, 0.0)] if models else []


def nominal(resolved: ResolvedStudy) -> AlignmentRates:
    """Return rates whose ratios are about right everywhere."""
    spec = resolved.study.nudge
    step = 4e-4 * spec.batch_size * spec.block
    return AlignmentRates(1e-4, dict.fromkeys(resolved.compared, 0.2), step, step, 10.0)


def calibrated(resolved: ResolvedStudy, seconds: float) -> AlignmentRates:
    """Return rates measured here: one side and one pair of each set, and a nudge for a third of ``seconds``."""
    began = time.perf_counter()
    torch.set_num_threads(resolved.study.engine.threads)
    context = AlignmentContext(resolved, store_at(None))
    _ = context.corpora
    start = time.perf_counter() - began
    spent, tokens, pair_seconds = 0.0, 0, {}
    for name in context.sets:
        pair = next(iter(context.pairs(name).values()))
        context.prepared_side(name, pair.first.name), context.prepared_side(name, pair.second.name)
        forward, compared = _time_pair(context, name, pair)
        spent, pair_seconds[name] = spent + forward, compared
        tokens += sum(context.prepared_side(name, ref.name).tokens for ref in (pair.first, pair.second))
    nudged = "nudge" in resolved.study.alignment.states
    step, enter = time_nudge(context, seconds / 3) if nudged else (0.0, 0.0)
    return AlignmentRates(spent / tokens, pair_seconds, step, enter, start)


def _time_pair(context: AlignmentContext, name: str, pair: Pair) -> tuple[float, float]:
    """Return the seconds of reading both sides, and of comparing them."""
    began = time.perf_counter()
    sides = {
        ref.name: vectors(context.model, context.prepared_side(name, ref.name), Stack())
        for ref in (pair.first, pair.second)
    }
    read = time.perf_counter() - began
    values_of(context, name, [pair], sides)
    return read, time.perf_counter() - began - read


def _layers(resolved: ResolvedStudy) -> int:
    """Return the number of hidden states, the embeddings included, from the model's configuration alone."""
    folder = local_folder(resolved.model, resolved.study.base.revision)
    return int(AutoConfig.from_pretrained(folder).num_hidden_layers) + 1


def _sets(unit: Unit) -> list[tuple[str, Sequence[str]]]:
    """Return each set with its pairs, once for every number of steps."""
    return [each for by_set in unit.key["scores"].values() for each in by_set.items()]


def _entries(context: AlignmentContext, name: str, pairs: Sequence[str]) -> list[str]:
    known = context.pairs(name)
    return list(dict.fromkeys(ref.name for pair in pairs for ref in (known[pair].first, known[pair].second)))


def _steps(unit: Unit) -> int:
    return max(int(steps) for steps in unit.key["scores"])


def _kind(unit: Unit) -> str:
    if unit.produces == "artefact":
        return f"task adapter {unit.key['task']}"
    setting = " ".join(part for part in split_setting(str(unit.key["setting"])) if part)
    steps = ", ".join(f"k={steps}" for steps in unit.key["scores"] if steps != "0")
    return f"{setting} {steps}".strip()
