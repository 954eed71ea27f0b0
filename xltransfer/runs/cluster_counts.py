"""Item counts of a whole run, summed over clusters, one transfer entry at a time.

All items of a large run take tens of GiB as a frame with a row per item. Here a transfer entry (all replicates of one
language's corpus at one k) comes as arrays [replicate, cluster] for each count column, and the next one takes its
place. Every interval is computed from these sums, since counts are additive. See protocols.md §6.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xltransfer.errors import RunFolderError, near_match
from xltransfer.runs.cluster_codes import cluster_codes, united
from xltransfer.runs.columns import ITEMS, MEASUREMENTS
from xltransfer.runs.item_arrays import ItemReader, Places, Scored, count_type
from xltransfer.runs.read_shards import read_rows
from xltransfer.runs.store import Store


@dataclass(frozen=True)
class Targets:
    """The test sets of one task side by side.

    Attributes
    ----------
    task
        Name of the task.
    names
        Pairs (dataset, target), sorted; T of them.
    starts
        Shape [T + 1]: the clusters of target t are ``starts[t]:starts[t + 1]``.
    cluster
        Shape [C], code of the cluster. Equal codes are the same cluster in any target and any task of the run, see
        :mod:`xltransfer.runs.cluster_codes`.
    items
        Shape [C], items in each cluster.
    """

    task: str
    names: tuple[tuple[str, str], ...]
    starts: NDArray[np.intp]
    cluster: NDArray[np.intp]
    items: NDArray[np.intp]


@dataclass(frozen=True)
class ClusterCounts:
    """What one transfer entry, or the untouched model, scored on all targets of a task.

    Attributes
    ----------
    base, setting, transfer, corpus, steps, adapter_seed
        As in the measurements; empty text or None where the setting has none.
    targets
        The test sets.
    replicates
        Shape [R], ascending; -1 where the setting has none. A replicate that two kinds of device scored, each on some
        targets, has two rows.
    devices
        Kind of device of each row.
    scored
        Shape [R, T]: whether the folder has the cell.
    counts
        Count column -> [R, C]: sums over the items of each cluster, NaN where not scored or not counted.
    """

    base: str
    setting: str
    transfer: str
    corpus: str
    steps: int | None
    adapter_seed: int | None
    targets: Targets
    replicates: NDArray[np.int64]
    devices: tuple[str, ...]
    scored: NDArray[np.bool_]
    counts: Mapping[str, NDArray[np.float64]]


def stream_cluster_counts(
    store: Store, settings: Collection[str], tasks: Collection[str] | None, steps: Collection[int] | None
) -> Iterator[ClusterCounts]:
    """Check what the folder has, then yield the counts; see ``Run.cluster_counts``."""
    units = [_unit(path) for path in store.placed("measurements")]
    if not units:
        raise RunFolderError(f"{store.folder} holds no finished units; 'xltransfer run' makes them")
    wanted = {
        entry
        for unit in units
        for entry in unit.entries
        if entry.setting in settings and (steps is None or entry.steps is None or entry.steps in steps)
    }
    tests = _tests(store, units)
    unknown = sorted(set(tasks or ()) - set(tests))
    if unknown:
        raise ValueError(f"tasks names {unknown[0]!r}, which the results do not have{near_match(unknown[0], tests)}")
    places = {name: test.places for name, test in tests.items()}
    return _stream(store, units, wanted, tests, ItemReader(places, {entry.setting for entry in wanted}, tasks))


@dataclass(frozen=True)
class _Entry:
    """One transfer entry at one k, or the untouched model."""

    base: str
    setting: str
    transfer: str
    corpus: str
    steps: int | None

    @property
    def place(self) -> tuple[str, str, str, str, int]:
        """What entries are sorted by."""
        return self.base, self.setting, self.corpus, self.transfer, -1 if self.steps is None else self.steps


@dataclass(frozen=True)
class _Unit:
    """A finished unit: its id, the kind of device it ran on, and which entries it scored."""

    id: str
    device: str
    entries: tuple[_Entry, ...]


@dataclass(frozen=True)
class _Test:
    """The test sets of a task, and where their items go before they are summed."""

    targets: Targets
    places: Places
    first: NDArray[np.intp]  # [C] the first item of each cluster, in the order of places


def _unit(path: Path) -> _Unit:
    """Return what a unit is, from its measurements."""
    names = ["base", "setting", "transfer", "corpus", "steps", "device"]
    table = read_rows(path, MEASUREMENTS, names)
    distinct = [pc.unique(table[name]).to_pylist() for name in names]
    bases, *_, devices = distinct
    if len(bases) > 1 or len(devices) > 1:
        raise RunFolderError(
            f"{path} mixes base models or kinds of device in one unit; put them into units of their own"
        )
    if all(len(values) == 1 for values in distinct):
        rows = [tuple(values[0] for values in distinct[:-1])]
    else:
        rows = list(dict.fromkeys(zip(*(table[name].to_pylist() for name in names[:-1]), strict=True)))
    return _Unit(path.stem, "".join(devices), tuple(_Entry(*row) for row in rows))


def _stream(
    store: Store, units: Sequence[_Unit], wanted: Collection[_Entry], tests: Mapping[str, _Test], reader: ItemReader
) -> Iterator[ClusterCounts]:
    """Yield the counts of each wanted entry; a unit is read when the first of its entries is due."""
    units_of: dict[_Entry, list[_Unit]] = defaultdict(list)
    for unit in units:
        for entry in unit.entries:
            units_of[entry].append(unit)
    read: set[str] = set()
    gathered: dict[_Entry, _Gathered] = defaultdict(_Gathered)
    for entry in sorted(wanted, key=lambda each: each.place):
        for unit in units_of[entry]:
            if unit.id in read:
                continue
            read.add(unit.id)
            path = store.items_path(unit.id)
            for part in reader.read(path):
                setting, transfer, corpus, k, replicate = part.model
                own = _Entry(entry.base, setting, transfer, corpus, k)
                if own in wanted:
                    row = (-1 if replicate is None else replicate, unit.device)
                    gathered[own].add(row, part, tests[part.task], path)
        yield from gathered.pop(entry, _Gathered()).counts(entry, tests)


class _Gathered:
    """What has been read of one entry: rows of each task and task adapter."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], dict[tuple[int, str], _Row]] = defaultdict(dict)

    def add(self, row: tuple[int, str], part: Scored, test: _Test, path: Path) -> None:
        """Sum a part's items over clusters and put it to what the same model scored in another unit."""
        sums = {column: _summed(values, test) for column, values in part.counts.items()}
        seed = -1 if part.adapter_seed is None else part.adapter_seed
        there = self.rows[part.task, seed].setdefault(row, _Row(np.zeros_like(part.scored), {}))
        twice = np.flatnonzero(there.scored & part.scored)
        if len(twice):
            name = "/".join((part.task, *test.targets.names[twice[0]]))
            raise RunFolderError(
                f"{path} scores target {name} for setting {part.model[0]!r}, corpus {part.model[2]!r}, steps "
                f"{part.model[3]}, replicate {part.model[4]} once more than another unit; delete one of the two units"
            )
        there.put(part.scored, sums, test.targets)

    def counts(self, entry: _Entry, tests: Mapping[str, _Test]) -> Iterator[ClusterCounts]:
        """Yield the rows side by side, task after task."""
        for task, seed in sorted(self.rows):
            rows = sorted(self.rows[task, seed].items())
            targets = tests[task].targets
            columns = sorted({column for _, row in rows for column in row.sums})
            nothing = np.full(len(targets.cluster), np.nan)
            yield ClusterCounts(
                base=entry.base,
                setting=entry.setting,
                transfer=entry.transfer,
                corpus=entry.corpus,
                steps=entry.steps,
                adapter_seed=None if seed < 0 else seed,
                targets=targets,
                replicates=np.array([replicate for (replicate, _), _ in rows], dtype=np.int64),
                devices=tuple(device for (_, device), _ in rows),
                scored=np.stack([row.scored for _, row in rows]),
                counts={name: np.stack([row.sums.get(name, nothing) for _, row in rows]) for name in columns},
            )


@dataclass
class _Row:
    """What one model scored: which targets [T], and count column -> sums [C]."""

    scored: NDArray[np.bool_]
    sums: dict[str, NDArray[np.float64]]

    def put(self, scored: NDArray[np.bool_], sums: Mapping[str, NDArray[np.float64]], targets: Targets) -> None:
        """Add targets that were not there."""
        new = np.repeat(scored, np.diff(targets.starts))
        for column, values in sums.items():
            self.sums[column] = np.where(new, values, self.sums.get(column, np.nan))
        self.scored = self.scored | scored


def _summed(values: NDArray[np.float64], test: _Test) -> NDArray[np.float64]:
    """Sum over the items of each cluster."""
    return values if len(test.first) == len(values) else np.add.reduceat(values, test.first)


def _tests(store: Store, units: Sequence[_Unit]) -> dict[str, _Test]:
    """Return the test sets of every task that ``targets/`` lists, with codes for their clusters."""
    listed = dict(sorted(store.targets().items()))
    factorized = _clusters(listed)
    lengths = _lengths(store, units, factorized)
    codes = cluster_codes([key[1:] for key in listed], [names for _, names in factorized.values()], lengths)
    by_task: dict[str, list[_OneTest]] = defaultdict(list)
    for key, code in zip(listed, codes, strict=True):
        by_task[key[0]].append((key[1:], factorized[key][0], code))
    return {task: _test(task, tests) for task, tests in by_task.items()}


def _clusters(
    listed: Mapping[tuple[str, str, str], pa.Table],
) -> dict[tuple[str, str, str], tuple[NDArray[np.intp], NDArray[Any]]]:
    """Return for each test set the number of every item's cluster, and the clusters' names."""
    if not listed:
        return {}
    tables = list(listed.values())
    whole = [np.concatenate([np.asarray(t[name], dtype=object) for t in tables]) for name in ("item", "cluster")]
    ends = np.cumsum([table.num_rows for table in tables])[:-1]
    return {key: pd.factorize(names) for key, names in zip(listed, np.split(united(*whole), ends), strict=True)}


_OneTest = tuple[tuple[str, str], NDArray[np.intp], NDArray[np.intp]]
"""Dataset and target, the cluster of each item by its number within the test set, and the clusters' codes."""


def _test(task: str, tests: Sequence[_OneTest]) -> _Test:
    """Put the test sets of a task side by side."""
    starts = np.concatenate([[0], np.cumsum([len(number) for _, number, _ in tests])]).astype(np.intp)
    order = [np.argsort(number, kind="stable") + start for (_, number, _), start in zip(tests, starts, strict=False)]
    items = np.concatenate([np.bincount(number, minlength=len(code)) for _, number, code in tests]).astype(np.intp)
    names = tuple(name for name, _, _ in tests)
    targets = Targets(
        task=task,
        names=names,
        starts=np.concatenate([[0], np.cumsum([len(code) for _, _, code in tests])]).astype(np.intp),
        cluster=np.concatenate([code for _, _, code in tests]),
        items=items,
    )
    first = np.concatenate([[0], np.cumsum(items)[:-1]]).astype(np.intp)
    return _Test(targets, Places(names, starts, np.concatenate(order).astype(np.intp)), first)


def _lengths(
    store: Store, units: Sequence[_Unit], clusters: Mapping[tuple[str, str, str], tuple[NDArray[np.intp], object]]
) -> list[NDArray[np.float64]]:
    """Return the words of each cluster of each test set, from an untouched model's counts; NaN where there are none."""
    names = ["task", "dataset", "target", "dtype", "values"]
    found: dict[tuple[str, str, str], NDArray[np.float64]] = {}
    for unit in units:
        if any(entry.setting == "baseline" for entry in unit.entries):
            where = {"setting": ["baseline"], "count": ["total"]}
            table = read_rows(store.items_path(unit.id), ITEMS, names, where=where)
            for task, dataset, target, kind, values in zip(*(table[name].to_pylist() for name in names), strict=True):
                number, _ = clusters.get((task, dataset, target), (np.empty(0, dtype=np.intp), None))
                words = np.frombuffer(values, dtype=count_type(kind, store.items_path(unit.id)))
                if len(words) == len(number):
                    found[task, dataset, target] = np.bincount(number, weights=words).astype(np.float64)
    return [found.get(key, np.full(int(number.max(initial=-1)) + 1, np.nan)) for key, (number, _) in clusters.items()]
