"""Findings of an interaction run, and what tables, figures and sentences need to know about them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pandas as pd

from xltransfer.analysis.interference import STUDY
from xltransfer.figures.labels import metric_label
from xltransfer.report.catalogue import CATALOGUE
from xltransfer.report.interaction.findings import Findings
from xltransfer.report.names import labels_of
from xltransfer.report.tables import Column

AGAINST: Final = {"second_adapter": "[AA′]", "same": "[A]"}
"""What compositions are compared with; the capacity control first, for it is the interference itself."""

KINDS: Final = ("trained", "untrained", "uniform")

CALLED: Final = {2: "pairs", 3: "threes"}


@dataclass(frozen=True)
class Condition:
    """One base model, task, metric and kind of fusion."""

    base: str
    task: str
    metric: str
    fusion: str

    @property
    def key(self) -> dict[str, Any]:
        """As columns of a frame."""
        return {"base": self.base, "task": self.task, "metric": self.metric, "fusion": self.fusion}


@dataclass(frozen=True)
class Subject:
    """Findings, and what all tables and figures need to know about them."""

    findings: Findings

    @cached_property
    def labels(self) -> dict[str, str]:
        """Language code to ``name (code)``."""
        return labels_of(self.findings.languages)

    @cached_property
    def conditions(self) -> list[Condition]:
        """What has been compared, in the order of the study's tasks; trained fusions first."""
        rows = self.findings["differences"][STUDY].drop_duplicates()
        order = {task: place for place, task in enumerate(self.findings.metrics)}
        found = [Condition(*map(str, row)) for row in rows.itertuples(index=False, name=None)]
        return sorted(found, key=lambda each: (each.base, order[each.task], KINDS.index(each.fusion)))

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Base and task, in order."""
        return list(dict.fromkeys((each.base, each.task) for each in self.conditions))

    def of_task(self, base: str, task: str) -> list[Condition]:
        """Return the conditions of a task."""
        return [each for each in self.conditions if (each.base, each.task) == (base, task)]

    def rows(self, name: str, condition: Condition, **more: Any) -> pd.DataFrame:
        """Return the rows of one condition of a frame."""
        frame = self.findings[name]
        for column, value in (condition.key | more).items():
            frame = frame[frame[column] == value]
        return frame

    @cached_property
    def controls(self) -> list[str]:
        """What the run is compared with."""
        there = set(self.findings["differences"]["control"])
        return [control for control in AGAINST if control in there]

    @cached_property
    def sizes(self) -> list[int]:
        """How many languages are fused: 2, 3 or both."""
        return sorted(int(size) for size in self.findings["differences"]["size"].unique())

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Identifying columns that say nothing in this run."""
        rows = self.findings["differences"]
        single = {name for name in ("base", "fusion") if rows[name].nunique() <= 1}
        per_target = self.findings["targets"].groupby(["task", "target"])["dataset"].nunique()
        return frozenset(single | ({"dataset"} if per_target.max() <= 1 else set()))

    def slug(self, condition: Condition) -> str:
        """Return a part of a file name for a condition."""
        base = [condition.base] if "base" not in self.hidden else []
        return "_".join([*base, condition.task, condition.metric, condition.fusion])

    def said(self, condition: Condition) -> str:
        """Return a condition in words."""
        base = f", {condition.base}" if "base" not in self.hidden else ""
        return f"{condition.task} {metric_label(condition.metric)}, {condition.fusion} fusion{base}"

    def columns(self, *names: str | Column) -> tuple[Column, ...]:
        """Return columns of the catalogue by name, and columns as given, without those that say nothing here."""
        found = (CATALOGUE[each] if isinstance(each, str) else each for each in names)
        return tuple(column for column in found if column.name not in self.hidden)

    def against(self) -> Iterator[tuple[str, str]]:
        """Yield the controls of the run and how they are written."""
        yield from ((control, AGAINST[control]) for control in self.controls)
