"""Findings, and what tables, figures and sentences need to know about them: conditions, names, what is not said."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pandas as pd

from xltransfer.figures.labels import metric_label
from xltransfer.report.catalogue import CATALOGUE, in_scale
from xltransfer.report.findings import Findings
from xltransfer.report.names import labels_of
from xltransfer.report.tables import Column

CONDITION: Final = ["base", "task", "metric", "steps"]


@dataclass(frozen=True)
class Condition:
    """One base model, task, metric and number of steps."""

    base: str
    task: str
    metric: str
    steps: int

    @property
    def key(self) -> dict[str, Any]:
        """As columns of a frame."""
        return {"base": self.base, "task": self.task, "metric": self.metric, "steps": self.steps}


@dataclass(frozen=True)
class Subject:
    """Findings, and what all tables and figures need to know about them."""

    findings: Findings

    @cached_property
    def labels(self) -> dict[str, str]:
        """Language code to ``name (code)``; no code is all languages."""
        return {**labels_of(self.findings.languages), "": "all"}

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Cells, sorted as they are shown."""
        keys = [*CONDITION, "transfer", "corpus", "target", "dataset", "adapter_seed"]
        return self.findings["cells"].sort_values(keys, ignore_index=True)

    @cached_property
    def conditions(self) -> list[Condition]:
        """What has been scored after a nudge, in order."""
        rows = self.findings["ts"][CONDITION].drop_duplicates().sort_values(CONDITION)
        order = {task: place for place, task in enumerate(self.findings.metrics)}
        found = [Condition(str(b), str(t), str(m), int(k)) for b, t, m, k in rows.itertuples(index=False, name=None)]
        return sorted(found, key=lambda each: (each.base, order[each.task], each.steps))

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Base and task, in order."""
        return list(dict.fromkeys((each.base, each.task) for each in self.conditions))

    @cached_property
    def tasks(self) -> list[str]:
        """Tasks that have been scored after a nudge, in the order of the study."""
        return list(dict.fromkeys(each.task for each in self.conditions))

    def of_task(self, base: str, task: str) -> list[Condition]:
        """Return the conditions of a task."""
        return [each for each in self.conditions if (each.base, each.task) == (base, task)]

    def headline(self, base: str, task: str) -> Condition:
        """Return the condition that the summary speaks of: most cells, and of several such the largest k.

        Chosen by design, not by result: to look for the k with the strongest effects would find noise.
        """
        sizes = self.findings["ts"].groupby(CONDITION).size()
        return max(self.of_task(base, task), key=lambda each: (sizes[tuple(each.key.values())], each.steps))

    def rows(self, name: str, condition: Condition, **more: Any) -> pd.DataFrame:
        """Return the rows of one condition of a frame; rows of controls are left out."""
        frame = self.findings[name]
        wanted = condition.key | ({"setting": "nudge"} if "setting" in frame else {}) | more
        for column, value in wanted.items():
            frame = frame[frame[column] == value]
        return frame

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Identifying columns that say nothing in this run."""
        ts = self.findings["ts"]
        hidden = {"setting", "device"}
        hidden |= {"base"} if ts["base"].nunique() <= 1 else set()
        hidden |= {"adapter_seed"} if ts.groupby("task")["adapter_seed"].nunique().max() <= 1 else set()
        hidden |= {"corpus"} if not self.several else set()
        per_target = self.findings["targets"].groupby(["task", "target"])["dataset"].nunique()
        return frozenset(hidden | ({"dataset"} if len(per_target) == 0 or per_target.max() <= 1 else set()))

    @cached_property
    def several(self) -> frozenset[str]:
        """Transfer languages with several corpora."""
        corpora = self.findings["ts"].groupby("transfer")["corpus"].nunique()
        return frozenset(str(code) for code in corpora.index[corpora > 1])

    def slug(self, condition: Condition, seed: Any = None) -> str:
        """Return a part of a file name for a condition."""
        parts = [condition.base] if "base" not in self.hidden else []
        parts += [condition.task, condition.metric, f"k{condition.steps}"]
        return "_".join([*parts, *([f"seed{seed}"] if seed is not None else [])])

    def said(self, condition: Condition) -> str:
        """Return a condition in words."""
        base = f", {condition.base}" if "base" not in self.hidden else ""
        return f"{condition.task} {metric_label(condition.metric)}, k = {condition.steps}{base}"

    def columns(self, *names: str | Column) -> tuple[Column, ...]:
        """Return columns of the catalogue by name, without those that say nothing in this run, and columns as given."""
        named = [CATALOGUE[name] if isinstance(name, str) else name for name in names if name not in self.hidden]
        return tuple(in_scale(each, self.findings.options.scale) for each in named)
