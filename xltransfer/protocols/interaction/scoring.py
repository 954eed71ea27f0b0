"""Score a unit's compositions on the test data of one language."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from xltransfer.errors import UnitError
from xltransfer.protocols.interaction.compositions import Mix
from xltransfer.protocols.interaction.context import InteractionContext
from xltransfer.protocols.interaction.passes import score_together, side_by_side
from xltransfer.protocols.interaction.wanted import ADAPTER, COMPOSITIONS, FUSION, Scorers, mixes_of
from xltransfer.protocols.transfer import scoring as transfer
from xltransfer.protocols.transfer.wanted import split_scorer
from xltransfer.runs.cells import Cell
from xltransfer.runs.unit import Unit
from xltransfer.tasks import Mlm
from xltransfer.tasks.counts import Counts
from xltransfer.tasks.score import score_text


def measure(context: InteractionContext, unit: Unit) -> list[Cell]:
    """Return the cells of a unit: the task adapters alone, or compositions.

    Raises
    ------
    UnitError
        When a fixed batch scores differently after the unit than before it, in any bit.
    """
    if unit.key["kind"] != COMPOSITIONS:
        return transfer.measure(context, unit)
    scorers: Scorers = unit.key["scorers"]
    for scorer in scorers:
        context.load_scorer(scorer)
    context.load_parts(unit.needs)
    before = transfer.fingerprint(context)
    cells = []
    size = side_by_side(context.device, context.study.engine.token_budget)
    mixes = mixes_of(unit)
    for start in range(0, len(mixes), size):
        chunk = mixes[start : start + size]
        with context.fused(chunk):
            cells += list(cells_of(context, unit, chunk, scorers))
    if not all(torch.equal(a, b) for a, b in zip(before, transfer.fingerprint(context), strict=True)):
        raise UnitError("the base model scores a fixed batch differently after this unit; its weights were changed")
    transfer.write_targets(context, scorers)
    return cells


def cells_of(context: InteractionContext, unit: Unit, mixes: Sequence[Mix], scorers: Scorers) -> Iterator[Cell]:
    """Score compositions, whose parts are in the model, on every target of every scorer."""
    for scorer, names in scorers.items():
        task, seed = split_scorer(scorer)
        for name in names:
            if seed is None:
                text, batches = context.text(task, name), context.text_batches(task, name)
                mlm, kept = Mlm(context.specs[task]), len(text.items)
                found = [score_text(mlm, context.model, text, batches, mix.below(None)) for mix in mixes]
            else:
                prepared = context.prepared(task, name)
                compositions, kept = [mix.below(scorer) for mix in mixes], prepared.encoded.n_scored
                found = score_together(context.task(task), context.model, compositions, scorer, prepared)
            for mix, counts in zip(mixes, found, strict=True):
                yield _cell(context, unit, mix, counts, scorer, name, kept)


def _cell(
    context: InteractionContext, unit: Unit, mix: Mix, counts: Counts, scorer: str, entry: str, kept: int
) -> Cell:
    setting = f"{FUSION}{mix.fusion}" if mix.fusion else ADAPTER
    cell = transfer.cell_of(context, unit, counts, scorer, entry, kept, setting=setting, seed=context.seed_of(mix))
    corpora: str = unit.key["compositions"][mix.text]
    return replace(cell, transfer=mix.label, corpus=corpora, options=dict(cell.options) | context.choices(mix))
