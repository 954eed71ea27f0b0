"""From a tidy frame of items to counts per cluster, as :meth:`Run.cluster_counts` streams them from a folder.

For runs that fit into memory, for a part of one, and for tests. Both ways give the same arrays.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import TARGET, plain, require_columns
from xltransfer.runs.cluster_codes import cluster_codes, united
from xltransfer.runs.cluster_counts import ClusterCounts, Targets

_ENTRY: Final = ["base", "setting", "corpus", "transfer", "steps"]
_ROW: Final = ["replicate", "device"]
_WHOLE: Final = ["steps", "replicate", "adapter_seed"]
_KEYS: Final = ["unit", "setting", "transfer", "corpus", "steps", "replicate", "adapter_seed", *TARGET]
_NOT_COUNTS: Final = {*_KEYS, "base", "device", "options", "item", "cluster", "label"}


@dataclass(frozen=True)
class _One:
    """One test set: task, dataset, target; its items, the number of each one's cluster; names and words of clusters."""

    key: tuple[str, str, str]
    items: "pd.Series[Any]"
    number: NDArray[np.intp]
    names: list[str]
    words: NDArray[np.float64]


@dataclass(frozen=True)
class _Test:
    """The test sets of a task, and where each item goes: columns dataset, target, item, place."""

    targets: Targets
    places: pd.DataFrame


def cluster_counts(
    items: pd.DataFrame, measurements: pd.DataFrame, settings: Collection[str] = ("nudge",)
) -> Iterator[ClusterCounts]:
    """Yield what each transfer entry, or the untouched model, scored on all targets of a task.

    Parameters
    ----------
    items
        Columns unit, setting, transfer, corpus, steps, replicate, adapter_seed, task, dataset, target, item, cluster
        and count columns: what ``run.items()`` gives. The items of a target have the same order in all its cells.
    measurements
        Columns unit, base, device.
    settings
        Which settings; ``("baseline",)`` for the untouched model.

    Yields
    ------
    ClusterCounts
        Sorted by base, setting, corpus, transfer, steps, task and adapter seed. Which clusters are the same in two
        targets is decided on the targets in ``items``, by :func:`xltransfer.runs.cluster_codes.cluster_codes`.

    Raises
    ------
    ValueError
        A column is missing, or an item stands twice in a cell.
    """
    require_columns(items, [*_KEYS, "item", "cluster"], "items")
    require_columns(measurements, ["unit", "base", "device"], "measurements")
    units = plain(measurements)[["unit", "base", "device"]].drop_duplicates()
    rows = plain(items).merge(units, how="left", on="unit", validate="many_to_one")
    # What a setting does not have comes first, as in a folder.
    absent = {name: rows[name].astype("Int64").fillna(-1).astype("int64") for name in _WHOLE}
    rows = rows.assign(**absent)
    tests = _tests(rows)
    wanted = rows[rows["setting"].isin(list(settings))]
    for _, entry in wanted.groupby([*_ENTRY, "task", "adapter_seed"], observed=True, sort=True):
        yield _counts(entry, tests[str(entry["task"].iloc[0])])


def _counts(entry: pd.DataFrame, test: _Test) -> ClusterCounts:
    """Return the counts of one transfer entry, task and adapter seed."""
    first = entry.iloc[0]
    at = entry.merge(test.places, how="left", on=["dataset", "target", "item"], validate="many_to_one")
    models = at[_ROW].drop_duplicates().sort_values(_ROW, ignore_index=True)
    row = at[_ROW].merge(models.reset_index(), on=_ROW, how="left")["index"].to_numpy()
    twice = at.assign(row=row).duplicated(["row", "place", "item"])
    if twice.any():
        raise ValueError(f"items hold an item twice in a cell: {at.loc[twice, [*_KEYS, 'item']].iloc[0].to_dict()}")
    shape = (len(models), len(test.targets.cluster))
    place = row * shape[1] + at["place"].to_numpy()
    columns = {}
    for name in sorted(set(entry.columns) - _NOT_COUNTS):
        values = at[name].astype("float64").to_numpy()
        if np.isfinite(values).any():
            sums = np.bincount(place, weights=values, minlength=shape[0] * shape[1]).reshape(shape)
            held = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape) > 0
            columns[name] = np.where(held, sums, np.nan)
    target = np.repeat(np.arange(len(test.targets.names)), np.diff(test.targets.starts))
    scored = np.zeros((shape[0], len(test.targets.names)), dtype=np.bool_)
    scored[row, target[at["place"].to_numpy()]] = True
    return ClusterCounts(
        base=str(first["base"]),
        setting=str(first["setting"]),
        transfer=str(first["transfer"]),
        corpus=str(first["corpus"]),
        steps=_known(first["steps"]),
        adapter_seed=_known(first["adapter_seed"]),
        targets=test.targets,
        replicates=models["replicate"].to_numpy(dtype=np.int64),
        devices=tuple(models["device"].astype("str")),
        scored=scored,
        counts=columns,
    )


def _known(number: Any) -> int | None:
    """Return the number, None for what a setting does not have."""
    return int(number) if number >= 0 else None


def _tests(rows: pd.DataFrame) -> dict[str, _Test]:
    """Return the test sets of every task, with codes for their clusters."""
    listed = rows[[*TARGET, "item", "cluster"]].drop_duplicates([*TARGET, "item"])
    items, clusters = (listed[name].to_numpy(dtype=object) for name in ("item", "cluster"))
    listed = listed.assign(cluster=united(items, clusters))
    words = _words(rows)
    parts = []
    for _, part in listed.groupby(TARGET, sort=True):
        number, names = pd.factorize(part["cluster"])
        key = _key(part)
        totals = part["item"].map(words[key]).to_numpy(dtype=np.float64) if key in words else np.full(len(part), np.nan)
        lengths = np.bincount(number, weights=totals).astype(np.float64)
        parts.append(_One(key, part["item"], number.astype(np.intp), list(names), lengths))
    codes = cluster_codes([part.key[1:] for part in parts], [part.names for part in parts], [p.words for p in parts])
    tasks = dict.fromkeys(part.key[0] for part in parts)
    return {
        task: _side_by_side(task, [(p, c) for p, c in zip(parts, codes, strict=True) if p.key[0] == task])
        for task in tasks
    }


def _side_by_side(task: str, parts: Sequence[tuple[_One, NDArray[np.intp]]]) -> _Test:
    """Put the test sets of a task side by side."""
    starts = np.concatenate([[0], np.cumsum([len(codes) for _, codes in parts])]).astype(np.intp)
    places = [
        pd.DataFrame({"dataset": part.key[1], "target": part.key[2], "item": part.items, "place": part.number + start})
        for (part, _), start in zip(parts, starts, strict=False)
    ]
    held = [np.bincount(part.number) for part, _ in parts]
    targets = Targets(
        task=task,
        names=tuple(part.key[1:] for part, _ in parts),
        starts=starts,
        cluster=np.concatenate([codes for _, codes in parts]),
        items=np.concatenate(held).astype(np.intp),
    )
    return _Test(targets, pd.concat(places, ignore_index=True))


def _words(rows: pd.DataFrame) -> dict[tuple[str, str, str], "pd.Series[float]"]:
    """Return the words of each item, by target, from one untouched model."""
    if "total" not in rows:
        return {}
    scored = rows[rows["setting"] == "baseline"].drop_duplicates([*TARGET, "item"])
    scored = scored.assign(total=scored["total"].astype("float64"))
    return {_key(part): part.set_index("item")["total"] for _, part in scored.groupby(TARGET, sort=True)}


def _key(part: pd.DataFrame) -> tuple[str, str, str]:
    """Return task, dataset and target of the rows of one test set."""
    task, dataset, target = part[TARGET].iloc[0]
    return str(task), str(dataset), str(target)
