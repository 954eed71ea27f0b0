"""What a table is before it has its frame, and the tables that the report of every protocol has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import pandas as pd

from xltransfer.report.tables import Column

S = TypeVar("S")


@dataclass(frozen=True)
class Declared(Generic[S]):
    """A table before it has its frame.

    Attributes
    ----------
    name, title, caption
        As of `tables.Table`.
    frame
        From the subject of a report to the frame.
    columns
        Names in the catalogue, or columns of this table alone.
    section
        Key of the page's section; empty for a file that the page does not show.
    """

    name: str
    title: str
    caption: str
    frame: Callable[[S], pd.DataFrame]
    columns: tuple[str | Column, ...]
    section: str = ""


def found(name: str) -> Callable[[Any], pd.DataFrame]:
    """Return the function that takes a frame of the findings as it is."""
    return lambda subject: subject.findings[name]


OF_EVERY_RUN: Final[tuple[Declared[Any], ...]] = (
    Declared(
        "failures", "Units that failed", "Their scores are missing everywhere, never 0; the next run tries them again.",
        found("failures"),
        (Column("unit", "unit"), Column("what", "what"), Column("error", "error"), Column("message", "message")),
        "run",
    ),
    Declared(
        "options", "Options beside the published ones",
        "Faisal and Anastasopoulos (2024), paper and code; an empty place is silent.",
        found("options"),
        (Column("option", "option"), Column("here", "here"), Column("paper", "paper"), Column("code", "code"),
         Column("differs", "differs", "flag"), Column("source", "source")),
        "options",
    ),
    Declared(
        "stored_options", "Options stored with the rows", "As every row of the measurements names them.",
        found("stored_options"),
        (Column("option", "option"), Column("value", "value"), Column("n_rows", "rows", "integer")),
        "options",
    ),
)  # fmt: skip
"""What failed, and what the run was asked to do."""

QUESTIONS: Final[Declared[Any]] = Declared(
    "questions", "Test sets of questions", "What is odd about their questions. Scored ones count all the same.",
    lambda subject: subject.findings["targets"].dropna(subset=["n_unscored"]),
    ("task", "target", "dataset", "n_items",
     Column("n_unscored", "not scored", "integer", hint="too long for windows of the paragraph to move on beside them"),
     Column("n_unheld", "in no window", "integer", hint="scored, but no window holds an answer whole"),
     Column("n_misplaced", "misplaced", "integer", hint="scored, but the answer does not stand at its offset"),
     Column("n_longer", "too long", "integer", hint="all answers have more subwords than predictions may have")),
    "data",
)  # fmt: skip
"""For runs with test sets; without rows where there are no questions."""


def baseline_table(title: str, caption: str, cells: str, aggregated: str) -> Declared[Any]:
    """Return the table of what everything is compared with; the last two are the heads of its counts."""
    return Declared(
        "baseline", title, caption, found("baseline"),
        ("base", "task", "metric", Column("score", "mean", "number", 1), Column("lowest", "lowest", "number", 1),
         Column("highest", "highest", "number", 1), Column("cells", cells, "integer"),
         Column("aggregated", aggregated, "integer"), Column("at_floor", "at floor", "integer"),
         Column("small", "small", "integer")),
        "data",
    )  # fmt: skip
