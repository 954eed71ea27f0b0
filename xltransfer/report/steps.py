"""Findings, computed step by step: what every protocol's report is made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import pandas as pd

from xltransfer.runs.folder import Header

OnStep = Callable[[str, float], None]
"""Told the name of what is being done, and the share of all work that is done, 0 to 1."""

Frames = dict[str, pd.DataFrame]

OptionsT = TypeVar("OptionsT")
WorkT = TypeVar("WorkT", bound="Work")


@dataclass(frozen=True)
class Found(Generic[OptionsT]):
    """The frames of a report.

    Attributes
    ----------
    header
        What the run was made with.
    options
        What the report is about.
    metrics
        Task, or set of texts, to the metric that it is read by.
    languages
        code, name, family, genus, script, seen; a row per language of the run.
    frames
        By name, see the protocol's steps.
    notes
        Sentences that the page must say beside them.
    """

    header: Header
    options: OptionsT
    metrics: Mapping[str, str]
    languages: pd.DataFrame
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.frames[name]


@dataclass(kw_only=True)
class Work:
    """What the steps of a computation hand on to each other.

    Attributes
    ----------
    tell
        Takes the share of the present step that is done.
    frames
        Those found so far.
    """

    tell: Callable[[float], None] = lambda share: None
    frames: Frames = field(default_factory=dict)


@dataclass(frozen=True)
class Step(Generic[WorkT]):
    """A step of the computation: what is told of it, its share of the time, and the function."""

    name: str
    weight: float
    compute: Callable[[WorkT], Frames]


def run_steps(work: WorkT, steps: Sequence[Step[WorkT]], on_step: OnStep | None, before: float = 0.0) -> None:
    """Do the steps in order, each adding its frames to ``work``; ``before`` is the weight of what is done already."""
    whole, done = before + sum(step.weight for step in steps), before
    for step in steps:
        work.tell = _teller(on_step, step.name, done / whole, step.weight / whole)
        work.tell(0.0)
        work.frames |= step.compute(work)
        done += step.weight


def _teller(on_step: OnStep | None, name: str, start: float, span: float) -> Callable[[float], None]:
    """Return a callback that takes the share of one step that is done."""
    return lambda share: on_step(name, start + span * share) if on_step is not None else None
