"""Settings of an alignment study: which texts are compared, and in which states of the model.

The states of a base that was nudged are those of a transfer study: the same corpora, cells, replicates and seeds give
the same models, so that a change of alignment can be laid beside a transfer score.
"""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from xltransfer.config.base import Frozen
from xltransfer.config.manifests import Layout
from xltransfer.config.task import TASK_NAME, Selection, list_problems, refuse, repeated

State = Literal["nudge", "language_adapters", "task_adapters", "language_and_task_adapters"]

LAYOUTS: tuple[Layout, ...] = ("text", "conllu", "pairs", "labelled", "bio")
"""What can be compared: whatever has texts."""


class Compared(Frozen):
    """Texts of several languages that are compared with each other, two at a time, never two of one language."""

    name: str = Field(pattern=TASK_NAME)
    """Name in results, where tasks have theirs."""
    kind: Literal["matched", "unmatched"] = "matched"
    """``matched``: translations (so their dataset must say), item by item. ``unmatched``: all pairs of any texts."""
    data: tuple[Selection, ...] = Field(min_length=1)
    """Entries; each is one side."""
    split: str = Field(default="test", min_length=1)
    """Split that is read."""
    sources: tuple[str, ...] | None = None
    """Codes of languages of which one side must be; None: any two."""
    under_nudge: Literal["transfer", "all"] = "transfer"
    """Pairs measured under a nudge: ``transfer``, those with the transfer language on one side; or ``all``."""
    max_items: int = Field(default=500, ge=5)
    """Texts of a side, the first ones; of unmatched texts the paper takes 500."""

    @model_validator(mode="after")
    def _not_empty_nor_double(self, info: ValidationInfo) -> Self:
        refuse(list_problems(self, ("sources",)), info)
        return self


class Alignment(Frozen):
    """What an alignment study compares."""

    compared: tuple[Compared, ...] = ()
    """Sets of texts (protocol ``alignment``, which needs at least one)."""
    states: tuple[State, ...] = ("nudge",)
    """States beside the untouched model: the study's ``cells`` with their controls; each side under its own language's
    adapter; both under each task adapter; or under both, the language's below the task's (tlr2023, Figure 3)."""
    adapters: str | None = None
    """Folder with a language adapter for each compared language, by code, relative to the data root."""
    max_length: int = Field(default=256, ge=3)
    """Subword positions of a text, special tokens included; longer ones are cut."""

    @model_validator(mode="after")
    def _fields_agree(self, info: ValidationInfo) -> Self:
        problems = []
        if twice := repeated([each.name for each in self.compared]):
            problems.append(f"compared sets share a name: {twice}")
        if twice := repeated(self.states):
            problems.append(f"states lists twice: {twice}")
        if self.needs_language_adapters and self.adapters is None:
            problems.append(
                "states has language adapters, but adapters does not say where they are; train them with 'xltransfer "
                "adapters train' and name the folder"
            )
        if self.adapters is not None and not self.needs_language_adapters:
            problems.append(
                f"adapters says where language adapters are, but states has {', '.join(self.states) or 'nothing'}; add "
                "language_adapters or language_and_task_adapters to states, or leave adapters out"
            )
        refuse(problems, info)
        return self

    @property
    def needs_language_adapters(self) -> bool:
        """Whether any state has language adapters."""
        return any(state.startswith("language") for state in self.states)

    @property
    def needs_task_adapters(self) -> bool:
        """Whether any state has task adapters."""
        return any(state.endswith("task_adapters") for state in self.states)
