"""Train a unit's language adapters, or its fusions, by the bank, and place them in the folder as one artefact.

A language adapter learns its language by masked-LM, as `protocols.language_adapters` does it. A trained fusion learns
its members' languages in equal parts, everything but its query, key and value frozen: the rows of its batches are of
the members in turn.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xltransfer.engine import Composition
from xltransfer.engine.bank import Batch, Trained, Trainee, train_together
from xltransfer.engine.checkpoint import save_artefact
from xltransfer.engine.fit import DescentSettings
from xltransfer.engine.masking import mask_tokens
from xltransfer.errors import UnitError
from xltransfer.protocols.interaction.compositions import TRAINED, Mix, language_of
from xltransfer.protocols.interaction.context import InteractionContext
from xltransfer.protocols.interaction.wanted import adapters_of, members_of
from xltransfer.protocols.language_adapters import (
    LanguageAdapterSettings,
    masked_lm_loss,
    shuffled_passes,
    train_language_adapters,
)
from xltransfer.randomness import child_seed
from xltransfer.runs.artefacts import artefact_metadata
from xltransfer.runs.unit import Unit, canonical_json


def train_adapters(context: InteractionContext, unit: Unit) -> None:
    """Train the unit's language adapters; raises `UnitError` where one of them fails."""
    names, model = adapters_of(unit), context.model
    context.forget(names)
    corpora = {
        name: context.corpora[language_of(member)] for name, (member,) in zip(names, members_of(unit), strict=True)
    }
    settings = adapter_settings(context)
    trained = train_language_adapters(
        model, corpora, context.vocabulary, settings, context.study.seed, at_once=len(names)
    ).trained
    try:
        _place(context, unit, {name: model.adapters[name] for name in names if name in model.adapters}, trained)
    finally:
        # The next unit loads them from the folder, as any other process does.
        context.forget(names)


def adapter_settings(context: InteractionContext) -> LanguageAdapterSettings:
    """Return how the study trains language adapters."""
    spec = context.study.interaction.adapters
    return LanguageAdapterSettings(
        adapter=context.adapter_config,
        block=context.study.interaction.block,
        batch_size=spec.batch_size,
        epochs=spec.epochs,
        steps=spec.steps,
        learning_rate=spec.learning_rate,
        decay=spec.schedule,
        mask_share=spec.mask_share,
        initial=spec.initial,
        base_dropout=spec.base_dropout,
        precision=context.study.engine.precision,
    )


def train_fusions(context: InteractionContext, unit: Unit) -> None:
    """Train the unit's fusions; raises `UnitError` where one of them fails."""
    context.load_parts(unit.needs)
    mixes, model = [Mix(members, TRAINED) for members in members_of(unit)], context.model
    try:
        trained = fuse_by_training(context, mixes, context.study.interaction.fusions.steps)
        _place(context, unit, {mix.label: model.fusions[mix.fusion_name] for mix in mixes}, trained)
    finally:
        for mix in mixes:
            if mix.fusion_name in model.fusions:
                del model.fusions[mix.fusion_name]


def fuse_by_training(context: InteractionContext, mixes: Sequence[Mix], steps: int) -> Mapping[str, Trained]:
    """Add a fusion for each of ``mixes`` to the model, train all of them in one pass, and tell how it went."""
    return train_together(
        context.model,
        [_trainee(context, mix, steps) for mix in mixes],
        base_dropout=context.study.interaction.fusions.base_dropout,
        precision=context.study.engine.precision,
    )


def _trainee(context: InteractionContext, mix: Mix, steps: int) -> Trainee:
    spec, root = context.study.interaction.fusions, context.fusion_seed(mix)
    return Trainee(
        mix.label,
        (context.fresh_fusion(mix),),
        _batches(context, mix, mix.below(None)),
        masked_lm_loss,
        DescentSettings(steps, spec.learning_rate, spec.schedule),
        seed=child_seed(root, "dropout"),
    )


def _batches(context: InteractionContext, mix: Mix, composition: Composition) -> Iterator[Batch]:
    spec, root = context.study.interaction.fusions, context.fusion_seed(mix)
    masks = np.random.default_rng(child_seed(root, "masks"))
    texts = [context.corpora[language_of(member)] for member in mix.members]
    seeds = [child_seed(root, "blocks", member) for member in mix.members]
    for rows in rows_in_turn(texts, spec.batch_size, seeds):
        masked = mask_tokens(rows, context.vocabulary, spec.mask_share, masks)
        yield Batch(torch.from_numpy(masked.ids), composition, gold=masked)


def rows_in_turn(texts: Sequence[NDArray[np.int32]], size: int, seeds: Sequence[int]) -> Iterator[NDArray[np.int32]]:
    """Yield batches [size, token] without end: rows of the texts [block, token] in turn, each in shuffled passes.

    After any number of batches the texts have given equally many rows, but for one.
    """
    passes = [shuffled_passes(len(text), 1, seed) for text, seed in zip(texts, seeds, strict=True)]
    given = 0
    while True:
        turns = [number % len(texts) for number in range(given, given + size)]
        yield np.concatenate([texts[turn][next(passes[turn])] for turn in turns])
        given += size


def _place(
    context: InteractionContext, unit: Unit, modules: Mapping[str, nn.Module], trained: Mapping[str, Trained]
) -> None:
    """Write all of the unit's modules, or raise `UnitError`."""
    problems = [f"{name}: {end.problem}" for name, end in trained.items() if end.problem is not None]
    if problems:
        raise UnitError("; ".join(problems))
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    training = {
        name: {"steps": len(end.losses), "first_loss": end.losses[0], "last_loss": end.losses[-1]}
        for name, end in trained.items()
    }
    metadata = artefact_metadata(unit) | {"xltransfer.training": canonical_json(training)}
    context.store.place_artefact(unit.id, lambda path: save_artefact(path, tensors, metadata))
