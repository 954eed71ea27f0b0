"""The figures of a report on alignment."""

from collections.abc import Iterator
from typing import Final

import pandas as pd

from xltransfer.figures.labels import metric_label
from xltransfer.report.alignment.findings import AlignmentFindings
from xltransfer.report.charts import Chart

CHOSEN: Final = 3
"""Pairs that have panels of their own: of the lowest, the median and the highest alignment."""


def charts(found: AlignmentFindings) -> list[Chart]:
    """Return all figures, set by set; a chart's condition is the name of its set."""
    drawn = [chart for name in found.metrics for chart in _of_set(found, name)]
    return [*drawn, *_predictions(found)]


def _of_set(found: AlignmentFindings, name: str) -> Iterator[Chart]:
    levels, changes = found["levels"], found["changes"]
    yield Chart(
        f"layers_{name}", f"Layer by layer: {name}",
        "Mean over all pairs in every state that is measured on all of them. Where the dashed line of permuted pairs "
        "is as high, a high number says that all vectors of the model are alike, not that translations are.",
        "alignment_means", (levels[levels["task"] == name],), {"texts": name}, name,
    )  # fmt: skip
    yield from _chosen_pairs(found, name)
    moved = changes[(changes["task"] == name) & (changes["setting"] == "nudge")]
    if len(moved):
        yield Chart(
            f"changes_{name}", f"What nudges change, layer by layer: {name}",
            "Mean change against the untouched model over the pairs of the languages nudged on, all nudges together.",
            "alignment_means", (moved,), {"texts": name, "change": True}, name,
        )  # fmt: skip
    yield from _nudges(found, name)


def _chosen_pairs(found: AlignmentFindings, name: str) -> Iterator[Chart]:
    """Yield the curves of a few pairs, chosen by their alignment in the untouched model at the middle layer."""
    metric, layers = found.metrics[name], found["pair_layers"]
    own = layers[(layers["task"] == name) & (layers["metric"] == metric)]
    pairs = chosen_pairs(own)
    if len(own) and len(pairs) < own["dataset"].nunique():
        yield Chart(
            f"pairs_{name}", f"Single pairs: {name}",
            f"The pairs of the lowest, the median and the highest {metric_label(metric)} in the untouched model at the "
            "middle layer.",
            "alignment", (own[own["dataset"].isin(pairs)], found.languages), {"metric": metric, "texts": name}, name,
        )  # fmt: skip


def chosen_pairs(layers: pd.DataFrame) -> list[str]:
    """Return the pairs of the lowest, the median and the highest alignment in the untouched model, middle layer."""
    own = layers[(layers["setting"] == "baseline") & layers["middle"].astype(bool) & ~layers["permuted"].astype(bool)]
    ordered = own.dropna(subset="estimate").sort_values(["estimate", "dataset"])["dataset"].tolist()
    places = dict.fromkeys([0, len(ordered) // 2, len(ordered) - 1]) if ordered else {}
    return [ordered[place] for place in places]


def _nudges(found: AlignmentFindings, name: str) -> Iterator[Chart]:
    metric, nudges = found.metrics[name], found["nudges"]
    own = nudges[(nudges["task"] == name) & (nudges["metric"] == metric) & (nudges["setting"] == "nudge")]
    for steps in sorted(int(k) for k in own["steps"].unique()):
        yield Chart(
            f"nudges_{name}_k{steps}", f"Which nudges move alignment: {name}, k = {steps}",
            f"Change of {metric_label(metric)} at the middle layer, mean over the pairs of the language nudged on.",
            "alignment_nudges", (own[own["steps"] == steps], found.languages),
            {"texts": name, "metric": metric, "steps": steps}, name,
        )  # fmt: skip


def _predictions(found: AlignmentFindings) -> Iterator[Chart]:
    """Yield the scatter of every set and predictor, of translations."""
    points, fits = found["points"], found["prediction"]
    points, fits = points[~points["permuted"].astype(bool)], fits[~fits["permuted"].astype(bool)]
    for (name, predictor), own in points.groupby(["texts", "predictor"], sort=False):
        fit = fits[(fits["texts"] == name) & (fits["predictor"] == predictor)]
        yield Chart(
            f"prediction_{name}_{predictor}", f"ts on the change of alignment: {name}, {metric_label(str(predictor))}",
            "A point is a pair of a transfer and a target language; row and column effects are taken out of both axes. "
            "Change of alignment at the middle layer (horizontal, hundredths of a cosine), ts (vertical, percent).",
            "alignment_scatter", (own.drop(columns="texts"), fit.drop(columns="texts")), {"texts": name}, name,
        )  # fmt: skip
