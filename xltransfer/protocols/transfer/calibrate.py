"""How fast this machine is at the parts of a study, measured on the study's own model and sentences."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import torch

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine import Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.checkpoint import save_artefact
from xltransfer.engine.fit import descend
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, nudge
from xltransfer.protocols.rates import measured_together
from xltransfer.protocols.transfer.context import Context, device_kind
from xltransfer.protocols.transfer.scoring import score_targets
from xltransfer.protocols.transfer.training import training_batches
from xltransfer.protocols.transfer.wanted import BASELINE, adapter_units, scorer_name, split_scorer
from xltransfer.protocols.transfer.work import prepare_process
from xltransfer.runs.artefacts import artefact_metadata
from xltransfer.runs.cells import Cell
from xltransfer.runs.shards import items_shard, measurements_shard
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


@dataclass(frozen=True)
class Rates:
    """Seconds (of one worker) and bytes that the parts of a study cost.

    Attributes
    ----------
    score
        Task to seconds a padded token scored.
    train
        Task to seconds a token of training.
    item_bytes
        Task to bytes an item of a cell.
    unit_bytes
        Bytes that a unit's shards take beside their items.
    step, enter
        Seconds an optimizer step of a nudge, and seconds for entering and leaving it.
    start
        Seconds until a worker has loaded everything and encoded every target.
    """

    score: dict[str, float]
    train: dict[str, float]
    item_bytes: dict[str, float]
    unit_bytes: float
    step: float
    enter: float
    start: float


def nominal(resolved: ResolvedStudy) -> Rates:
    """Return rates whose ratios are about right everywhere; for order and progress, not for a promise."""
    nudge_spec = resolved.study.nudge
    names = [task.name for task in resolved.study.tasks]
    step = 4e-4 * nudge_spec.batch_size * nudge_spec.block
    return Rates(
        dict.fromkeys(names, 1e-4), dict.fromkeys(names, 3e-4), dict.fromkeys(names, 20.0), 2e4, step, step, 10.0
    )


def calibrate(resolved: ResolvedStudy, workers: int, seconds: float) -> Rates:
    """Measure for about ``seconds`` in ``workers`` processes at the same time and return the mean rates."""
    return measured_together(_calibrate_here, resolved, workers, seconds)


def _calibrate_here(resolved: ResolvedStudy, seconds: float) -> Rates:
    began = time.perf_counter()
    prepare_process(device_kind(resolved.study.engine.device), resolved.study.engine.threads)
    with TemporaryDirectory() as folder:
        context = Context(resolved, Store(Path(folder)))
        scorers = ready_scorers(context)
        start = time.perf_counter() - began
        share = seconds / 3 / len(scorers)
        score, item_bytes, unit_bytes = {}, {}, []
        for task_name, scorer in scorers.items():
            score[task_name], cells = _time_scoring(context, scorer, share)
            item_bytes[task_name], beside = shard_sizes(context, cells)
            unit_bytes.append(beside)
        step, enter = time_nudge(context, seconds / 3)
        adapted = [task.name for task in resolved.study.tasks if task.adapter is not None]
        train = {name: time_training(context, name, seconds / 3 / len(adapted)) for name in adapted}
    return Rates(score, train, item_bytes, fmean(unit_bytes), step, enter, start)


def ready_scorers(context: Context) -> dict[str, str]:
    """Load and encode all that a worker needs, adapters untrained; return each task's first scorer, by task."""
    place_untrained_adapters(context)
    scorers = {task.name: scorer_name(task, None if task.adapter is None else 0) for task in context.study.tasks}
    for scorer in scorers.values():
        context.load_scorer(scorer)
    _ = context.corpora
    for task in context.study.tasks:
        for ref in context.resolved.targets[task.name]:
            if task.adapter is None:
                context.text_batches(task.name, ref.name)
            else:
                context.prepared(task.name, ref.name)
    return scorers


def place_untrained_adapters(context: Context) -> None:
    """Save fresh adapters where trained ones will be: they take the same time."""
    units = adapter_units(context.resolved)
    for task in context.study.tasks:
        if task.adapter is not None:
            scorer = scorer_name(task, 0)
            adapter = context.model.add_adapter(scorer, AdapterConfig(task.adapter.reduction, task.adapter.activation))
            head = context.task(task.name).head(context.model)
            tensors = {f"adapter.{key}": value for key, value in adapter.state_dict().items()}
            tensors |= {f"head.{key}": value for key, value in head.state_dict().items()}
            _save(context, units[scorer], tensors)
            del context.model.adapters[scorer]


def _save(context: Context, unit: Unit, tensors: dict[str, torch.Tensor]) -> None:
    context.store.place_artefact(unit.id, lambda path: save_artefact(path, tensors, artefact_metadata(unit)))


def padded_tokens(context: Context, task: str, entry: str) -> int:
    """Return the tokens, padding included, that scoring one target takes."""
    spec = context.specs[task]
    if spec.adapter is None:
        return int(context.text(task, entry).masked.ids.size)
    encoded = context.encoded(task, entry, "test")
    plan = encoded.plan(context.study.engine.token_budget)
    return sum(len(rows) * int(encoded.tokens.lengths[rows].max()) for rows in plan)


def _time_scoring(context: Context, scorer: str, seconds: float) -> tuple[float, list[Cell]]:
    """Return seconds a padded token, over as many targets as fit into ``seconds``, and the cells made."""
    task, _ = split_scorer(scorer)
    names = [ref.name for ref in context.resolved.targets[task]]
    order = spread(names)
    unit = _unit(context)
    list(score_targets(context, {scorer: (order[0],)}, unit))
    cells: list[Cell] = []
    tokens, began = 0, time.perf_counter()
    for name in order:
        cells += score_targets(context, {scorer: (name,)}, unit)
        tokens += padded_tokens(context, task, name)
        if time.perf_counter() - began > seconds:
            break
    return (time.perf_counter() - began) / tokens, cells


def _unit(context: Context) -> Unit:
    return Unit(key={"protocol": "transfer", "base": context.study.base.name, "setting": BASELINE})


def spread(names: Sequence[str]) -> list[str]:
    """Return every third name, then the rest: its beginning is a sample over the whole list, whatever its order."""
    return [names[i] for start in range(3) for i in range(start, len(names), 3)]


def shard_sizes(context: Context, cells: list[Cell]) -> tuple[float, float]:
    """Return stored bytes an item, and bytes of a shard beside its items: a line through two shards."""
    half = cells[: max(1, len(cells) // 2)]
    items = [sum(cell.n_items for cell in part) for part in (half, cells)]
    unit = _unit(context)
    sizes = [len(items_shard(unit, part)) + len(measurements_shard(unit, part)) for part in (half, cells)]
    if items[0] == items[1]:
        return sizes[1] / items[1], 0.0
    slope = (sizes[1] - sizes[0]) / (items[1] - items[0])
    return slope, max(0.0, sizes[1] - slope * items[1])


def time_nudge(context: Context, seconds: float) -> tuple[float, float]:
    """Return seconds a step of a nudge, and those for entering and leaving with the first step's preparations."""
    blocks = next(iter(context.corpora.values()))
    spec = context.study.nudge
    seeds = NudgeSeeds(1, 2, 3, 4, 5)

    def walk(steps: int) -> float:
        settings = NudgeSettings(steps=steps, batch_size=spec.batch_size, dropout=spec.dropout)
        began = time.perf_counter()
        with nudge(context.model, blocks, context.vocabulary, settings, seeds) as path:
            list(path.stop_at(steps))
        return time.perf_counter() - began

    walk(1)
    once = walk(1)
    more = max(2, int(seconds / max(once, 1e-6)))
    many = walk(more)
    step = (many - once) / (more - 1)
    return step, max(once - step, 0.0)


def time_training(context: Context, task: str, seconds: float) -> float:
    """Return seconds a padded token of training the task's adapter."""
    spec = context.specs[task]
    assert spec.adapter is not None
    scorer, model = scorer_name(spec, 0), context.model
    parameters = [*model.adapters[scorer].parameters(), *model.heads[scorer].parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    model.train(spec.adapter.dropout)
    tokens = 0

    def counted() -> Iterator[Any]:
        nonlocal tokens
        for batch in training_batches(context, task, 1_000_000, 0):
            tokens += batch.input_ids.numel()
            yield batch

    loss: Callable[[Any], Any] = lambda batch: context.task(task).loss(model, Stack(scorer), scorer, batch)  # noqa: E731
    walk = descend(parameters, counted(), loss, steps=1_000_000, learning_rate=1e-9)
    next(walk)
    tokens, began = 0, time.perf_counter()
    for _ in walk:
        if time.perf_counter() - began > seconds:
            break
    model.eval().requires_grad_(False)
    return (time.perf_counter() - began) / tokens
