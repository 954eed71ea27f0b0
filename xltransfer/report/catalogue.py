"""What the columns of all tables are called, in which unit they are and how they are rounded: said once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from xltransfer.analysis.scales import Scale
from xltransfer.report.tables import Column

_UNIT: Final = {"ts": "%", "delta": "points or nats", "log_ratio": "log", "logit_delta": "log odds"}
_CALLED: Final = {"ts": "ts", "delta": "change", "log_ratio": "log ratio", "logit_delta": "change of log odds"}
_CHANGE: Final = "{change}"


def _changed(name: str, head: str, hint: str = "", wide: bool = False) -> Column:
    """Return a column in the unit of the report's scale."""
    return Column(name, head, "number", 2, _CHANGE, hint, wide)


CATALOGUE: Final[Mapping[str, Column]] = {
    column.name: column
    for column in (
        Column("base", "base"),
        Column("setting", "setting"),
        Column("task", "task"),
        Column("metric", "metric"),
        Column("steps", "k", "integer", hint="optimizer steps of the nudge"),
        Column("transfer", "transfer language", "language"),
        Column("corpus", "corpus"),
        Column("target", "target language", "language"),
        Column("dataset", "test set"),
        Column("adapter_seed", "seed", "integer", hint="seed of the task adapter"),
        Column("weighting", "weighting"),
        _changed("estimate", _CHANGE, "positive is an improvement"),
        _changed("low", "from", "lower end of the interval"),
        _changed("high", "to", "upper end of the interval"),
        _changed("se", "s.e.", "standard error", wide=True),
        Column("df", "df", "number", 1, hint="Satterthwaite degrees of freedom", wide=True),
        Column("p", "p", "p", hint="two-sided, of no effect"),
        Column("p_holm", "p Holm", "p", hint="adjusted for all cells of this task, metric and k", wide=True),
        Column("p_bh", "p BH", "p", hint="Benjamini-Hochberg over all cells of this task, metric and k"),
        Column("separable", "separable", "flag", hint="p BH at most 0.05"),
        Column("why", "no interval because", wide=True),
        Column("aggregated", "aggregated", "flag", hint="counts in the aggregates", wide=True),
        Column("self_transfer", "self", "flag", hint="transfer language is target language", wide=True),
        Column("reference", "before", "number", 2, hint="score of the untouched model, in percent or nats", wide=True),
        Column("score", "after", "number", 2, hint="mean score over replicates, in percent or nats", wide=True),
        Column("delta", "delta", "number", 2, hint="difference of the scores, in points or nats", wide=True),
        Column("n_replicates", "replicates", "integer", wide=True),
        Column("n_clusters", "clusters", "integer", hint="documents or sentences drawn as a whole"),
        Column("n_targets", "targets", "integer"),
        Column("n_transfers", "transfer entries", "integer"),
        Column("n_cells", "cells", "integer"),
        Column("rank", "rank", "integer"),
        Column("rank_low", "rank from", "integer", hint="best rank that the noise allows, all ranks at once"),
        Column("rank_high", "rank to", "integer", hint="worst rank that the noise allows, all ranks at once"),
        Column("p_top5", "P(top 5)", "number", 2, hint="share of simulated tables in which it is among the five best"),
        _changed("without_self", "without self", "mean over the other languages", wide=True),
        _changed("family", "by family", "mean over families of the mean within each", wide=True),
        _changed("words", "by words", "mean weighted by the words of each target", wide=True),
        _changed("shrunk", "shrunk", "empirical-Bayes estimate: drawn towards the mean, the noisier the more"),
        Column("percent_positive", "+", "number", 0, "%", "share of targets with ts above 0", wide=True),
        Column("percent_if_no_effect", "+ if no effect", "number", 0, "%", "(100 − exact ties)/2", wide=True),
        Column("variance", "variance", "number", 2, "%²", "over targets, of the mean ts", wide=True),
        Column("n_max", "n max", "integer", hint="targets whose largest ts comes from here", wide=True),
        Column("n_min", "n min", "integer", hint="targets whose smallest ts comes from here", wide=True),
        Column("label", "gold label"),
        Column("n_items", "items", "integer", hint="sentences, pairs, texts, questions or blocks of masked text"),
        Column("n_lost", "lost", "integer", hint="items over the length limit or blank, not scored"),
        Column("counted", "counted"),
        Column("size", "size", "integer", hint="number of what is counted"),
        Column("small", "small", "flag", hint="below the size that enters aggregates"),
        Column("unknown_share", "unknown", "number", 3, hint="share of subwords that the tokenizer does not know"),
        Column("unreadable", "unreadable", "flag", hint="too many unknown subwords for the aggregates"),
        Column("baseline", "baseline", "number", 1, hint="untouched model, percent or nats"),
        Column("trivial", "trivial", "number", 1, hint="majority label, best attachment or no answer, percent"),
        Column("p_floor", "p floor", "p", hint="one-sided, of a baseline above the trivial score"),
        Column("at_floor", "at floor", "flag", hint="not shown to be above the trivial score"),
        Column("group", "group", hint="never: 0 %; 90-99: above 90 %; universal: all transfer languages help"),
    )
}
"""What columns are called; one place, so that two tables cannot differ."""


def in_scale(column: Column, scale: Scale) -> Column:
    """Return a column of the catalogue; one that holds changes gets name, unit and decimals of the scale."""
    if column.unit != _CHANGE:
        return column
    digits = column.digits if scale in ("ts", "delta") else 4
    return replace(column, unit=_UNIT[scale], digits=digits, head=column.head.replace(_CHANGE, _CALLED[scale]))
