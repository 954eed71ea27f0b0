"""Make one model and score it: the untouched base, a nudged one, a control. One function a setting."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xltransfer.engine import Stack
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, Path, nudge
from xltransfer.engine.precision import scored_at
from xltransfer.errors import UnitError
from xltransfer.protocols.transfer.context import Context
from xltransfer.protocols.transfer.wanted import (
    BASELINE,
    NOISE,
    NOISE_BATCHING,
    NOISE_PRECISION,
    RANDOM_SIGN,
    SHUFFLED_TEXT,
    TRIVIAL,
    split_scorer,
)
from xltransfer.randomness import child_seed
from xltransfer.runs.cells import Cell
from xltransfer.runs.unit import Unit
from xltransfer.tasks import Mlm
from xltransfer.tasks.counts import Counts, per_item
from xltransfer.tasks.score import score, score_text

Targets = Mapping[str, tuple[str, ...]]


def measure(context: Context, unit: Unit) -> list[Cell]:
    """Make the unit's model, score it, and check that the base model is left as it was found.

    Raises
    ------
    UnitError
        When a fixed batch scores differently after the unit than before it, in any bit.
    """
    scores: Mapping[str, Targets] = unit.key["scores"]
    for scorer in {scorer for targets in scores.values() for scorer in targets}:
        context.load_scorer(scorer)
    before = fingerprint(context)
    if unit.key["setting"] == BASELINE:
        scored = score_targets(context, scores["0"], unit)
        cells = [*(_with_subwords(context, cell) for cell in scored), *_trivial(context, scores["0"], unit)]
    elif unit.key["setting"] == NOISE:
        cells = list(_noise(context, scores["0"], unit))
    else:
        cells = list(_nudged(context, scores, unit))
    after = fingerprint(context)
    if not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)):
        raise UnitError(
            "the base model scores a fixed batch differently after this unit; its weights were not restored"
        )
    for targets in scores.values():
        write_targets(context, targets)
    return cells


@torch.inference_mode()
def fingerprint(context: Context) -> list[Tensor]:
    """Return hidden states, some masked-LM scores and the pooled output of a fixed batch under the untouched model."""
    blocks = next(iter(context.corpora.values()))
    ids = torch.from_numpy(blocks[:2].astype(np.int64)).to(context.device)
    positions = torch.arange(0, ids.numel(), 16, device=context.device)
    out = context.model(ids, head=MASKED_LM, positions=positions)
    return [part for part in (out.last_hidden_state, out.logits, out.pooler_output) if part is not None]


def _nudged(context: Context, scores: Mapping[str, Targets], unit: Unit) -> Iterator[Cell]:
    corpus, replicate = str(unit.key["corpus"]), int(unit.key["replicate"])
    stops, seed = sorted(int(steps) for steps in scores), replicate_seed(context, corpus, replicate)
    with path_of(context, str(unit.key["setting"]), corpus, replicate, stops[-1]) as path:
        for steps in path.stop_at(*stops):
            yield from score_targets(context, scores[str(steps)], unit, steps=steps, seed=seed)


def replicate_seed(context: Context, corpus: str, replicate: int) -> int:
    """Return the seed of one replicate's streams; equal for the nudge and its controls."""
    return child_seed(context.study.seed, "replicate", corpus, replicate)


def path_of(context: Context, setting: str, corpus: str, replicate: int, steps: int) -> AbstractContextManager[Path]:
    """Return the way of the base weights that the study's settings and seeds give, see `xltransfer.engine.nudge`."""
    study, blocks = context.study, context.corpora[corpus]
    if setting == SHUFFLED_TEXT:
        rng = np.random.default_rng(child_seed(study.seed, "shuffled text", corpus))
        blocks = shuffle_blocks(blocks, context.vocabulary.special, rng)
    seed = replicate_seed(context, corpus, replicate)
    blocks_seed, masks, dropout, signs = (child_seed(seed, part) for part in ("blocks", "masks", "dropout", "signs"))
    # One fresh pooler for all cells, as in the published code.
    seeds = NudgeSeeds(blocks_seed, masks, dropout, signs, pooler=child_seed(study.seed, "pooler"))
    settings = NudgeSettings(
        steps=steps,
        batch_size=study.nudge.batch_size,
        learning_rate=study.nudge.learning_rate,
        decay=study.nudge.schedule,
        weight_decay=study.nudge.weight_decay,
        mask_share=study.nudge.mask_share,
        dropout=study.nudge.dropout,
        pooler=study.nudge.pooler,
        sign="random" if setting == RANDOM_SIGN else "real",
    )
    return nudge(context.model, blocks, context.vocabulary, settings, seeds)


def shuffle_blocks(blocks: NDArray[np.int32], special: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int32]:
    """Permute the tokens inside each block [block, token]; special tokens stay where they are."""
    shuffled = blocks.copy()
    for row in shuffled:
        ordinary = np.flatnonzero(~np.isin(row, special))
        row[ordinary] = row[rng.permutation(ordinary)]
    return shuffled


def _noise(context: Context, targets: Targets, unit: Unit) -> Iterator[Cell]:
    study = context.study
    yield from score_targets(context, targets, unit, setting=NOISE_BATCHING, other_batches=True)
    # All cells at once: a generator that yields inside the block would leave its caller at that precision.
    with scored_at(context.model, study.controls.noise_floor.precision):
        cells = list(score_targets(context, targets, unit, setting=NOISE_PRECISION))
    yield from cells


def score_targets(
    context: Context,
    targets: Targets,
    unit: Unit,
    *,
    setting: str | None = None,
    steps: int | None = None,
    seed: int | None = None,
    other_batches: bool = False,
) -> Iterator[Cell]:
    """Score the model as it stands now on every target of every scorer."""
    for scorer, names in targets.items():
        task, adapter_seed = split_scorer(scorer)
        for name in names:
            if adapter_seed is None:
                text, batches = context.text(task, name), context.text_batches(task, name, other_batches)
                counts = score_text(Mlm(context.specs[task]), context.model, text, batches)
                kept = len(text.items)
            else:
                prepared = context.prepared(task, name, other_batches)
                counts = score(context.task(task), context.model, Stack(scorer), scorer, prepared)
                kept = prepared.encoded.n_scored
            yield cell_of(context, unit, counts, scorer, name, kept, setting=setting, steps=steps, seed=seed)


def _with_subwords(context: Context, cell: Cell) -> Cell:
    """Add ``subwords`` and ``unknown`` per item to a baseline cell: what the tokenizer could not read is known once."""
    if cell.adapter_seed is None:
        return cell
    encoded = context.encoded(cell.task, cell.dataset, "test")
    item = np.repeat(encoded.kept, encoded.tokens.lengths)
    unknown = encoded.tokens.values == context.tokenizer.unk_token_id
    counts = {
        "subwords": per_item(item, np.ones(len(item)), cell.n_items).astype(np.int64),
        "unknown": per_item(item, unknown, cell.n_items).astype(np.int64),
    }
    return replace(cell, counts=dict(cell.counts) | counts)


def _trivial(context: Context, targets: Targets, unit: Unit) -> Iterator[Cell]:
    for scorer, names in targets.items():
        task, adapter_seed = split_scorer(scorer)
        if adapter_seed is not None:
            for name in names:
                encoded = context.encoded(task, name, "test")
                counts = context.task(task).trivial(encoded)
                yield cell_of(context, unit, counts, scorer, name, encoded.n_scored, setting=TRIVIAL)


def cell_of(
    context: Context,
    unit: Unit,
    counts: Counts,
    scorer: str,
    entry: str,
    kept: int,
    *,
    setting: str | None,
    steps: int | None = None,
    seed: int | None = None,
) -> Cell:
    """Return the counts of a scorer on a target with their identity."""
    task, adapter_seed = split_scorer(scorer)
    ref = context.entries[entry]
    return Cell(
        task=task,
        dataset=entry,
        target=ref.language,
        setting=setting or str(unit.key["setting"]),
        shape=context.specs[task].shape,
        n_items=len(next(iter(counts.overall.values()))),
        n_scored=kept,
        counts=counts.overall,
        label_counts=counts.labelled,
        transfer=str(unit.key.get("transfer", "")),
        corpus=str(unit.key.get("corpus", "")),
        steps=steps,
        replicate=unit.key.get("replicate"),
        adapter_seed=adapter_seed,
        seed=seed,
        device=context.device.type,
        options=context.options,
    )


def write_targets(context: Context, targets: Targets) -> None:
    """Store the identities of the items, once per folder."""
    done: set[tuple[str, str]] = set()
    for scorer, names in targets.items():
        task, adapter_seed = split_scorer(scorer)
        for name in names:
            if (task, name) in done:
                continue
            done.add((task, name))
            source = context.text(task, name) if adapter_seed is None else context.encoded(task, name, "test")
            language = context.entries[name].language
            context.store.write_targets(task, name, language, source.items, source.clusters)
