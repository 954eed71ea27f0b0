"""What a metric's name says: its direction, and which metric of a task is the main one.

Measurements carry the name of the task, which is the user's, and the names of its metrics, which are ours. So the
shape of a task is read from its metrics. A score of one gold label is written ``accuracy[NOUN]``.
"""

from collections.abc import Iterable

from xltransfer.errors import near_match
from xltransfer.metrics import CELLS, Metric


def without_label(name: str) -> str:
    """Return the metric's own name: ``accuracy`` for ``accuracy[NOUN]``."""
    return name.split("[", 1)[0]


def direction(name: str) -> int:
    """Return +1 where a higher score is better and -1 where a lower one is, as for ``nll``.

    Raises
    ------
    ValueError
        The name is no metric of any task shape.
    """
    return 1 if metric_named(name).higher_is_better else -1


def is_percent(name: str) -> bool:
    """Return whether the metric is a share between 0 and 100; raises ``ValueError`` as :func:`direction`."""
    return metric_named(name).unit == "percent"


def metric_named(name: str) -> Metric:
    """Return the metric of that name, whatever the task shape: one name means the same everywhere.

    Raises
    ------
    ValueError
        The name is no metric of any task shape.
    """
    known = {metric.name: metric for metrics in CELLS.values() for metric in metrics}
    plain = without_label(name)
    if plain not in known:
        raise ValueError(f"metric {name!r} is unknown, so its direction is too{near_match(plain, known)}")
    return known[plain]


def shape_of(names: Iterable[str]) -> str:
    """Return the task shape whose metrics are ``names``.

    The shape with most metrics among those that are all present; in a frame that holds only some metrics, the first
    shape whose main metric is present.

    Raises
    ------
    ValueError
        No shape has its main metric among the names.
    """
    present = {without_label(name) for name in names}
    complete = [shape for shape, metrics in CELLS.items() if present.issuperset(m.name for m in metrics)]
    if complete:
        return max(complete, key=lambda shape: len(CELLS[shape]))
    for shape, metrics in CELLS.items():
        if metrics[0].name in present:
            return shape
    mains = ", ".join(f"{metrics[0].name} ({shape})" for shape, metrics in CELLS.items())
    raise ValueError(f"no main metric among {sorted(present)}; expected one of {mains}")


def main_metric(names: Iterable[str]) -> Metric:
    """Return the main metric of the task shape whose metrics are ``names``."""
    return CELLS[shape_of(names)][0]
