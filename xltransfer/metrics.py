"""Names of task shapes, their metrics, and each metric as a function of additive counts. No torch.

Tasks fill the count columns per item, the store keeps them, analysis sums them over any subset or resample and calls
:meth:`Metric.score`. A metric of no items is NaN. Per gold label, the same columns exist once more under that label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Form = Literal["share", "f1", "mean"]


@dataclass(frozen=True)
class Metric:
    """A score of additive counts.

    Attributes
    ----------
    name
        Column value in the measurements, unique within a task shape.
    form
        ``share``: 100 · a / b. ``f1``: 100 · 2a / (2a + b + c). ``mean``: a / b.
    columns
        Names of the count columns a, b (and c), additive over items.
    unit
        ``percent`` (0 to 100), ``nats``, or ``plain`` (a number without unit, such as a cosine).
    higher_is_better
        Direction; a transfer score is signed so that positive is always an improvement.
    """

    name: str
    form: Form
    columns: tuple[str, ...]
    unit: Literal["percent", "nats", "plain"]
    higher_is_better: bool = True

    def score(self, counts: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return the score of summed ``counts``; each value a number or an array of any shape, NaN where undefined."""
        a, *rest = (np.asarray(counts[column], dtype=np.float64) for column in self.columns)
        if self.form == "f1":
            numerator, denominator = 2.0 * a, 2.0 * a + rest[0] + rest[1]
        else:
            numerator, denominator = a, rest[0]
        scale = 100.0 if self.unit == "percent" else 1.0
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = scale * numerator / denominator
        return np.where(denominator > 0, ratio, np.nan)


SHAPES: Mapping[str, tuple[Metric, ...]] = {
    "pos": (
        Metric("accuracy", "share", ("correct", "total"), "percent"),
        Metric("span_f1", "f1", ("span_tp", "span_fp", "span_fn"), "percent"),
        Metric("nll", "mean", ("nll", "total"), "nats", higher_is_better=False),
    ),
    "dep": (
        Metric("las", "share", ("las", "total"), "percent"),
        Metric("uas", "share", ("uas", "total"), "percent"),
        Metric("nll", "mean", ("nll", "total"), "nats", higher_is_better=False),
    ),
    "ner": (
        Metric("f1", "f1", ("tp", "fp", "fn"), "percent"),
        Metric("nll", "mean", ("nll", "total"), "nats", higher_is_better=False),
    ),
    "mlm": (Metric("nll", "mean", ("nll", "total"), "nats", higher_is_better=False),),
    "nli": (
        Metric("accuracy", "share", ("correct", "total"), "percent"),
        Metric("nll", "mean", ("nll", "total"), "nats", higher_is_better=False),
    ),
    "qa": (
        Metric("squad_f1", "share", ("f1", "total"), "percent"),
        Metric("squad_em", "share", ("em", "total"), "percent"),
        Metric("span_nll", "mean", ("nll", "in_window"), "nats", higher_is_better=False),
    ),
    "classification": (
        Metric("accuracy", "share", ("correct", "total"), "percent"),
        Metric("nll", "mean", ("nll", "total"), "nats", higher_is_better=False),
    ),
}
"""Metrics of each task shape, the main one first. ``nll`` sums the negative log-likelihood of the gold labels.

SQuAD's F1 is a mean over questions of an F1 over words, so it has another name than the F1 over entities. ``span_nll``
is that of start and end together, over the questions with a window that holds the gold answer (``in_window``).
"""


def _aligned(name: str) -> Metric:
    """Return a measure of alignment: the mean of its own column over the compared items."""
    if name.endswith("retrieval"):
        return Metric(name, "share", (name, "compared"), "percent")
    return Metric(name, "mean", (name, "compared"), "plain")


CELLS: Mapping[str, tuple[Metric, ...]] = {
    **SHAPES,
    "alignment": tuple(
        _aligned(f"{control}{readout}_{measure}")
        for control in ("", "permuted_")
        for measure in ("cosine", "cka", "retrieval")
        for readout in ("cls", "mean")
    ),
    "unmatched_alignment": (_aligned("cls_all_pairs"), _aligned("mean_all_pairs")),
}
"""Metrics of everything that is stored as a cell: of the tasks, and of the comparisons of two languages.

Those of ``alignment`` are of the first token (``cls``) and of the mean over tokens; ``permuted_`` ones pair every item
with another one's translation. Layers stand where tasks have gold labels, ``cls_cosine[6]``; without a label a measure
is of the middle layer. See `xltransfer.alignment`.
"""


def metric(shape: str, name: str) -> Metric:
    """Return the metric ``name`` of ``shape``; raises ``KeyError`` with the known names."""
    for candidate in CELLS[shape]:
        if candidate.name == name:
            return candidate
    raise KeyError(f"metric {name!r} of task shape {shape!r}; known: {', '.join(m.name for m in CELLS[shape])}")


def count_columns(shape: str) -> tuple[str, ...]:
    """Return every count column of ``shape`` in first-use order, ``nll`` included."""
    return tuple(dict.fromkeys(column for m in CELLS[shape] for column in m.columns))
