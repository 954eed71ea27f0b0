"""How fast this machine is at the parts of an interaction study, measured on the study's own model and texts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from torch import nn

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.interaction.compositions import TRAINED, Mix, languages, mixes
from xltransfer.protocols.interaction.context import InteractionContext
from xltransfer.protocols.interaction.passes import side_by_side
from xltransfer.protocols.interaction.scoring import cells_of
from xltransfer.protocols.interaction.training import adapter_settings, fuse_by_training
from xltransfer.protocols.interaction.wanted import COMPOSITIONS, together
from xltransfer.protocols.language_adapters import train_language_adapters
from xltransfer.protocols.rates import measured_together
from xltransfer.protocols.transfer.calibrate import padded_tokens, ready_scorers, shard_sizes, spread, time_training
from xltransfer.protocols.transfer.context import device_kind
from xltransfer.protocols.transfer.work import prepare_process
from xltransfer.runs.cells import Cell
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


@dataclass(frozen=True)
class Rates:
    """Seconds (of one worker) and bytes that the parts of a study cost.

    Attributes
    ----------
    train
        Task to seconds a token of training its adapter.
    adapters, fusions
        Seconds a token of training a language adapter, and (by number of members) a fusion.
    score
        (task, number of members) to seconds a padded token scored; a fusion's loading is in it.
    item_bytes
        Task to bytes an item of a cell.
    unit_bytes
        Bytes that a unit's shards take beside their items.
    artefact_bytes
        Number of members to bytes of a language adapter (1) or a fusion (2, 3).
    start
        Seconds until a worker has loaded everything and encoded every target.
    """

    train: Mapping[str, float]
    adapters: float
    fusions: Mapping[int, float]
    score: Mapping[tuple[str, int], float]
    item_bytes: Mapping[str, float]
    unit_bytes: float
    artefact_bytes: Mapping[int, float]
    start: float


def sizes_of(resolved: ResolvedStudy) -> tuple[int, ...]:
    """Return the numbers of members that the study's compositions have, 1 included."""
    return tuple(sorted({len(mix.members) for mix in mixes(resolved)}))


def nominal(resolved: ResolvedStudy) -> Rates:
    """Return rates whose ratios are about right everywhere; for order and progress, not for a promise."""
    names, sizes = [task.name for task in resolved.study.tasks], sizes_of(resolved)
    score = {(name, size): 1e-4 * (1 + 0.1 * size) for name in names for size in sizes}
    fusions = {size: 3e-4 for size in sizes if size > 1}
    return Rates(
        dict.fromkeys(names, 3e-4), 3e-4, fusions, score, dict.fromkeys(names, 20.0), 2e4, dict.fromkeys(sizes, 0.0), 10
    )


def calibrate(resolved: ResolvedStudy, workers: int, seconds: float) -> Rates:
    """Measure for about ``seconds`` in ``workers`` processes at the same time and return the mean rates."""
    return measured_together(_calibrate_here, resolved, workers, seconds)


def _calibrate_here(resolved: ResolvedStudy, seconds: float) -> Rates:
    began = time.perf_counter()
    prepare_process(device_kind(resolved.study.engine.device), resolved.study.engine.threads)
    with TemporaryDirectory() as folder:
        context = InteractionContext(resolved, Store(Path(folder)))
        scorers = ready_scorers(context)
        for code in languages(resolved):
            context.model.add_adapter(code, context.adapter_config).eval().requires_grad_(False)
        start, sizes = time.perf_counter() - began, sizes_of(resolved)
        share = seconds / 3 / (len(scorers) * len(sizes))
        score, item_bytes, unit_bytes = {}, {}, []
        for task, scorer in scorers.items():
            cells: list[Cell] = []
            for size in sizes:
                score[task, size], made = _time_scoring(context, scorer, size, share)
                cells += made
            item_bytes[task], beside = shard_sizes(context, cells)
            unit_bytes.append(beside)
        adapted = [task.name for task in resolved.study.tasks if task.adapter is not None]
        train = {name: time_training(context, name, seconds / 3 / len(adapted)) for name in adapted}
        share = seconds / 3 / len(sizes)
        fusions = {size: _time_fusions(context, size, share) for size in sizes if size > 1}
        weights = {size: _bytes(context, size) for size in sizes}
        adapters = _time_adapters(context, share)
    return Rates(train, adapters, fusions, score, item_bytes, fmean(unit_bytes), weights, start)


def _examples(context: InteractionContext, size: int, count: int) -> list[Mix]:
    """Return some compositions of a size, untrained."""
    found = list(combinations(languages(context.resolved), size))[:count]
    return [Mix(members, "untrained" if size > 1 else "") for members in found]


def _time_scoring(context: InteractionContext, scorer: str, size: int, seconds: float) -> tuple[float, list[Cell]]:
    """Return seconds a padded token and composition, over targets for ``seconds``, and the cells made."""
    task = scorer.partition("@")[0]
    order = spread([ref.name for ref in context.resolved.targets[task]])
    some = _examples(context, size, side_by_side(context.device, context.study.engine.token_budget))
    key = {"kind": COMPOSITIONS, "protocol": "interaction", "base": context.study.base.name}
    unit = Unit(key | {"compositions": {mix.text: "" for mix in some}})
    with context.fused(some):
        list(cells_of(context, unit, some, {scorer: (order[0],)}))
    cells: list[Cell] = []
    tokens, began = 0, time.perf_counter()
    for name in order:
        with context.fused(some):
            cells += cells_of(context, unit, some, {scorer: (name,)})
        tokens += len(some) * padded_tokens(context, task, name)
        if time.perf_counter() - began > seconds:
            break
    return (time.perf_counter() - began) / tokens, cells


def _time_adapters(context: InteractionContext, seconds: float) -> float:
    """Return seconds a token of training language adapters."""
    spec, settings = context.study.interaction, adapter_settings(context)
    codes = list(languages(context.resolved))[: together(spec.adapters.at_once, context.device.type)]
    context.forget(codes)

    def train(steps: int) -> None:
        corpora = {code: context.corpora[code] for code in codes}
        train_language_adapters(
            context.model, corpora, context.vocabulary, replace(settings, steps=steps), at_once=len(codes)
        )
        context.forget(codes)

    return _seconds_a_step(train, seconds) / (len(codes) * spec.adapters.batch_size * spec.block)


def _time_fusions(context: InteractionContext, size: int, seconds: float) -> float:
    """Return seconds a token of training fusions of ``size`` members."""
    spec = context.study.interaction
    some = _examples(context, size, together(spec.fusions.at_once, context.device.type))
    trained = [replace(mix, fusion=TRAINED) for mix in some]

    def train(steps: int) -> None:
        fuse_by_training(context, trained, steps)
        for mix in trained:
            del context.model.fusions[mix.fusion_name]

    return _seconds_a_step(train, seconds) / (len(some) * spec.fusions.batch_size * spec.block)


def _seconds_a_step(train: Callable[[int], None], seconds: float) -> float:
    """Return seconds a step, what is done once left out."""

    def timed(steps: int) -> float:
        began = time.perf_counter()
        train(steps)
        return time.perf_counter() - began

    timed(1)
    once = timed(1)
    more = max(2, int(seconds / max(once, 1e-6)))
    return max(timed(more) - once, 0.0) / (more - 1)


def _bytes(context: InteractionContext, size: int) -> float:
    """Return the bytes of a language adapter, or of a fusion."""
    (mix,) = _examples(context, size, 1)
    with context.fused([mix]):
        part = context.model.fusions[mix.fusion_name] if mix.fusion else context.model.adapters[mix.adapters[0]]
        return _weights(part)


def _weights(part: nn.Module) -> float:
    return float(sum(parameter.numel() * parameter.element_size() for parameter in part.parameters()))
