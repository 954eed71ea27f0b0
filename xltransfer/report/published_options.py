"""Where a run's options differ from the published study: its paper, and its code where that says something else.

One row of `PUBLISHED` is one option of a study file. The values are those of Faisal and Anastasopoulos (2024), §2,
appendices C to E, and of the scripts published with it; where the paper is silent there is no value for it. Options
that the paper does not know (the size of a scoring batch) are not listed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

SILENT: Final = object()
"""Stands where a source says nothing; None is a value of its own (no limit)."""


@dataclass(frozen=True)
class Published:
    """What was published about one option.

    Attributes
    ----------
    path
        Dotted path in the study; ``tasks.adapter`` stands for the adapter of every task.
    paper, code
        Value in the paper and in its code, or `SILENT`.
    source
        Where the value stands.
    shapes
        Task shapes that it is about; empty for all, or for an option that is no task's.
    nothing
        What it means to leave the option empty.
    """

    path: str
    paper: Any
    code: Any
    source: str
    shapes: tuple[str, ...] = ()
    nothing: str = "no limit"


_LABELLED: Final = ("pos", "dep", "ner")

PUBLISHED: Final = (
    Published("base.name", "mbert-uncased", "mbert-cased", "App. D; scripts"),
    Published("nudge.batch_size", 8, 8, "App. E"),
    Published("nudge.block", 512, 512, "App. E"),
    Published("nudge.learning_rate", 5e-5, 5e-5, "App. E"),
    Published("nudge.schedule", SILENT, "linear", "scripts, library defaults"),
    Published("nudge.weight_decay", SILENT, 0.0, "scripts, library defaults"),
    Published("nudge.mask_share", SILENT, 0.15, "scripts, library defaults"),
    Published("nudge.pooler", SILENT, "reinitialise", "scripts (NLI)"),
    Published("nudge.dropout", SILENT, True, "scripts, library defaults"),
    Published("transfer.tokens", "10,000 lines", "10,000 lines, short texts repeated", "App. C.1; scripts"),
    Published("transfer.replicates", 10, 10, "§2"),
    Published("cells.steps", [1, 10, 100, 1000], [1, 10, 100, 1000], "App. E"),
    Published("tasks.adapter.seeds", 1, 1, "App. E", _LABELLED),
    Published("tasks.adapter.epochs", 5, 5, "App. E", _LABELLED),
    Published("tasks.adapter.batch_size", 36, 36, "App. E", ("pos", "ner")),
    Published("tasks.adapter.batch_size", 36, 12, "App. E; scripts", ("dep",)),
    Published("tasks.adapter.learning_rate", 5e-4, 5e-4, "App. E", _LABELLED),
    Published("tasks.adapter.reduction", 16, 16, "App. E", _LABELLED),
    Published("tasks.adapter.initial", SILENT, "bert", "scripts, library defaults", _LABELLED),
    Published("tasks.max_length", 256, 256, "App. E", _LABELLED),
    Published("tasks.max_train_sentences", 1000, SILENT, "App. C.2", ("pos", "dep")),
    Published("tasks.max_sentences", None, None, "App. C.3", _LABELLED),
    Published("engine.stack", SILENT, "adapterhub", "scripts, library defaults"),
    Published("engine.rules", SILENT, "adapterhub", "scripts, library defaults"),
)
"""Every option of a transfer study that the paper or its code states, in the order of a study file."""

INTERACTION: Final = (
    *(each for each in PUBLISHED if each.path.partition(".")[0] not in ("nudge", "transfer", "cells")),
    Published("transfer.tokens", "10,000 lines", "10,000 lines, short texts repeated", "App. C.1; scripts"),
    Published("interaction.pairs", "all", "all", "§2; scripts"),
    Published("interaction.triples", "all", "all", "§2; scripts"),
    Published("interaction.fusion", SILENT, ["untrained"], "scripts: a fresh fusion at prediction time"),
    Published("interaction.capacity_control", False, False, "§2"),
    Published("interaction.targets", "members", "all", "§2; scripts"),
    Published("interaction.block", 256, 512, "App. E; scripts"),
    Published("interaction.adapters.reduction", 16, 16, "App. E"),
    Published("interaction.adapters.invertible", None, None, "App. E; scripts", nothing="none"),
    Published("interaction.adapters.batch_size", 8, 8, "App. E"),
    Published("interaction.adapters.epochs", 3, 3, "App. E"),
    Published("interaction.adapters.steps", None, None, "App. E: epochs alone", nothing="as many as the epochs take"),
    Published("interaction.adapters.learning_rate", 5e-4, 5e-5, "App. E; scripts"),
    Published("interaction.adapters.mask_share", SILENT, 0.15, "scripts, library defaults"),
    Published("interaction.adapters.initial", SILENT, "bert", "scripts, library defaults"),
    Published("interaction.adapters.base_dropout", SILENT, "on", "scripts, library defaults"),
)
"""The same of an interaction study."""

COLUMNS: Final = ["option", "here", "paper", "code", "source", "differs"]


def compared_options(study: Mapping[str, Any]) -> pd.DataFrame:
    """Return the options of a study beside the published ones.

    Parameters
    ----------
    study
        The study as ``run.json`` holds it; its protocol says which options there are.

    Returns
    -------
    DataFrame
        option, here, paper, code (as text, empty where the source is silent), source, differs (from the paper, or from
        its code where the paper is silent); a row per option, and per task where it is a task's.
    """
    rows = []
    for published in INTERACTION if study.get("protocol") == "interaction" else PUBLISHED:
        for option, here in _values(study, published):
            stated = published.code if published.paper is SILENT else published.paper
            shown = [_text(value, published.nothing) for value in (here, published.paper, published.code)]
            rows.append((option, *shown, published.source, here != stated))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"differs": bool})


def _values(study: Mapping[str, Any], published: Published) -> Iterator[tuple[str, Any]]:
    """Yield name and value of an option in this study, once a task where it is a task's."""
    first, *rest = published.path.split(".")
    if first == "tasks":
        for task in study.get("tasks", ()):
            if task["shape"] in published.shapes:
                yield f"{'.'.join(rest)} ({task['name']})", _at(task, rest)
    elif first == "cells":
        yield "steps k", sorted({cell["steps"] for cell in study.get("cells", ())})
    else:
        yield published.path, _at(study, [first, *rest])


def _at(part: Any, path: list[str]) -> Any:
    """Return the value at a path, `SILENT` where a part of it is missing."""
    for name in path:
        part = part.get(name, SILENT) if isinstance(part, Mapping) else SILENT
    return part


def _text(value: Any, nothing: str) -> str:
    """Return a value as a study file writes it."""
    if isinstance(value, list):
        return ", ".join(_text(each, nothing) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is SILENT:
        return ""
    return nothing if value is None else f"{value:g}" if isinstance(value, float) else str(value)
