"""Measure one state of the model: the vectors of every side, then every pair, layer by layer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xltransfer.alignment import Array, Side, all_pairs, cka, cosines, partners, retrieval
from xltransfer.errors import UnitError
from xltransfer.metrics import count_columns
from xltransfer.protocols.alignment.context import AlignmentContext
from xltransfer.protocols.alignment.pairs import Pair
from xltransfer.protocols.alignment.states import split_setting, stack_for
from xltransfer.protocols.alignment.vectors import READOUTS, Vectors, vectors
from xltransfer.protocols.transfer.scoring import fingerprint, path_of, replicate_seed
from xltransfer.protocols.transfer.wanted import split_scorer
from xltransfer.randomness import stream
from xltransfer.runs.cells import Cell
from xltransfer.runs.unit import Unit

SHAPES = {"matched": "alignment", "unmatched": "unmatched_alignment"}
"""Shape of the cells of each kind of set."""

Values = dict[str, NDArray[np.float64]]
"""Column to [layer, item]."""


def measure(context: AlignmentContext, unit: Unit) -> list[Cell]:
    """Bring the model into the unit's state, measure every pair, and check that the base is left as it was found.

    Raises
    ------
    UnitError
        When a fixed batch scores differently after the unit than before it, in any bit.
    """
    context.load_state(str(unit.key["setting"]))
    before = fingerprint(context)
    cells = list(_measured(context, unit))
    after = fingerprint(context)
    if not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)):
        raise UnitError(
            "the base model scores a fixed batch differently after this unit; its weights were not restored"
        )
    for cell in cells:
        _write_items(context, cell)
    return cells


def _measured(context: AlignmentContext, unit: Unit) -> Iterator[Cell]:
    asked: Mapping[str, Mapping[str, Sequence[str]]] = unit.key["scores"]
    if "replicate" not in unit.key:
        yield from _cells(context, unit, asked["0"], None, None)
        return
    corpus, replicate, setting = str(unit.key["corpus"]), int(unit.key["replicate"]), str(unit.key["setting"])
    stops, seed = sorted(int(steps) for steps in asked), replicate_seed(context, corpus, replicate)
    with path_of(context, setting, corpus, replicate, stops[-1]) as path:
        for steps in path.stop_at(*stops):
            yield from _cells(context, unit, asked[str(steps)], steps, seed)


def _cells(
    context: AlignmentContext,
    unit: Unit,
    asked: Mapping[str, Sequence[str]],
    steps: int | None,
    seed: int | None,
) -> Iterator[Cell]:
    """Measure the model as it stands now."""
    for name, pairs in asked.items():
        known = context.pairs(name)
        chosen = [known[pair] for pair in pairs]
        entries = dict.fromkeys(ref for pair in chosen for ref in (pair.first, pair.second))
        found = {
            ref.name: vectors(
                context.model,
                context.prepared_side(name, ref.name),
                stack_for(str(unit.key["setting"]), ref.language),
            )
            for ref in entries
        }
        for pair, values in zip(chosen, values_of(context, name, chosen, found), strict=True):
            sizes = _sizes(context.sets[name].kind, values, found[pair.first.name], found[pair.second.name])
            yield _cell(context, unit, name, pair, values, sizes, steps, seed)


def _sizes(kind: str, values: Values, first: Vectors, second: Vectors) -> dict[str, int]:
    """Return how many texts of each side are compared; of translations as many on both."""
    if kind == "matched":
        return dict.fromkeys(("n_source", "n_target"), int(values["compared"][0].sum()))
    return {"n_source": int(first.shown.sum()), "n_target": int(second.shown.sum())}


def values_of(
    context: AlignmentContext, name: str, pairs: Sequence[Pair], found: Mapping[str, Vectors]
) -> list[Values]:
    """Return the values of some pairs of a set from the vectors of their sides, by entry."""
    compare = _matched if context.sets[name].kind == "matched" else _unmatched
    return compare(context, name, pairs, found)


def _matched(context: AlignmentContext, name: str, pairs: Sequence[Pair], found: Mapping[str, Vectors]) -> list[Values]:
    """Return the values of each matched pair, with those of permuted partners, which are the same in all states."""
    rows = [np.flatnonzero(found[pair.first.name].shown & found[pair.second.name].shown) for pair in pairs]
    order = [_permuted(context, name, pair, own) for pair, own in zip(pairs, rows, strict=True)]
    tables = [_empty(found[pair.first.name], "alignment", own) for pair, own in zip(pairs, rows, strict=True)]
    for layer in range(next(iter(found.values())).layers):
        for readout in READOUTS:
            sides = _Sides(found, readout, layer)
            for pair, own, partner, table in zip(pairs, rows, order, tables, strict=True):
                first, second = sides.of(pair.first.name, own), sides.of(pair.second.name, own)
                _enter(table, layer, own, f"{readout}_", _measures(first, second))
                if partner is not None:
                    control = _measures(first, second.reordered(partner))
                    _enter(table, layer, own, f"permuted_{readout}_", control)
    return tables


class _Sides:
    """The sides of one layer and readout, each made once for the items that it is compared on."""

    def __init__(self, found: Mapping[str, Vectors], readout: str, layer: int) -> None:
        self._found, self._readout, self._layer = found, readout, layer
        self._made: dict[tuple[str, bytes], Side] = {}

    def of(self, entry: str, rows: NDArray[np.intp]) -> Side:
        """Return the side of an entry, restricted to ``rows``."""
        key = (entry, rows.tobytes())
        if key not in self._made:
            self._made[key] = Side(self._found[entry].values[self._readout][self._layer][rows])
        return self._made[key]


def _measures(first: Side, second: Side) -> dict[str, Array]:
    return {
        "cosine": cosines(first, second),
        "cka": cka(first, second),
        "retrieval": retrieval(first, second),
    }


def _permuted(context: AlignmentContext, name: str, pair: Pair, rows: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Return the permuted partners of a pair's items, drawn once for all layers and states."""
    clusters = np.array(context.prepared_side(name, pair.first.name).encoded.clusters, dtype=object)[rows]
    _, codes = np.unique(clusters.astype(str), return_inverse=True)
    return partners(codes, stream(context.study.seed, "permuted partners", name, pair.name))


def _unmatched(
    context: AlignmentContext, name: str, pairs: Sequence[Pair], found: Mapping[str, Vectors]
) -> list[Values]:
    """Return the values of each unmatched pair; its items are those of the first side, then those of the second."""
    tables = []
    for pair in pairs:
        first, second = found[pair.first.name], found[pair.second.name]
        rows = np.flatnonzero(np.concatenate([first.shown, second.shown]))
        table = _empty(first, "unmatched_alignment", rows, len(first.shown) + len(second.shown))
        for layer in range(first.layers):
            for readout in READOUTS:
                values = all_pairs(
                    Side(first.values[readout][layer][first.shown]), Side(second.values[readout][layer][second.shown])
                )
                _enter(table, layer, rows, f"{readout}_", {"all_pairs": np.concatenate(values)})
        tables.append(table)
    return tables


def _empty(first: Vectors, shape: str, rows: NDArray[np.intp], items: int | None = None) -> Values:
    """Return undefined values for the compared items, and 0 for the others, which count nowhere."""
    size = (first.layers, len(first.shown) if items is None else items)
    table = {column: np.zeros(size) for column in count_columns(shape)}
    for column, values in table.items():
        values[:, rows] = 1.0 if column == "compared" else np.nan
    return table


def _enter(table: Values, layer: int, rows: NDArray[np.intp], prefix: str, found: Mapping[str, Array]) -> None:
    for measure_name, values in found.items():
        table[prefix + measure_name][layer, rows] = values


def _cell(
    context: AlignmentContext,
    unit: Unit,
    name: str,
    pair: Pair,
    values: Values,
    sizes: Mapping[str, int],
    steps: int | None,
    seed: int | None,
) -> Cell:
    """Return the cell of a pair: by layer, and under no label the middle layer."""
    layers, items = values["compared"].shape
    setting, scorer = split_setting(str(unit.key["setting"]))
    task, adapter_seed = split_scorer(scorer) if scorer else ("", None)
    stored: dict[str, Any] = {
        column: found.astype(np.uint8 if column == "compared" else np.float32) for column, found in values.items()
    }
    labels = tuple(str(layer) for layer in range(layers))
    options = {"source": pair.first.language, "layer": middle_layer(layers), **sizes}
    return Cell(
        task=name,
        dataset=pair.name,
        target=pair.second.language,
        setting=setting,
        shape=SHAPES[context.sets[name].kind],
        n_items=items,
        n_scored=int(values["compared"][0].sum()),
        counts={column: found[middle_layer(layers)] for column, found in stored.items()},
        label_counts={column: (labels, found) for column, found in stored.items()},
        transfer=str(unit.key.get("transfer", "")),
        corpus=str(unit.key.get("corpus", "")),
        steps=steps,
        replicate=unit.key.get("replicate"),
        adapter_seed=adapter_seed,
        seed=seed,
        device=context.device.type,
        options=context.options | options | ({"task_adapter": task} if task else {}),
    )


def middle_layer(layers: int) -> int:
    """Return the number of the middle one of ``layers`` hidden states, of which number 0 is the embeddings."""
    return (layers - 1) // 2


def _write_items(context: AlignmentContext, cell: Cell) -> None:
    """Store the identities of the compared items: the shared ones, or one side's behind the other's."""
    pair = context.pairs(cell.task)[cell.dataset]
    own = [context.prepared_side(cell.task, ref.name).encoded for ref in (pair.first, pair.second)]
    if context.sets[cell.task].kind == "matched":
        own = own[:1]
    items = [item for side in own for item in side.items]
    clusters = [cluster for side in own for cluster in side.clusters]
    context.store.write_targets(cell.task, cell.dataset, cell.target, items, clusters)
