"""What a number on a figure is called, with its unit, and the sentences under a figure that say what its intervals are.

One place, so that no two figures name a scale, a metric or an estimand differently.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from xltransfer.analysis.frames import require_one_of
from xltransfer.analysis.metric_names import is_percent, metric_named, without_label
from xltransfer.figures.text import shown

_METRICS = {
    "las": "LAS",
    "uas": "UAS",
    "f1": "F1",
    "span_f1": "span F1",
    "nll": "NLL",
    "squad_f1": "SQuAD F1",
    "squad_em": "exact match",
    "span_nll": "span NLL",
    "cls_cosine": "cosine of [CLS]",
    "mean_cosine": "cosine of mean tokens",
    "cls_cka": "debiased CKA of [CLS]",
    "mean_cka": "debiased CKA of mean tokens",
    "cls_retrieval": "retrieval by [CLS] (%)",
    "mean_retrieval": "retrieval by mean tokens (%)",
    "cls_all_pairs": "cosine of [CLS], all pairs",
    "mean_all_pairs": "cosine of mean tokens, all pairs",
}

_SCALES = ("ts", "delta", "log_ratio", "logit_delta")

_ESTIMANDS = {
    "this_test_set": "for this test set (replicates vary)",
    "new_sentences": "for new sentences (replicates and sentences vary)",
    "new_targets": "for new target languages",
}


def metric_label(metric: str) -> str:
    """Return how a metric is written: ``LAS`` for ``las``, ``accuracy [NOUN]`` for the part of one gold label."""
    name = without_label(metric)
    return shown(_METRICS.get(name, name) + (f" {metric[len(name) :]}" if metric != name else ""))


def scale_label(scale: str, metric: str | None = None) -> str:
    """Return the axis label of a scale of change, with its unit; positive is always an improvement.

    Parameters
    ----------
    scale
        ``ts``, ``delta``, ``log_ratio`` or ``logit_delta``.
    metric
        The metric that changed; None where several stand side by side.

    Raises
    ------
    ValueError
        The scale or the metric is unknown.
    """
    require_one_of(scale, _SCALES, "scale")
    if scale == "ts":
        return "ts (% of baseline)"
    if scale == "log_ratio":
        return "log ratio to baseline (natural log)"
    if scale == "logit_delta":
        return "Δ log odds (natural log)"
    if metric is None:
        return "Δ score (points, or nats for NLL)"
    if is_percent(metric):
        return f"Δ {metric_label(metric)} (points)"
    # A number without unit is no gain by itself: languages that lie closer are not better.
    in_nats = metric_named(metric).unit == "nats"
    return f"gain in {metric_label(metric)} (nats)" if in_nats else f"Δ {metric_label(metric)}"


def task_label(task: object, metric: str) -> str:
    """Return a task and its metric: ``pos accuracy``."""
    return f"{shown(task)} {metric_label(metric)}"


def steps_label(steps: Any) -> str:
    """Return the number of optimizer steps in words."""
    return "steps not given" if steps is None or pd.isna(steps) else f"k = {int(steps):,}"


def number(value: float, digits: int = 3) -> str:
    """Return a value with so many significant digits and a real minus sign; ``–`` for NaN."""
    if np.isnan(value):
        return "–"
    # A number sign keeps trailing zeros, which say how exact it is; large numbers need no decimals.
    text = f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:#.{digits}g}".rstrip(".")
    return text.replace("-", "−")


def fixed(value: float, decimals: int) -> str:
    """Return a value with so many decimals and a real minus sign, never minus zero; ``–`` for NaN."""
    return "–" if np.isnan(value) else f"{round(value, decimals) + 0.0:,.{decimals}f}".replace("-", "−")


def decimals_for(largest: float) -> int:
    """Return the decimals that show values up to ``largest`` (positive) with three digits."""
    return max(0, 2 - int(np.floor(np.log10(largest))))


def p_label(p: float) -> str:
    """Return a p-value as it is printed: two digits, ``p < 0.001`` below that, ``p –`` for NaN."""
    if np.isnan(p):
        return "p –"
    return "p < 0.001" if p < 0.001 else f"p = {number(p, 2)}"


def condition(key: Mapping[str, Any]) -> str:
    """Return what a figure shows in one line: task and metric, steps, base, and the setting where it is a control.

    ``key`` holds any of task, metric, steps, base and setting; what it lacks is not mentioned.
    """
    parts = [task_label(key["task"], key["metric"])] if "task" in key and "metric" in key else []
    parts += [steps_label(key["steps"])] if "steps" in key else []
    parts += [shown(key["base"])] if "base" in key else []
    parts += [f"control {shown(key['setting'])}"] if key.get("setting", "nudge") != "nudge" else []
    return ", ".join(parts)


def interval_note(rows: pd.DataFrame) -> str:
    """Return the sentence that says what the intervals of ``rows`` are, and of how many rows there is none, and why.

    ``rows`` has the columns estimate, low, level, estimand and why, with one level and one estimand.
    """
    level, estimand = float(rows["level"].iloc[0]), str(rows["estimand"].iloc[0])
    note = f"{100 * level:g} % intervals {_ESTIMANDS.get(estimand, shown(estimand))}."
    without = rows[rows["low"].isna()]
    if without.empty:
        return note
    reasons = without["why"].astype(str).value_counts().sort_index()
    listed = "; ".join(f"{shown(why) or 'no reason given'}: {count}" for why, count in reasons.items())
    if len(without) == len(rows):
        return f"No intervals ({listed})."
    return f"{note} {len(without)} of {len(rows)} without interval ({listed})."
