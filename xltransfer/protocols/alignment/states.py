"""The states of the model in which texts are compared, and the units that measure them.

A unit is one state (base, nudge or adapters) with all pairs that the study asks of it. As in a transfer study, what a
folder already has is told pair by pair from the keys of its units.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine import Stack
from xltransfer.errors import ConfigError
from xltransfer.protocols.alignment.pairs import Pair, pairs_of
from xltransfer.protocols.transfer.wanted import (
    BASELINE,
    NOISE,
    NUDGE,
    Model,
    Wanted,
    adapter_units,
    missing_models,
    models,
)

LANGUAGE, TASK, BOTH = "language_adapters", "task_adapters", "language_and_task_adapters"
"""Settings of rows beside those of a transfer study. In a unit's key the task adapter stands behind a space."""

Asked = dict[str, tuple[str, ...]]
"""Set of texts to the names of its pairs that are measured in a state."""


def wanted(resolved: ResolvedStudy, device: str, present: Mapping[str, Mapping[str, Any]]) -> Wanted:
    """Return the units of a study that are not covered by the ``present`` units (id to key) of its folder.

    Raises
    ------
    ConfigError
        See `states`.
    """
    adapters = adapter_units(resolved) if resolved.study.alignment.needs_task_adapters else {}
    trained = [unit for unit in adapters.values() if unit.id not in present]
    found = missing_models(states(resolved), resolved.study, device, present.values(), {})
    measured = []
    for unit in found.units:
        scorer = split_setting(str(unit.key["setting"]))[1]
        measured.append(replace(unit, needs=(adapters[scorer].id,)) if scorer else unit)
    return Wanted((*trained, *measured), len(adapters) - len(trained) + found.present, found.cells)


def states(resolved: ResolvedStudy) -> Iterator[Model]:
    """Yield every state with its steps, sets and pairs: the untouched model first.

    Raises
    ------
    ConfigError
        As `pairs.pairs_of`; or no nudge of the study has a pair that would be measured under it.
    """
    study = resolved.study
    pairs = _pairs(resolved)
    everything = {"0": {name: tuple(pair.name for pair in each) for name, each in pairs.items()}}
    yield Model(BASELINE, everything)
    if LANGUAGE in study.alignment.states:
        yield Model(LANGUAGE, everything)
    for state in (TASK, BOTH):
        if state in study.alignment.states:
            for scorer in adapter_units(resolved):
                yield Model(f"{state} {scorer}", everything)
    if "nudge" in study.alignment.states:
        for model, asked in _nudges(resolved, pairs):
            if asked:
                yield replace(model, scores=dict.fromkeys(model.scores, asked))


def never_made(resolved: ResolvedStudy) -> list[Model]:
    """Return the nudges and controls that are left out, because no compared pair would be measured under them.

    Raises
    ------
    ConfigError
        As `states`.
    """
    if "nudge" not in resolved.study.alignment.states:
        _pairs(resolved)
        return []
    return [model for model, asked in _nudges(resolved, _pairs(resolved)) if not asked]


def _pairs(resolved: ResolvedStudy) -> dict[str, tuple[Pair, ...]]:
    return {spec.name: pairs_of(resolved, spec) for spec in resolved.study.alignment.compared}


def _nudges(resolved: ResolvedStudy, pairs: Mapping[str, tuple[Pair, ...]]) -> list[tuple[Model, Asked]]:
    """Return the nudges and controls of the study's cells with the pairs that are measured under each."""
    found = list(_asked_of_nudges(resolved, pairs))
    if not any(asked for model, asked in found if model.setting == NUDGE):
        nudged = dict.fromkeys(model.corpus.language for model, _ in found if model.setting == NUDGE and model.corpus)
        compared = dict.fromkeys(code for each in pairs.values() for pair in each for code in pair.languages)
        raise ConfigError(
            f"alignment.states has nudge, but no nudged language is in a compared pair (nudged: {', '.join(nudged)}; "
            f"compared: {', '.join(compared)}); nudge others (cells), compare their texts too, or set under_nudge: all"
        )
    return found


def _asked_of_nudges(resolved: ResolvedStudy, pairs: Mapping[str, tuple[Pair, ...]]) -> Iterator[tuple[Model, Asked]]:
    """Yield every nudge and control of a nudge, and by set the names of the pairs that are measured under it."""
    specs = {spec.name: spec for spec in resolved.study.alignment.compared}
    for model in models(resolved):
        if model.setting in (BASELINE, NOISE) or model.corpus is None:
            continue
        language = model.corpus.language
        asked = {
            name: tuple(pair.name for pair in each if specs[name].under_nudge == "all" or language in pair.languages)
            for name, each in pairs.items()
        }
        yield model, {name: names for name, names in asked.items() if names}


def split_setting(setting: str) -> tuple[str, str]:
    """Return the setting of the rows, and the task adapter's name (``task@seed``) or an empty text."""
    name, _, scorer = setting.partition(" ")
    return name, scorer


def stack_for(setting: str, language: str) -> Stack:
    """Return what is on the base model for the side of a language in a state."""
    name, scorer = split_setting(setting)
    own = (adapter_name(language),) if name in (LANGUAGE, BOTH) else ()
    return Stack(*own, *((scorer,) if scorer else ()))


def adapter_name(language: str) -> str:
    """Return the name under which a language's adapter is loaded."""
    return f"language-{language}"
