"""Whether a base model can do what a study asks of it; found out before any unit starts."""

from collections.abc import Iterator

from torch import nn

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.config.study import Study
from xltransfer.engine.loading import Loaded, load
from xltransfer.errors import ConfigError, ModelError


def refuse_base(resolved: ResolvedStudy) -> None:
    """Load the base model of a study and refuse it as `refuse_base_model`; raises as well what loading it raises."""
    refuse_base_model(resolved.study, resolved.model, load(resolved.model, resolved.study.base.revision))


def refuse_base_model(study: Study, model: str, loaded: Loaded) -> None:
    """Refuse a base model without what the study needs; ``model`` is its folder or hub id.

    Raises
    ------
    ModelError
        It holds no masked-LM head, or no pooler where the study replaces it.
    ConfigError
        As `refuse_too_long` and `refuse_too_narrow`.
    """
    if loaded.masked_lm is None:
        raise ModelError(f"base model {model!r} holds no masked-LM head, so nothing can be trained on text with it")
    choice = study.nudge.pooler
    if choice != "keep" and getattr(loaded.encoder, "pooler", None) is None:
        raise ModelError(f"nudge.pooler is {choice!r}, but base model {model!r} holds no pooler; say keep")
    refuse_too_long(study, loaded.encoder)
    refuse_too_narrow(study, loaded.encoder)


def refuse_too_long(study: Study, encoder: nn.Module) -> None:
    """Refuse lengths beyond the base model's positions, all together.

    Raises
    ------
    ConfigError
        With every setting that asks for more subwords than an absolute position table holds. Models with relative or
        rotary positions have no such table, and take any length.
    """
    positions = positions_of(encoder)
    if positions is None:
        return
    problems = [
        f"{name} is {length}, but the base model {study.base.name!r} has positions for {positions} subwords; give "
        f"{positions} or less"
        for name, length in _lengths(study)
        if length > positions
    ]
    if problems:
        raise ConfigError(problems)


def refuse_too_narrow(study: Study, encoder: nn.Module) -> None:
    """Refuse adapters whose bottleneck would have less than one unit, all together.

    Raises
    ------
    ConfigError
        With every reduction that is larger than the width which it reduces.
    """
    hidden = int(encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]
    problems = [
        f"{name} is {reduction:g}, but the base model {study.base.name!r} has only {hidden // parts} units to reduce "
        f"(hidden size {hidden}), so that no bottleneck would be left; give {hidden // parts} or less"
        for name, reduction, parts in _reductions(study)
        if reduction > hidden // parts
    ]
    if problems:
        raise ConfigError(problems)


def _reductions(study: Study) -> Iterator[tuple[str, float, int]]:
    """Yield every reduction of the study's adapters, and into how many parts the hidden states are taken before it."""
    for task in study.tasks:
        if task.adapter is not None:
            yield f"task {task.name!r}: adapter.reduction", task.adapter.reduction, 1
    if study.protocol == "interaction":
        own = study.interaction.adapters
        yield "interaction.adapters.reduction", own.reduction, 1
        if own.invertible is not None:
            yield "interaction.adapters.invertible", own.invertible, 2


def positions_of(encoder: nn.Module) -> int | None:
    """Return how many subwords an encoder has absolute positions for; None where it has no table of them."""
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, nn.Embedding):
        return None
    # RoBERTa counts positions from behind the one of padding.
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)


def _lengths(study: Study) -> Iterator[tuple[str, int]]:
    """Yield every setting of the study's protocol that is a number of subword positions."""
    if study.protocol == "interaction":
        yield "interaction.block", study.interaction.block
    else:
        yield "nudge.block", study.nudge.block
    if study.protocol == "alignment":
        yield "alignment.max_length", study.alignment.max_length
    for task in study.tasks:
        name = "block" if task.shape == "mlm" else "max_length"
        yield f"task {task.name!r}: {name}", getattr(task, name)
