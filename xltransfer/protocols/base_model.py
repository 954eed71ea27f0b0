"""Whether a base model can do what a study asks of it; found out before any unit starts."""

from collections.abc import Iterator

from torch import nn

from xltransfer.config.study import Study
from xltransfer.engine.loading import Loaded
from xltransfer.errors import ConfigError, ModelError


def refuse_base_model(study: Study, model: str, loaded: Loaded) -> None:
    """Refuse a base model without what the study needs; ``model`` is its folder or hub id.

    Raises
    ------
    ModelError
        It holds no masked-LM head, or no pooler where the study replaces it.
    ConfigError
        As `refuse_too_long`.
    """
    if loaded.masked_lm is None:
        raise ModelError(f"base model {model!r} holds no masked-LM head, so nothing can be trained on text with it")
    choice = study.nudge.pooler
    if choice != "keep" and getattr(loaded.encoder, "pooler", None) is None:
        raise ModelError(f"nudge.pooler is {choice!r}, but base model {model!r} holds no pooler; say keep")
    refuse_too_long(study, loaded.encoder)


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
