"""One forward pass: what its rows go through at the embeddings and at every place of every layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from xltransfer.engine import invertible
from xltransfer.engine.adapter import Place
from xltransfer.engine.composition import Composition
from xltransfer.engine.fusion import FusionLayer
from xltransfer.engine.hooks import Changed
from xltransfer.engine.invertible import Invertible
from xltransfer.engine.routing import Group, Parts, Routing
from xltransfer.engine.stacking import Fused, Program, Scene, StackRule, apply, closes
from xltransfer.errors import ConfigError
from xltransfer.rules import Rules

Drop = Callable[[Tensor, float, slice], Tensor]
"""Dropout of a fusion's [row, token, member] with a probability, for the given rows of the sorted batch."""
FusionAttention = Mapping[str, Mapping[int, Mapping[str, Tensor]]]
"""Fusion, layer (from 0) and place (``output_adapter`` or ``mh_adapter``) to [row, token, member]: the rows that go
through that fusion, in the batch's order; members that leave the layer out have no column."""

_LOCATIONS: dict[Place, str] = {"output": "output_adapter", "attention": "mh_adapter"}


def plain_dropout(x: Tensor, probability: float, rows: slice) -> Tensor:
    """Drop from the process's own random stream."""
    return functional.dropout(x, probability)


@dataclass
class Pass:
    """The routing of one batch and what it needs.

    Attributes
    ----------
    attention_dropout
        The base model's, which fusions take where they have none of their own.
    wants_attention
        Whether the fusions' attention is kept.
    """

    parts: Parts
    routing: Routing
    rules: Rules
    stack: StackRule
    attention_dropout: float
    drop: Drop = plain_dropout
    wants_attention: bool = False
    _programs: dict[tuple[int, Place], list[Program]] = field(default_factory=dict)
    _kept: dict[tuple[str, int, str], dict[int, Tensor]] = field(default_factory=dict)

    def acts(self, layer: int, place: Place) -> bool:
        """Tell whether any row has an adapter there."""
        return any(self._at(layer, place))

    def _at(self, layer: int, place: Place) -> list[Program]:
        key = (layer, place)
        if key not in self._programs:
            self._programs[key] = [self.parts.program(group, layer, place) for group in self.routing.groups]
        return self._programs[key]

    def act(
        self, layer: int, place: Place, feed: Tensor, residual: Tensor, norm: Callable[[Tensor], Tensor]
    ) -> Changed:
        """Apply each group's program to its rows."""
        results, open_rows = [], []
        for group, program in zip(self.routing.groups, self._at(layer, place), strict=True):
            part = feed[group.rows]
            if program:
                scene = self._scene(group, layer, place, residual[group.rows], norm)
                part = apply(program, part, scene)
                if not closes(program):
                    open_rows.append(group.rows)
            results.append(part)
        return Changed(results[0] if len(results) == 1 else torch.cat(results), tuple(open_rows))

    def _scene(
        self, group: Group, layer: int, place: Place, residual: Tensor, norm: Callable[[Tensor], Tensor]
    ) -> Scene:
        def drop(weights: FusionLayer, scores: Tensor) -> Tensor:
            probability = self._fusion_dropout(weights) if weights.training else 0.0
            return self.drop(scores, probability, group.rows) if probability else scores

        def report(fused: Fused, attention: Tensor) -> None:
            if self.wants_attention:
                self._keep(group, fused, layer, _LOCATIONS[place], attention)

        return Scene(group.counts, residual, norm, self.stack, self.rules, drop, report)

    def _fusion_dropout(self, weights: FusionLayer) -> float:
        own = weights.config.dropout_prob
        takes_the_models = own is None or (own == 0 and self.rules.fusion_dropout_zero == "model")
        return self.attention_dropout if takes_the_models else float(own or 0.0)

    def _keep(self, group: Group, fused: Fused, layer: int, place: str, attention: Tensor) -> None:
        start = group.rows.start
        parts = torch.split(attention, list(group.counts))
        for name, count, part in zip(fused.names, group.counts, parts, strict=True):
            rows = range(start, start + count)
            self._kept.setdefault((name, layer, place), {}).update(zip(rows, part.unbind(), strict=True))
            start += count

    def attention(self) -> FusionAttention:
        """Return the fusions' attention over all rows that passed through them.

        Raises
        ------
        ConfigError
            Rows with one fusion of branches that leave a layer out in one row and not in another.
        """
        order = self.routing.order
        found: dict[str, dict[int, dict[str, Tensor]]] = {}
        for (name, layer, place), by_row in self._kept.items():
            rows = sorted(by_row, key=lambda row: row if order is None else order[row])
            if len({by_row[row].shape for row in rows}) > 1:
                raise ConfigError(
                    f"the rows of fusion {name!r} weigh different numbers of members in layer {layer}, because their "
                    "branches leave it out in some rows only; ask for the attention of such compositions one by one"
                )
            found.setdefault(name, {}).setdefault(layer, {})[place] = torch.stack([by_row[row] for row in rows])
        return found

    def enter(self, embeddings: Tensor) -> Tensor:
        """Send each row's embeddings ``[row, token, hidden]``, sorted, through its invertible adapter."""
        pieces: list[Tensor] = []
        start = 0
        for group in self.routing.groups:
            for composition, count in zip(group.compositions, group.counts, strict=True):
                piece = embeddings[start : start + count]
                members, branches = self._invertibles(composition)
                pieces.append(invertible.forward(members, branches, piece) if members else piece)
                start += count
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def leave(self, z: Tensor, row_of: Tensor | None = None) -> Tensor:
        """Undo `enter` on what a masked-LM head's decoder is about to read.

        Parameters
        ----------
        z
            ``[row, token, hidden]`` in the batch's order, or ``[position, hidden]`` with ``row_of``.
        row_of
            [position]: the row of the batch that each position is from.
        """
        rows_of = self.routing.rows_of()
        if len(rows_of) == 1:
            members, branches = self._invertibles(next(iter(rows_of)))
            return invertible.inverse(members, branches, z) if members else z
        numbers = torch.arange(len(z), device=z.device) if row_of is None else row_of
        for composition, rows in rows_of.items():
            members, branches = self._invertibles(composition)
            if members:
                where = torch.isin(numbers, torch.tensor(rows, device=z.device)).nonzero()[:, 0]
                z = z.index_copy(0, where, invertible.inverse(members, branches, z[where]))
        return z

    def _invertibles(self, composition: Composition) -> tuple[tuple[Invertible, ...], int]:
        return self.parts.invertibles(composition, self.rules.fused_invertible == "first")
