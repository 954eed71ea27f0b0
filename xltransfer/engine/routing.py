"""Which rows of a batch go through which adapters: every row names its composition.

Rows are sorted so that those of one composition stand together, and compositions of one shape (the same tree of
adapters of the same form) beside each other: a group. A group is computed at once, with stacked weights; groups follow
one another. With one composition for all rows there is one group and nothing is sorted.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xltransfer.engine.adapter import Adapter, Place
from xltransfer.engine.composition import Composition, Fuse, Member, Stack, entries, leaves
from xltransfer.engine.fusion import Fusion
from xltransfer.engine.invertible import Invertible
from xltransfer.engine.stacking import Fused, Leaf, Program
from xltransfer.errors import ConfigError, near_match


@dataclass(frozen=True)
class Group:
    """Neighbouring rows whose compositions have one shape.

    Attributes
    ----------
    rows
        Where they stand in the sorted batch.
    counts
        How many rows each composition has.
    compositions
        In the order of the rows, each once.
    """

    rows: slice
    counts: tuple[int, ...]
    compositions: tuple[Composition, ...]


@dataclass(frozen=True)
class Routing:
    """The groups of one batch.

    Attributes
    ----------
    groups
        First row first.
    order
        Row numbers of the batch in sorted order, or None where nothing moves.
    """

    groups: tuple[Group, ...]
    order: tuple[int, ...] | None

    def sort(self, x: Tensor) -> Tensor:
        """Bring the rows ``[row, ...]`` into sorted order."""
        return x if self.order is None else x.index_select(0, _index(self.order, x))

    def unsort(self, x: Tensor) -> Tensor:
        """Bring the rows back into the batch's order."""
        if self.order is None:
            return x
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return x.index_select(0, _index(back, x))

    def rows_of(self) -> dict[Composition, list[int]]:
        """Return the rows of each composition, by their numbers in the batch."""
        found: dict[Composition, list[int]] = {}
        for group in self.groups:
            start = group.rows.start
            for composition, count in zip(group.compositions, group.counts, strict=True):
                rows = range(start, start + count)
                found[composition] = [row if self.order is None else self.order[row] for row in rows]
                start += count
        return found


def _index(rows: Sequence[int], like: Tensor) -> Tensor:
    return torch.tensor(rows, device=like.device)


class Parts:
    """The adapters and fusions that compositions name."""

    def __init__(self, adapters: Mapping[str, Adapter], fusions: Mapping[str, Fusion]) -> None:
        self.adapters, self.fusions = adapters, fusions

    def check(self, compositions: Sequence[Composition]) -> None:
        """Raise `ConfigError` for everything that is not loaded or does not fit, all of it together."""
        problems: dict[str, None] = {}
        for composition in dict.fromkeys(compositions):
            for name in leaves(composition):
                if name not in self.adapters:
                    where = f"composition {composition}: adapter {name!r} is not loaded"
                    problems[f"{where}{near_match(name, self.adapters)}"] = None
            for fuse in _fuses(composition):
                problems |= dict.fromkeys(self._fusion_problems(fuse))
        if problems:
            raise ConfigError(list(problems))

    def _fusion_problems(self, fuse: Fuse) -> list[str]:
        if fuse.fusion not in self.fusions:
            return [f"{fuse}: fusion {fuse.fusion!r} is not loaded{near_match(fuse.fusion, self.fusions)}"]
        fusion = self.fusions[fuse.fusion]
        if fusion.members != fuse.lasts:
            members = ", ".join(fusion.members)
            return [f"{fuse}: fusion {fuse.fusion!r} is of {members}, in this order; name its own members"]
        adapters = [self.adapters[name] for name in leaves(fuse) if name in self.adapters]
        places = {place for adapter in adapters for place in adapter.places}
        return [
            f"{fuse}: an adapter sits at place {place!r}, where fusion {fuse.fusion!r} has no weights; all adapters "
            "inside a fusion must sit where its members sit"
            for place in sorted(places - set(fusion.places))
        ]

    def routing(self, compositions: Sequence[Composition]) -> Routing:
        """Sort the rows of a batch, of which each names its composition."""
        first_seen: dict[Composition, int] = {}
        shapes: dict[Hashable, int] = {}
        for composition in compositions:
            if composition not in first_seen:
                first_seen[composition] = len(first_seen)
        shape = {each: shapes.setdefault(self._shape(each), len(shapes)) for each in first_seen}
        n_rows = Counter(compositions)
        places = [(shape[each], first_seen[each]) for each in compositions]
        order = sorted(range(len(places)), key=places.__getitem__)
        groups, start = [], 0
        for number in range(len(shapes)):
            members = [each for each in first_seen if shape[each] == number]
            counts = tuple(n_rows[each] for each in members)
            groups.append(Group(slice(start, start + sum(counts)), counts, tuple(members)))
            start += sum(counts)
        return Routing(tuple(groups), None if order == list(range(len(order))) else tuple(order))

    def _shape(self, member: Member) -> Hashable:
        if isinstance(member, str):
            return self.adapters[member].forms
        inner = tuple(self._shape(each) for each in member.members)
        return ("Stack", inner) if isinstance(member, Stack) else ("Fuse", self.fusions[member.fusion].config, inner)

    def program(self, group: Group, layer: int, place: Place) -> Program:
        """Return what a group's rows go through at one place; empty where none of its adapters has weights there."""
        return self._nodes(group.compositions, layer, place)

    def _nodes(self, together: Sequence[Member], layer: int, place: Place) -> Program:
        if isinstance(together[0], str):
            found = [self.adapters[str(name)].at(layer, place) for name in together]
            bottlenecks = tuple(each for each in found if each is not None)
            return (Leaf(bottlenecks),) if bottlenecks else ()
        if isinstance(together[0], Fuse):
            return self._fused([each for each in together if isinstance(each, Fuse)], layer, place)
        inner = zip(*(each.members for each in together if isinstance(each, Stack)), strict=True)
        return tuple(node for members in inner for node in self._nodes(members, layer, place))

    def _fused(self, together: Sequence[Fuse], layer: int, place: Place) -> Program:
        branches = [self._nodes(members, layer, place) for members in zip(*(f.members for f in together), strict=True)]
        # Members that leave this layer out drop out of its fusion.
        present = tuple(_leaves(branch) for branch in branches if branch)
        if not present:
            return ()
        names = tuple(fuse.fusion for fuse in together)
        return (Fused(present, names, tuple(self.fusions[name].at(layer, place) for name in names)),)

    def invertibles(self, composition: Composition, first_only: bool) -> tuple[tuple[Invertible, ...], int]:
        """Return the invertible adapters at the embeddings and the number of branches that they are a mean over."""
        names = entries(composition)[:1] if first_only else entries(composition)
        found = (self.adapters[name].invertible for name in names)
        return tuple(each for each in found if each is not None), len(names)


def _leaves(branch: Program) -> tuple[Leaf, ...]:
    return tuple(node for node in branch if isinstance(node, Leaf))


def _fuses(composition: Member) -> list[Fuse]:
    if isinstance(composition, str):
        return []
    own = [composition] if isinstance(composition, Fuse) else []
    return own + [inner for member in composition.members for inner in _fuses(member)]
