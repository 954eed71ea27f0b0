"""Which tables the report of an interaction run has: for each its frame, its columns and what it is called."""

from collections.abc import Callable, Iterator
from typing import Final

import pandas as pd

from xltransfer.analysis.interference_signs import PATTERNS, UNSIGNED
from xltransfer.report.declared import OF_EVERY_RUN, QUESTIONS, Declared, baseline_table, found
from xltransfer.report.interaction.subject import AGAINST, CALLED, Subject
from xltransfer.report.tables import Column, Table


def tables(subject: Subject) -> list[Table]:
    """Return all tables of a report, those without rows too."""
    declared = [*(_signs(size) for size in subject.sizes), *DECLARED]
    return [
        Table(each.name, each.title, each.caption, each.frame(subject), subject.columns(*each.columns), subject.labels,
              each.section)
        for each in declared
    ]  # fmt: skip


def _against(name: str) -> Callable[[Subject], pd.DataFrame]:
    """Return the function that takes a frame of the findings with its controls as they are written."""

    def frame(subject: Subject) -> pd.DataFrame:
        rows = subject.findings[name]
        return rows.assign(against=rows["control"].map(AGAINST))

    return frame


def _signs(size: int) -> Declared[Subject]:
    """Return the table of sign counts in pairs, or in threes."""

    def frame(subject: Subject) -> pd.DataFrame:
        rows = _against("signs")(subject)
        others = [pattern for other, patterns in PATTERNS.items() if other != size for pattern in patterns]
        # Patterns of the other size are columns where the run has compositions of that size too.
        kept = rows.loc[rows["size"] == size, [name for name in rows if name not in others]].reset_index(drop=True)
        return kept.assign(n=kept[list(PATTERNS[size])].sum(axis=1))

    heads = {pattern: _spaced(pattern) for pattern in PATTERNS[size]}
    partners = "partners" if size == 2 else "pairs of partners"
    return Declared(
        f"signs_{CALLED[size]}",
        f"Gains and losses in {CALLED[size]}",
        f"How many {partners} of language A make it and them gain (+) or lose (−). Ties, missing scores and partners "
        "that the order cannot tell apart stand apart and are in no sign; n: compositions with signs.",
        frame,
        (*_WHICH, _AGAINST, _LANGUAGE, *(Column(name, head, "integer") for name, head in heads.items()),
         Column("n", "n", "integer"), *(Column(name, name, "integer") for name in UNSIGNED)),
        "signs",
    )  # fmt: skip


def _improvement(subject: Subject) -> pd.DataFrame:
    """Return how many languages improve, settings in words."""
    rows = subject.findings["improvement"]
    words = {"a1": "[A]", "a2": "[AB], mean", "a3": "[ABC], mean", "any": "any of these"}
    return rows.assign(said=rows["setting"].map(words))


def _spaced(pattern: str) -> str:
    """Return ``−A +B`` for ``-A+B``."""
    parts = [pattern[place : place + 2] for place in range(0, len(pattern), 2)]
    return " ".join(parts).replace("-", "\u2212")


def _three(name: str, head: str, hint: str, digits: int = 2) -> Iterator[Column]:
    """Yield an estimate and the ends of its interval."""
    yield Column(name, head, "number", digits, hint=hint)
    yield Column(f"{name}_low", "from", "number", digits, wide=name == "z")
    yield Column(f"{name}_high", "to", "number", digits, wide=name == "z")


_FUSION: Final = Column("fusion", "fusion")
_WHICH: Final = ("base", "task", "metric", _FUSION)
_AGAINST: Final = Column("against", "against", hint="[A]: its own adapter; [AA′]: two adapters of its own, fused")
_SIZE: Final = Column("size", "languages fused", "integer")
_LANGUAGE: Final = Column("language", "language A", "language")

DECLARED: Final[tuple[Declared[Subject], ...]] = (
    Declared(
        "projections", "Where each language lies",
        "x: share of its compositions in which A gains less the share in which it loses; y, z: the same of its "
        "partners. 95 % intervals of each axis, for other partner languages.",
        _against("projections"),
        (*_WHICH, _AGAINST, _SIZE, _LANGUAGE, *_three("x", "x", "what A receives"),
         *_three("y", "y", "what B receives"), *_three("z", "z", "what C receives"),
         Column("leaves_origin", "off the origin", "flag", hint="the ellipse of x and y leaves the origin out"),
         Column("n", "n", "integer", hint="compositions with signs"),
         Column("n_partners", "partners", "integer", wide=True), Column("n_tie", "ties", "integer", wide=True),
         Column("n_missing", "missing", "integer", wide=True), Column("why", "no ellipse because", wide=True)),
        "places",
    ),
    Declared(
        "balance", "How many members gain, beside what no effect would give",
        "A row of the table of compositions counts once. p: of the share of gains being half of what is no tie. 95 % "
        "intervals leave out one language at a time.",
        _against("balance"),
        (*_WHICH, _AGAINST, _SIZE, Column("n_cells", "members", "integer"), Column("n_gain", "gain", "integer"),
         Column("n_loss", "lose", "integer"), Column("n_tie", "tie", "integer"),
         Column("n_missing", "missing", "integer"), Column("estimate", "gain", "number", 1, "%"),
         Column("low", "from", "number", 1, "%"), Column("high", "to", "number", 1, "%"),
         Column("percent_if_no_effect", "if no effect", "number", 1, "%"), Column("p", "p", "p"),
         Column("mean", "mean difference", "number", 2, hint="points or nats, positive is better"),
         Column("mean_low", "from", "number", 2), Column("mean_high", "to", "number", 2),
         Column("mean_p", "p of the mean", "p", wide=True), Column("why", "no interval because", wide=True)),
        "signs",
    ),
    Declared(
        "capacity", "Gains against [A], and what is left of them against [AA′]",
        "Means over members of compositions, points or nats: against the single adapter [A] as published, against two "
        "adapters of the same language [AA′], and what the second takes away. 95 % intervals for other languages.",
        found("control"),
        (*_WHICH, _SIZE, *_three("published", "against [A]", "as in the paper"),
         *_three("controlled", "against [AA′]", "with the capacity control"),
         *_three("removed", "removed", "[AA′] less [A]"),
         Column("percent_removed", "removed", "number", 0, "%", "only where the published mean is clear of 0"),
         Column("n_gain", "gains", "integer", hint="against [A]"),
         Column("n_kept", "kept", "integer", hint="of these, gains against [AA′] too"),
         Column("n_cells", "members", "integer"), Column("why", "no interval because", wide=True)),
        "capacity",
    ),
    Declared(
        "fusions", "Kinds of fusion beside each other",
        "Mean scores on the same compositions and languages; difference: the first less the second, positive is "
        "better. 95 % intervals for other languages.",
        found("fusions"),
        ("base", "task", "metric", _SIZE, Column("fusion", "kind"), Column("other", "beside"),
         Column("score", "score", "number", 2), Column("other_score", "score of the other", "number", 2),
         Column("estimate", "difference", "number", 2), Column("low", "from", "number", 2),
         Column("high", "to", "number", 2), Column("p", "p", "p"),
         Column("n_same", "same sign", "integer", hint="against [A]"), Column("n_cells", "members", "integer"),
         Column("why", "no interval because", wide=True)),
        "fusions",
    ),
    Declared(
        "adapters", "Every language without and with language adapters",
        "Scores on its own test data in percent or nats: the task adapter alone [T], under its own adapter [A], means "
        "of its pairs [AB] and of its threes [ABC]. Empty, and not counted as improved or not: languages whose test "
        "sets are at the floor or small, and compositions that lack a seed or a test set.",
        found("adapters"),
        (*_WHICH, Column("language", "language", "language"), Column("base_score", "[T]", "number", 2),
         Column("a1", "[A]", "number", 2), Column("a2", "[AB]", "number", 2), Column("a3", "[ABC]", "number", 2),
         Column("improves_a1", "[A] better", "flag"), Column("improves_a2", "[AB] better", "flag"),
         Column("improves_a3", "[ABC] better", "flag"), Column("n_pairs", "pairs", "integer"),
         Column("n_triples", "threes", "integer")),
        "alone",
    ),
    Declared(
        "improvement", "How many languages improve", "Exact binomial intervals, for other languages.",
        _improvement,
        (*_WHICH, Column("said", "setting"),
         Column("n_improved", "better", "integer"), Column("n_languages", "languages", "integer"),
         Column("percent", "better", "number", 0, "%"), Column("low", "from", "number", 0, "%"),
         Column("high", "to", "number", 0, "%")),
        "alone",
    ),
    Declared(
        "compositions", "Every composition",
        "Score of a member on its own test data, and what it gains (points or nats, positive is better) with the "
        "standard error that sampling sentences gives it, both compositions being scored on the same ones.",
        found("compositions"),
        (*_WHICH, Column("members", "fused"), _LANGUAGE, Column("score", "score", "number", 2),
         *(column for control, against in (("same", "[A]"), ("second_adapter", "[AA′]")) for column in (
             Column(f"reference_{control}", against, "number", 2, hint="score of what it is compared with", wide=True),
             Column(f"difference_{control}", f"less {against}", "number", 2),
             Column(f"standard_error_{control}", "s.e.", "number", 2),
             Column(f"in_se_{control}", "in s.e.", "number", 1, wide=True),
             Column(f"why_{control}", "no sign because", wide=True))), ),
        "compositions",
    ),
    Declared(
        "scores", "Scores of everything", "Compositions on every test set, with item standard errors.",
        found("scores"),
        (*_WHICH, "target", "dataset", Column("composition", "composition"), Column("members", "members"),
         "adapter_seed", "score", Column("standard_error", "s.e.", "number", 2), "n_items"),
    ),
    baseline_table("The task adapter alone", "Mean over the test sets that count.", "test sets", "counted"),
    Declared(
        "targets", "Test sets",
        "As the run found them. One that is small, unreadable or at the floor is scored, but gives no sign.",
        found("targets"),
        ("task", "target", "dataset", "n_items", "n_lost", "n_clusters", "counted", Column("size", "size", "integer"),
         "small", "unknown_share", "unreadable", "baseline", "trivial", "p_floor", "at_floor"),
        "data",
    ),
    QUESTIONS,
    Declared(
        "progress", "How far the run is", "Compositions that the study asks for, and those that have any score.",
        found("progress"),
        (Column("setting", "setting"), Column("composition", "composition"), Column("wanted", "wanted", "integer"),
         Column("there", "there", "integer"), Column("missing", "missing", "integer")),
        "run",
    ),
    *OF_EVERY_RUN,
)  # fmt: skip
"""Every table but the sign counts, whose columns depend on how many languages are fused."""
