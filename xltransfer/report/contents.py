"""Which tables a report has: for each its frame, its columns, what it is called and where it stands.

A table is a declaration: a row of `DECLARED`, and one ranking for each condition. What a frame holds beyond the named
columns is in the CSV file.
"""

from collections.abc import Callable
from typing import Final

import pandas as pd

from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY
from xltransfer.figures.labels import interval_note
from xltransfer.report.declared import OF_EVERY_RUN, QUESTIONS, Declared, baseline_table, found
from xltransfer.report.subject import CONDITION, Condition, Subject
from xltransfer.report.tables import Column, Table
from xltransfer.report.typology_tables import pair_tables

INTERVAL: Final = ("estimate", "low", "high", "p")


def tables(subject: Subject) -> list[Table]:
    """Return all tables of a report, those without rows too."""
    ranked = league(subject)
    rankings = [_ranking(subject, condition, ranked) for condition in subject.conditions]
    return [*rankings, *(_table(subject, declared) for declared in DECLARED), *pair_tables(subject)]


def _table(subject: Subject, declared: Declared[Subject]) -> Table:
    """Return a declared table with its frame."""
    frame = declared.frame(subject)
    caption = f"{declared.caption} {_intervals(frame)}".strip()
    columns = subject.columns(*declared.columns)
    return Table(declared.name, declared.title, caption, frame, columns, subject.labels, declared.section)


def _intervals(frame: pd.DataFrame) -> str:
    """Return what the intervals of a frame are; nothing for a frame without."""
    needed = {"estimate", "low", "level", "estimand", "why"}
    return interval_note(frame) if needed <= set(frame.columns) and len(frame) else ""


def _ranking(subject: Subject, condition: Condition, ranked: pd.DataFrame) -> Table:
    """Return the ranking of the transfer languages after one number of steps."""
    rows = ranked[(ranked[CONDITION] == list(condition.key.values())).all(axis=1)].reset_index(drop=True)
    return Table(
        f"ranking_{subject.slug(condition)}",
        f"Transfer languages by their aggregate: {subject.said(condition)}",
        f"Mean over targets, self-transfer included. {_intervals(rows)} Ranks: simultaneous 95 % sets.",
        rows,
        subject.columns("rank", "transfer", "corpus", *INTERVAL, "rank_low", "rank_high", "p_top5", "shrunk",
                        "without_self", "family", "words", "percent_positive", "percent_if_no_effect", "variance",
                        "n_max", "n_min", "n_targets", "n_replicates"),
        subject.labels,
        "languages",
    )  # fmt: skip


def league(subject: Subject) -> pd.DataFrame:
    """Return the aggregates by transfer language with all that is said of them, side by side.

    base, setting, task, metric, steps, transfer, corpus, n_targets, n_replicates, the columns of an interval (macro,
    self-transfer included); without_self, family, words (estimates of the other averages); rank, rank_low, rank_high,
    p_top5; shrunk, shrunk_low, shrunk_high; percent_positive, percent_if_no_effect, variance, variance_corrected,
    n_max, n_min. Sorted by rank within a condition.
    """
    found, key = subject.findings, [*STUDY, *ENTRY]
    whole = found["shrunk"].drop(columns=["weighting", "include_self", "n_shrunk", "mean", "tau2", "i2"])
    others = found["aggregates"]
    for name, weighting, own in (
        ("without_self", "macro", False),
        ("family", "family", True),
        ("words", "words", True),
    ):
        rows = others[(others["weighting"] == weighting) & (others["include_self"] == own)]
        whole = whole.merge(rows[[*key, "estimate"]].rename(columns={"estimate": name}), how="left", on=key)
    ranks = found["rank_sets"][[*key, "rank", "rank_low", "rank_high", "p_top5"]]
    ranking = found["ranking"].drop(columns=["rank", "n_targets", "aggregated_transfer", "without_self"])
    ranking = ranking.rename(columns={"percent_positive_if_no_effect": "percent_if_no_effect"})
    whole = whole.merge(ranks, how="left", on=key).merge(ranking, how="left", on=[*CONDITION, *ENTRY])
    return whole.sort_values([*CONDITION, "rank", *ENTRY], ignore_index=True)


def receivers(subject: Subject) -> pd.DataFrame:
    """Return the aggregates by target with the share of transfer languages that help, and what the target can show."""
    found, key = subject.findings, [*STUDY, *RECEIVER]
    shares = found["recipients"].drop(columns=["n_transfers"])
    rows = found["target_aggregates"].merge(shares, how="left", on=key)
    return rows.sort_values([*CONDITION, "estimate"], ascending=[True] * 4 + [False], ignore_index=True)


def _only(name: str, **wanted: object) -> Callable[[Subject], pd.DataFrame]:
    """Return the function that takes the rows of a frame with these values."""

    def rows(subject: Subject) -> pd.DataFrame:
        frame = subject.findings[name]
        for column, value in wanted.items():
            frame = frame[frame[column] == value]
        return frame.reset_index(drop=True)

    return rows


def _shrinkage(subject: Subject) -> pd.DataFrame:
    """Return what the aggregates of each condition say together: mean, tau² and I²."""
    frame = subject.findings["shrunk"]
    return frame[[*STUDY, "n_shrunk", "mean", "tau2", "i2", "scale"]].drop_duplicates(ignore_index=True)


def _reliability(subject: Subject) -> pd.DataFrame:
    """Return reliabilities with statistic and unit in words."""
    frame = subject.findings["reliability"]
    said = {
        "icc_single": "ICC(1), one replicate", "icc_mean": "ICC(1, R), mean of all",
        "split_half_pearson": "split half, Pearson",
        "split_half_spearman": "split half, Spearman", "spearman_brown": "split half, Spearman-Brown",
    }  # fmt: skip
    return frame.assign(statistic=frame["statistic"].map(said).fillna(frame["statistic"]))


def _seen(subject: Subject) -> pd.DataFrame:
    """Return the four blocks with seen and unseen in words."""
    frame, said = subject.findings["seen_unseen"], {True: "seen", False: "unseen"}
    return frame.assign(**{side: frame[side].map(said) for side in ("transfer_seen", "target_seen")})


def _controls(subject: Subject) -> pd.DataFrame:
    """Return what the controls did, on the metrics that the report is about."""
    frame = subject.findings["controls"]
    return frame[frame["metric"] == frame["task"].map(subject.findings.metrics)].reset_index(drop=True)


def _noise(subject: Subject) -> pd.DataFrame:
    """Return the noise floor, on the metrics that the report is about."""
    frame = subject.findings["noise"]
    return frame[frame["metric"] == frame["task"].map(subject.findings.metrics)].reset_index(drop=True)


_WHICH: Final = ("base", "task", "metric", "steps")
_FROM, _TO = ("transfer", "corpus"), ("target", "dataset")

DECLARED: Final[tuple[Declared[Subject], ...]] = (
    Declared(
        "cells", "Every cell",
        "Change of one target's score by a nudge on one transfer language. p BH and p Holm are adjusted for all cells "
        "of a base, task, metric and k.",
        lambda subject: subject.cells,
        (*_WHICH, *_FROM, *_TO, "adapter_seed", *INTERVAL, "p_bh", "p_holm", "separable", "reference", "score", "delta",
         "n_replicates", "n_clusters", "self_transfer", "aggregated", "why"),
        "cells",
    ),
    Declared(
        "targets_received", "What each target receives",
        "Mean over transfer languages; +: share of them that help.",
        receivers,
        (*_WHICH, *_TO, *INTERVAL, "percent_positive", "percent_if_no_effect", "group", "n_transfers"),
        "targets",
    ),
    Declared(
        "max_recipients", "Which target gains most from each transfer language",
        "Largest ts of a transfer language over targets, and how far the next one is behind (faisal2024, Table 20). "
        "Being the largest of many noisy numbers, it is too large.",
        found("max_recipients"),
        (*_WHICH, *_FROM, *_TO, Column("ts", "ts", "number", 2, "%"), Column("gap", "ahead by", "number", 2, "%"),
         Column("n_tied", "tied", "integer"), "n_targets"),
        "targets",
    ),
    Declared(
        "extremes", "Where each target has its largest and smallest ts",
        "Ties are credited to every tied language (faisal2024, Table 23).",
        found("extremes"),
        (*_WHICH, Column("extreme", "extreme"), *_TO, *_FROM, Column("ts", "ts", "number", 2, "%")),
    ),
    Declared(
        "ranking_influence", "What the ranking is without each target",
        "The most influential target first: Spearman correlation of the ranking with the one without it.",
        found("ranking_influence"),
        (*_WHICH, *_TO, Column("spearman", "Spearman", "number", 3), Column("first", "best with it"),
         Column("first_without", "best without it"), Column("first_changes", "changes", "flag"), "n_targets"),
        "targets",
    ),
    Declared(
        "target_influence", "What each target adds to each aggregate",
        "Aggregate with and without the target; standardised: in standard errors without it.",
        found("target_influence"),
        (*_WHICH, *_FROM, *_TO, Column("aggregate", "aggregate", "number"), Column("without", "without", "number"),
         Column("change", "change", "number"), Column("standardised", "in s.e.", "number"),
         Column("flips", "sign flips", "flag")),
    ),
    Declared(
        "progression", "Over the number of steps",
        "Aggregates; without a transfer language: mean over all.",
        found("progression"), ("base", "task", "metric", *_FROM, "steps", *INTERVAL), "steps",
    ),
    Declared(
        "step_changes", "From one number of steps to the next",
        "Aggregate after k less that after the k before, paired over targets.",
        found("step_changes"),
        ("base", "task", "metric", *_FROM, Column("steps_before", "k before", "integer"), "steps", *INTERVAL), "steps",
    ),
    Declared(
        "percent_positive", "How many cells gain, beside what no effect would give",
        "Share of aggregated cells with ts above 0; p: of being what it would be without any effect.",
        found("percent_positive"),
        (*_WHICH, Column("estimate", "+", "number", 1, "%"), Column("low", "from", "number", 1, "%"),
         Column("high", "to", "number", 1, "%"), Column("percent_if_no_effect", "if no effect", "number", 1, "%"), "p",
         "n_cells"),
        "steps",
    ),
    Declared(
        "task_correlation", "Do the same languages help in two tasks?",
        "Spearman correlation of aggregates on common targets, from disjoint replicates; naive: from the same ones.",
        found("task_correlation"),
        ("base", "steps", Column("task_x", "task"), Column("task_y", "and task"),
         Column("estimate", "Spearman", "number"), Column("low", "from", "number"), Column("high", "to", "number"), "p",
         Column("naive", "naive", "number"), Column("reliability_x", "reliability", "number"),
         Column("reliability_y", "of the other", "number"), Column("corrected", "corrected", "number"), "n_transfers",
         "n_targets", "why"),
        "between",
    ),
    Declared(
        "common_top", "Which languages are in the top of every task",
        "Top: half of the transfer entries, at most 20. Beside it what rankings without any relation would give.",
        found("common_top"),
        ("base", "steps", Column("top", "top", "integer"), "n_transfers", Column("n_tasks", "tasks", "integer"),
         Column("n_common", "in every top", "integer"), Column("expected_common", "expected", "number", 1),
         Column("p_common", "p", "p"), Column("share_unseen", "unseen in tops", "number", 0, "%"),
         Column("share_unseen_all", "unseen in all", "number", 0, "%"), Column("p_unseen", "p unseen", "p"),
         Column("common", "languages")),
        "between",
    ),
    Declared(
        "seen_unseen", "Languages that the base model has seen, and those that it has not",
        "Mean over the cells of each of four blocks.",
        _seen,
        (*_WHICH, Column("transfer_seen", "transfer language"), Column("target_seen", "target language"),
         *INTERVAL, "n_transfers", "n_targets", "n_cells"),
        "between",
    ),
    Declared(
        "seen_differences", "Unseen less seen",
        "By target: what unseen targets receive beyond seen ones. By transfer: what unseen transfer languages give "
        "beyond seen ones.",
        found("seen_differences"),
        (*_WHICH, Column("side", "side"), Column("among", "among the other side"), *INTERVAL, "n_cells"), "between",
    ),
    Declared(
        "detectable", "The smallest effect that each target can show",
        "Two-sided 5 % test, 80 % power, in percent of the baseline: measured in this run (median over transfer "
        "languages), and assumed before it from the size of the test set alone.",
        found("detectable"),
        (*_WHICH, *_TO, Column("measured", "measured", "number", 2, "%"),
         Column("assumed", "assumed", "number", 2, "%"),
         Column("decisions", "decisions", "number", 0, hint="words, pairs or spans that the metric divides by"),
         Column("reference", "baseline", "number", 1, hint="percent or nats"), "n_cells"),
        "sure",
    ),
    Declared(
        "reliability", "Would other replicates give the same?",
        "Share of the variance between aggregates, or between cells, that is not replicate noise.",
        _reliability,
        (*_WHICH, Column("unit", "of"), Column("statistic", "statistic"), Column("estimate", "reliability", "number"),
         Column("low", "from", "number"), Column("high", "to", "number"), Column("n_units", "units", "integer"),
         "n_replicates", "why"),
        "sure",
    ),
    Declared(
        "variance_shares", "Where the variance of a single score comes from",
        "Method of moments; a share that cannot be told says why.",
        found("variance_shares"),
        (*_WHICH, Column("source", "source"), Column("share", "share", "number"),
         Column("variance", "variance", "number", 3),
         Column("n_transfers", "transfer entries", "integer", wide=True), "n_targets", "n_replicates",
         Column("why", "not known because")),
        "sure",
    ),
    Declared(
        "shrinkage", "How much the aggregates differ beyond noise",
        "tau²: variance of the true aggregates; I²: share of the observed variance that is not noise.",
        _shrinkage,
        (*_WHICH, Column("n_shrunk", "transfer entries", "integer"), Column("mean", "mean", "number"),
         Column("tau2", "tau²", "number", 3), Column("i2", "I²", "number")),
        "sure",
    ),
    Declared(
        "labels", "Which gold labels moved",
        "Mean over transfer languages of the change of one label's score; p Holm over the labels of a task and k.",
        _only("labels", transfer="", setting="nudge"),
        (*_WHICH, "label", Column("reference", "before", "number", 1, hint="mean score before, percent or nats"),
         *INTERVAL, Column("p_holm", "p Holm", "p"), "n_cells"),
        "labels",
    ),
    Declared(
        "controls", "Controls beside the nudge",
        "ts in percent; difference: nudge less control, paired over targets, with its standard error over them.",
        _controls,
        (Column("setting", "control"), *_WHICH, *_FROM, Column("max_abs_ts", "largest |ts|", "number", 2, "%"),
         Column("exact", "exact", "flag", hint="every score equals its baseline to the last bit"),
         Column("aggregated_ts", "control ts", "number", 2, "%"), Column("nudge_ts", "nudge ts", "number", 2, "%"),
         Column("difference", "difference", "number", 2, "%"), Column("difference_se", "s.e.", "number", 2, "%"),
         "n_targets"),
        "controls",
    ),
    Declared(
        "noise_floor", "The untouched model scored again",
        "Absolute differences in the metric's unit, and as ts.",
        _noise,
        (Column("setting", "changed"), "base", "task", "metric", Column("max_difference", "largest", "number", 4),
         Column("mean_difference", "mean", "number", 4), Column("max_ts", "largest ts", "number", 4, "%"),
         Column("mean_ts", "mean ts", "number", 4, "%"), "n_cells"),
        "controls",
    ),
    baseline_table(
        "The untouched model", "Mean over the cells (adapter seed and target) that count in aggregates.", "cells",
        "aggregated",
    ),
    Declared(
        "targets", "Test sets",
        "As the run found them. Targets that are small, unreadable or at the floor are shown, but not aggregated.",
        found("targets"),
        ("task", *_TO, "n_items", "n_lost", "n_clusters", "counted", "size", "small", "unknown_share", "unreadable",
         "baseline", "trivial", "p_floor", "at_floor"),
        "data",
    ),
    QUESTIONS,
    Declared(
        "ranges", "How ts is spread",
        "Aggregated cells; q05 and q95: quantiles.",
        found("ranges"),
        (*_WHICH, Column("cells", "cells", "integer"), Column("aggregated", "aggregated", "integer"),
         *(Column(name, name, "number", 2, "%") for name in ("lowest", "q05", "median", "mean", "q95", "highest"))),
        "sure",
    ),
    Declared(
        "progress", "How far the run is",
        "Nudged models (a corpus and a replicate) that the study asks for, and those that have scores.",
        found("progress"),
        (Column("setting", "setting"), "steps", Column("wanted", "wanted", "integer"),
         Column("there", "there", "integer"), Column("missing", "missing", "integer"),
         Column("examples", "missing, among others")),
        "run",
    ),
    Declared(
        "ts", "Transfer scores",
        "Every cell on the scale of the paper, with its flags; standard deviation over replicates.",
        found("ts"),
        (*_WHICH, *_FROM, *_TO, "adapter_seed", Column("ts", "ts", "number", 2, "%"),
         Column("ts_sd", "s.d.", "number", 2, "%"), "n_replicates", "aggregated"),
    ),
    Declared(
        "aggregates", "Aggregates by every weighting", "Macro, by family and by words, with and without self-transfer.",
        found("aggregates"),
        (*_WHICH, *_FROM, "weighting", Column("include_self", "with self", "flag"), *INTERVAL, "n_targets"),
    ),
    *OF_EVERY_RUN,
)  # fmt: skip
"""Every table but the rankings, in the order of the page."""
