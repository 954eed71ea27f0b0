"""AdapterFusion: attention over the outputs of adapters, per token and layer. Pfeiffer et al. 2021, equation 1;
fadx2022 equations 3 and 4: s_n = softmax_n(hQ · A_n(h)K), o = Σ s_n A_n(h)V.

With q = Wq x + bq and u_n = s·(U_n r_n + b_n), the output of the n-th bottleneck from its inside r_n [width]:

    a = softmax_n( q · (Wk u_n + bk) )        o = Σ_n a_n Wv u_n + residual

Written so, keys and values are full-width projections of every u_n. All of it is linear in u_n, and with the columns
U = [s·U_1, s·b_1, s·U_2, ...] and R = [r_1, 1, r_2, ...] beside each other

    q · Wk u_n  =  sum over n's columns of  (Uᵀ Wkᵀ q) * R          Σ_n a_n Wv u_n  =  Wv U (a * R)

so the products can be associated in two cheaper ways, both without a [token, member, hidden] tensor: from the token's
side, Wkᵀ(Wq x) and Wv(U ..), three full-width projections whatever the number of members; or from the weights' side,
Wqᵀ(Wk U) and Wv U, none at all for the tokens. The second costs as much as the first for as many tokens as U has
columns, so it is taken where a batch holds more. Both are the same function with the same gradients, in training too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.engine import rows
from xltransfer.engine.adapter import Place
from xltransfer.engine.bottleneck import Bottleneck
from xltransfer.rules import Rules

START_TEMPERATURE, COOLING = 50.0, 0.05
"""Of ``temperature: true``: the scores' divisor falls from here to 1 by this much a call."""


@dataclass(frozen=True)
class FusionConfig:
    """Options of the reference library's fusion; the defaults are its ``dynamic``, ``value=False`` its ``static``.

    Attributes
    ----------
    key, query, value
        Whether keys, queries and values are projected.
    query_before_ln
        Queries are made from what enters the fusion rather than from its LayerNorm with the residual.
    regularization
        Whether training adds 0.01 · ‖I − Wv‖².
    residual_before
        The residual joins keys and values, and is not added again behind them. (In the keys it cancels in the softmax,
        but for dropout on the scores.)
    temperature
        Scores are divided by a number that falls from 50 to 1, by 0.05 a call.
    value_before_softmax
        Wv on each value or on their weighted sum: the same function; kept so that files keep it.
    value_initialized
        Wv starts as 1 on the diagonal and 1e-6 elsewhere, else as N(0, 0.02).
    dropout_prob
        None: the model's attention dropout. 0: none, or the model's; see `Rules.fusion_dropout_zero`.
    """

    key: bool = True
    query: bool = True
    value: bool = True
    query_before_ln: bool = False
    regularization: bool = True
    residual_before: bool = False
    temperature: bool = False
    value_before_softmax: bool = True
    value_initialized: bool = True
    dropout_prob: float | None = None


class FusionLayer(nn.Module):
    """Query, key and value of one layer, each a linear map [hidden, hidden] or None.

    Initial values: N(0, 0.02) with zero biases for query and key, see `FusionConfig` for the value.
    """

    def __init__(self, hidden: int, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Linear(hidden, hidden) if config.query else None
        self.key = nn.Linear(hidden, hidden) if config.key else None
        self.value = nn.Linear(hidden, hidden, bias=False) if config.value else None
        self.temperature = START_TEMPERATURE if config.temperature else 1.0
        for projection in (self.query, self.key):
            if projection is not None:
                nn.init.normal_(projection.weight, std=0.02)
                nn.init.zeros_(projection.bias)
        if self.value is not None:
            nn.init.normal_(self.value.weight, std=0.02)
            if config.value_initialized:
                with torch.no_grad():
                    self.value.weight.fill_(1e-6).fill_diagonal_(1.0)

    def cooled(self) -> float:
        """Return this call's temperature and lower the next one's."""
        now = self.temperature
        self.temperature = max(now - COOLING, 1.0)
        return now


class Fusion(nn.Module):
    """A named fusion: its members, and a `FusionLayer` for every layer at every place where they sit."""

    def __init__(
        self,
        members: Sequence[str],
        config: FusionConfig,
        hidden: int,
        layers: int,
        places: Sequence[Place] = ("output",),
    ) -> None:
        super().__init__()
        self.members, self.config, self.places = tuple(members), config, tuple(places)

        def made(place: Place) -> nn.ModuleDict:
            names = range(layers) if place in places else range(0)
            return nn.ModuleDict({str(layer): FusionLayer(hidden, config) for layer in names})

        self.layers, self.attention = made("output"), made("attention")

    def at(self, layer: int, place: Place = "output") -> FusionLayer:
        """Return the weights of ``layer`` at ``place``."""
        part = self.layers if place == "output" else self.attention
        return part[str(layer)]  # type: ignore[return-value]

    def values(self) -> list[nn.Parameter]:
        """Return the value matrices, first layer first."""
        found = [*self.layers.values(), *self.attention.values()]
        return [layer.value.weight for layer in found if layer.value is not None]  # type: ignore[union-attr, misc]

    def regularisation(self) -> Tensor:
        """Return 0.01 · Σ ‖I − Wv‖² over layers and places; 0 without value matrices or with the option off."""
        terms = [_distance_to_identity(value) for value in self.values()] if self.config.regularization else []
        return 0.01 * torch.stack(terms).sum() if terms else torch.zeros(())


def _distance_to_identity(value: Tensor) -> Tensor:
    return (torch.eye(len(value), device=value.device, dtype=value.dtype) - value).square().sum()


@dataclass(frozen=True)
class Inside:
    """What a fusion needs of one member: its inside r [row, token, width] and the bottlenecks, one a composition."""

    lowered: Tensor
    bottlenecks: tuple[Bottleneck, ...]


_Way = tuple[Tensor, Callable[[Tensor], Tensor]]
"""Uᵀ Wkᵀ q [row, token, column], and the map from (a * R) to Wv U (a * R)."""


def fuse(
    layers: Sequence[FusionLayer],
    counts: Sequence[int],
    members: Sequence[Inside],
    query: Tensor,
    residual: Tensor,
    rules: Rules,
    drop: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Weigh the members per token.

    Parameters
    ----------
    layers
        One a composition in the batch, all of one configuration; ``counts`` rows belong to each.
    members
        In the fusion's order.
    query, residual
        [row, token, hidden].
    rules
        Where ``drop`` acts, see `Rules.fusion_dropout`.
    drop
        Dropout; the identity outside training.

    Returns
    -------
    tuple
        o [row, token, hidden], and the attention [row, token, member] before dropout.
    """
    config = layers[0].config
    inside, widths = _beside(members)
    terms = [_Terms(layer, ups) for layer, ups in zip(layers, _ups(members, len(layers)), strict=True)]
    tokens = query.shape[0] * query.shape[1] // len(layers)
    way = _from_weights if tokens > sum(widths) else _from_tokens
    scores, mix = way(terms, counts, query)
    scores = _sums(scores * inside, widths)
    if config.key:
        # The same for all members: it cancels in the softmax, but not under dropout on the scores.
        scores = scores + _constant(terms, counts, query)
    if rules.fusion_dropout == "scores":
        if config.residual_before:
            scores = scores + _of_residual(terms, counts, query, residual)
        scores = drop(scores)
    if config.temperature:
        now = {layer: scores.new_tensor(layer.cooled()) for layer in dict.fromkeys(layers)}
        scores = scores / rows.spread([now[layer] for layer in layers], counts)[..., None]
    attention = scores.softmax(dim=-1)
    weights = drop(attention) if rules.fusion_dropout == "weights" else attention
    by_column = torch.tensor(widths, device=weights.device)
    # With the size of the result given, a GPU need not be asked for it.
    out = mix(inside * weights.repeat_interleave(by_column, dim=-1, output_size=sum(widths)))
    if config.residual_before:
        # Dropped weights do not sum to 1.
        return out + _valued(terms, counts, weights.sum(dim=-1, keepdim=True) * residual), attention
    return out + residual, attention


@dataclass(frozen=True)
class _Terms:
    """The weights of one composition at one layer: its fusion's, and U [hidden, column]."""

    layer: FusionLayer
    ups: Tensor


def _beside(members: Sequence[Inside]) -> tuple[Tensor, list[int]]:
    """Return R [row, token, column] and the number of columns of each member."""
    parts = [functional.pad(member.lowered, (0, 1), value=1.0) for member in members]
    return torch.cat(parts, dim=-1), [part.shape[-1] for part in parts]


def _ups(members: Sequence[Inside], compositions: int) -> list[Tensor]:
    """Return U [hidden, column] of each composition."""
    found = []
    for number in range(compositions):
        chosen = [member.bottlenecks[number] for member in members]
        columns = [torch.cat((each.up.weight, each.up.bias[:, None]), dim=1) * each.form.scaling for each in chosen]
        found.append(torch.cat(columns, dim=1))
    return found


def _from_weights(terms: Sequence[_Terms], counts: Sequence[int], query: Tensor) -> _Way:
    asked, shifts, valued = [], [], []
    for each in terms:
        layer = each.layer
        keyed = each.ups if layer.key is None else layer.key.weight @ each.ups
        asked.append(keyed if layer.query is None else layer.query.weight.t() @ keyed)
        shifts.append(keyed.new_zeros(keyed.shape[1]) if layer.query is None else layer.query.bias @ keyed)
        valued.append(each.ups if layer.value is None else layer.value.weight @ each.ups)
    scores = rows.product(query, counts, asked) + rows.spread(shifts, counts)
    return scores, lambda mixed: rows.product(mixed, counts, [each.t() for each in valued])


def _from_tokens(terms: Sequence[_Terms], counts: Sequence[int], query: Tensor) -> _Way:
    k = _asked(terms, counts, query)
    if terms[0].layer.key is not None:
        k = rows.product(k, counts, [each.layer.key.weight for each in terms if each.layer.key is not None])
    scores = rows.product(k, counts, [each.ups for each in terms])

    def mix(mixed: Tensor) -> Tensor:
        return _valued(terms, counts, rows.product(mixed, counts, [each.ups.t() for each in terms]))

    return scores, mix


def _asked(terms: Sequence[_Terms], counts: Sequence[int], query: Tensor) -> Tensor:
    """Return q = Wq x + bq."""
    maps = [each.layer.query for each in terms if each.layer.query is not None]
    return rows.linear(query, counts, maps) if maps else query


def _valued(terms: Sequence[_Terms], counts: Sequence[int], x: Tensor) -> Tensor:
    """Return Wv x."""
    maps = [each.layer.value for each in terms if each.layer.value is not None]
    return rows.linear(x, counts, maps) if maps else x


def _constant(terms: Sequence[_Terms], counts: Sequence[int], query: Tensor) -> Tensor:
    """Return q · bk, [row, token, 1], as x · Wqᵀ bk + bq · bk."""
    shifts, constants = [], []
    for each in terms:
        assert each.layer.key is not None
        bias, ask = each.layer.key.bias, each.layer.query
        shifts.append(bias if ask is None else bias @ ask.weight)
        constants.append(bias.new_zeros(()) if ask is None else bias @ ask.bias)
    by_row = (query * rows.spread(shifts, counts)).sum(dim=-1, keepdim=True)
    return by_row + rows.spread(constants, counts)[..., None]


def _of_residual(terms: Sequence[_Terms], counts: Sequence[int], query: Tensor, residual: Tensor) -> Tensor:
    """Return q · Wk residual, [row, token, 1]: the same for all members, as `_constant` is."""
    keys = [each.layer.key.weight.t() for each in terms if each.layer.key is not None]
    keyed = rows.product(residual, counts, keys) if keys else residual
    return (_asked(terms, counts, query) * keyed).sum(dim=-1, keepdim=True)


def _sums(columns: Tensor, widths: Sequence[int]) -> Tensor:
    """Add up each member's columns: [row, token, column] to [row, token, member]."""
    if len(set(widths)) == 1:
        return columns.reshape(*columns.shape[:-1], len(widths), widths[0]).sum(dim=-1)
    return torch.stack([part.sum(dim=-1) for part in torch.split(columns, list(widths), dim=-1)], dim=-1)
