"""The alignment of two languages in the states of a run, layer by layer, and how two states differ.

Differences of states are taken item by item, so that what all states have in common (the texts) takes no part in their
interval.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.alignment import Array
from xltransfer.analysis.alignment import INTERVAL, RANGES, clipped, interval
from xltransfer.analysis.frames import require_columns
from xltransfer.metrics import CELLS, Metric

STATE: Final = ["base", "setting", "transfer", "corpus", "steps", "adapter_seed", "task_adapter"]
"""What tells states of the model apart."""

PAIR: Final = ["task", "dataset", "source", "target"]
"""What is compared: the set of texts, the names of both sides, and the languages of the first and of the second."""

SIZES: Final = ["n_source", "n_target"]
"""Texts of each side; of translations both are n_items, else n_items is their sum."""

RESULT: Final = [*STATE, *PAIR, *SIZES, "layer", "middle", "metric", "permuted", *INTERVAL]

_STORED: Final = [name for name in (*STATE, *PAIR) if name not in ("base", "task_adapter", "source")]
_PERMUTED: Final = "permuted_"


def alignment_states(items: pd.DataFrame, base: str, level: float = 0.95) -> pd.DataFrame:
    """Return the alignment of every pair in every state of a run, layer by layer.

    Parameters
    ----------
    items
        ``run.items(task="pud", labels=True)`` of an alignment run; of a large run, one set of texts at a time.
    base
        Name of its base model, ``run.study["base"]["name"]``.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        A row per `STATE`, `PAIR`, layer (0 is the embeddings), metric (``cls_cosine``, ``mean_cka`` ..., in the units
        of `xltransfer.metrics.CELLS`) and ``permuted`` (items paired with those of others), then `INTERVAL`;
        ``middle`` marks the middle layer. Replicates are averaged: where there are several, the interval holds for
        other replicates and other texts, else for other texts. Undefined is NaN, with the reason in ``why``.

    Raises
    ------
    ValueError
        A column is missing, the replicates of a state were measured on different items, or one replicate (or the
        untouched model) was measured twice, as by two kinds of device.
    """
    return _table(_groups(items, base), level, lambda metric, row: clipped(row, *RANGES[_measure(metric)]))


def alignment_changes(
    items: pd.DataFrame, base: str, against: Mapping[str, object] | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Return how alignment differs between every state and one that they are laid beside, item by item.

    Parameters
    ----------
    items, base
        As for `alignment_states`, with the rows of both.
    against
        Values of `STATE` columns that name the reference, such as ``{"setting": "task_adapters", "task_adapter":
        "nli"}``; None: the untouched model.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        As `alignment_states`, without the reference; estimates are differences from it, in the metric's unit. A pair
        that the reference was not measured on, or on other items, has no row.

    Raises
    ------
    ValueError
        As `alignment_states`; also where ``against`` names a column that is none of `STATE`, no state, or several.
    """
    named = {"setting": "baseline"} if against is None else dict(against)
    groups = list(_groups(items, base))
    references = _references(groups, named)
    known = {each.place: each for each in references}
    chosen = {id(each) for each in references}
    others = (each for each in groups if id(each) not in chosen and each.is_beside(known.get(each.place)))
    return _table((each.less(known[each.place]) for each in others), level, lambda _, row: row)


@dataclass(frozen=True)
class _Group:
    """One state, pair and layer.

    Attributes
    ----------
    state, pair
        Values of the columns `STATE` and `PAIR`.
    sizes
        Values of the columns `SIZES`.
    layer, middle
        Number of the layer, and whether it is the middle one.
    values
        Metric to [replicate, item], in its unit.
    items, clusters
        [item]: names and numbers.
    """

    state: dict[str, Any]
    pair: dict[str, Any]
    sizes: dict[str, int]
    layer: int
    middle: bool
    values: dict[str, Array]
    items: NDArray[np.object_]
    clusters: NDArray[np.intp]

    @property
    def place(self) -> tuple[Any, ...]:
        """What two states are compared at."""
        return (self.state["base"], *self.pair.values(), self.layer)

    def is_beside(self, reference: "_Group | None") -> bool:
        """Whether there is a reference with the same items."""
        return reference is not None and np.array_equal(reference.items, self.items)

    def less(self, reference: "_Group") -> "_Group":
        """Return the differences from the mean over the reference's replicates."""
        means = {name: own.mean(axis=0) for name, own in reference.values.items()}
        return replace(self, values={name: own - means[name] for name, own in self.values.items()})


def _references(groups: Iterable[_Group], named: Mapping[str, object]) -> list[_Group]:
    """Return the groups of the one state that ``named`` names."""
    unknown = [name for name in named if name not in STATE]
    if unknown:
        raise ValueError(f"against names {', '.join(unknown)}; expected columns among {', '.join(STATE)}")
    found = [each for each in groups if all(each.state[name] == value for name, value in named.items())]
    states = sorted({str({name: each.state[name] for name in STATE if name != "base"}) for each in found})
    if len(states) != 1:
        listed = f": {'; '.join(states[:3])}" if states else ""
        raise ValueError(f"against={dict(named)} names {len(states)} states of the items, expected one{listed}")
    return found


def _groups(items: pd.DataFrame, base: str) -> Iterator[_Group]:
    """Yield every state, pair and layer with the values of all its replicates."""
    require_columns(items, ["unit", *_STORED, "options", "label", "item", "cluster", "replicate", "compared"], "items")
    kept = items[(items["compared"].fillna(0) > 0) & (items["label"] != "")]
    said = {text: json.loads(str(text)) for text in kept["options"].unique()}
    keys = [*_STORED, "options", "label"]
    for key, part in kept.groupby(keys, dropna=False, observed=True, sort=True):
        own = dict(zip(keys, key, strict=True))
        options = said[own["options"]]
        own |= {"base": base, "task_adapter": options.get("task_adapter", ""), "source": options["source"]}
        own |= {name: int(options[name]) for name in SIZES}
        yield _group(own, int(str(own["label"])) == options["layer"], part)


def _group(own: Mapping[str, Any], middle: bool, part: pd.DataFrame) -> _Group:
    replicates = [each for _, each in part.groupby("replicate", dropna=False, sort=True)]
    _refuse_twice(own, replicates)
    items = replicates[0]["item"].astype(str).to_numpy(dtype=object)
    for each in replicates[1:]:
        if not np.array_equal(each["item"].astype(str).to_numpy(dtype=object), items):
            raise ValueError(f"replicates of {dict(own)} were measured on different items; measure them anew")
    values = {
        metric.name: np.stack([each[metric.name].to_numpy(dtype=np.float64) for each in replicates])
        * (100.0 if metric.unit == "percent" else 1.0)
        for metric in _metrics(part)
    }
    clusters = np.unique(replicates[0]["cluster"].astype(str).to_numpy(), return_inverse=True)[1]
    state, pair, sizes = ({name: own[name] for name in columns} for columns in (STATE, PAIR, SIZES))
    return _Group(state, pair, sizes, int(own["label"]), middle, values, items, clusters)


def _refuse_twice(own: Mapping[str, Any], replicates: Sequence[pd.DataFrame]) -> None:
    """Refuse a model that two units measured: averaged, its texts would count twice, and arithmetic would be mixed."""
    for each in replicates:
        units = sorted(str(name) for name in each["unit"].unique())
        if len(units) > 1:
            raise ValueError(
                f"items holds {own['setting']} of {own['dataset']} from the units {', '.join(units)}: one model twice, "
                "as where two kinds of device measured it; keep the items of the units of one device, as measurements "
                "name them"
            )


def _metrics(part: pd.DataFrame) -> tuple[Metric, ...]:
    """Return the metrics of a cell: of unmatched texts where it has any of theirs, else of matched ones."""
    unmatched = CELLS["unmatched_alignment"]
    there = any(metric.name in part.columns and part[metric.name].notna().any() for metric in unmatched)
    return tuple(metric for metric in CELLS["unmatched_alignment" if there else "alignment"] if metric.name in part)


def _measure(metric: str) -> str:
    """Return the measure of a metric: ``cka`` of ``permuted_mean_cka``."""
    return metric.removeprefix(_PERMUTED).split("_", 1)[1]


def _table(
    groups: Iterable[_Group], level: float, finish: Callable[[str, dict[str, Any]], dict[str, Any]]
) -> pd.DataFrame:
    rows = [
        {
            **group.state,
            **group.pair,
            **group.sizes,
            "layer": group.layer,
            "middle": group.middle,
            "metric": metric.removeprefix(_PERMUTED),
            "permuted": metric.startswith(_PERMUTED),
            **finish(metric, interval(values, group.clusters, level)),
        }
        for group in groups
        for metric, values in group.values.items()
    ]
    frame = pd.DataFrame(rows, columns=RESULT).astype({"steps": "Int64", "adapter_seed": "Int64"})
    return frame.sort_values([*STATE, *PAIR, "layer"], kind="stable", ignore_index=True)
