"""AdapterFusion against the textbook order of its products: every key and value made by itself, in float64.

Also what the other orders are for: no member adds a full-width product of the tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from engine.equations import attend, filled
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from xltransfer.engine.bottleneck import Bottleneck, Form
from xltransfer.engine.fusion import Fusion, FusionConfig, FusionLayer, Inside, fuse
from xltransfer.rules import ADAPTERHUB, CORRECTED, Rules

HIDDEN = 6
FEW, MANY = 1, 20
"""Tokens of a row: fewer, and more, than a composition's members have columns. Each has its order of products."""
TIGHT = {"atol": 1e-10, "rtol": 1e-10}
OPTIONS = {
    "dynamic": {},
    "static": {"value": False},
    "no key": {"key": False},
    "no query": {"query": False},
    "static without key and query": {"value": False, "key": False, "query": False},
    "residual before": {"residual_before": True},
    "residual before, static, no key": {"residual_before": True, "value": False, "key": False},
    "value behind the softmax": {"value_before_softmax": False},
    "temperature": {"temperature": True},
}
COUNTS = {"one": (3,), "equal": (2, 2), "unequal": (1, 3, 2)}


def identity(x: Tensor) -> Tensor:
    return x


def every_other(x: Tensor) -> Tensor:
    """A dropout with a fixed mask: every second number is dropped, the others are doubled."""
    mask = torch.arange(x.numel(), dtype=x.dtype).reshape(x.shape) % 2
    return x * mask * 2


@dataclass
class Scene:
    """A batch of several compositions at one place, everything random."""

    layers: list[FusionLayer]
    counts: tuple[int, ...]
    members: list[Inside]
    query: Tensor
    residual: Tensor

    @property
    def inputs(self) -> list[Tensor]:
        """Everything that has a gradient, each once."""
        weights = [each for layer in self.layers for each in layer.parameters()]
        ups = [
            each for member in self.members for bottleneck in member.bottlenecks for each in bottleneck.up.parameters()
        ]
        inside = [member.lowered for member in self.members]
        return list(dict.fromkeys([*weights, *ups, *inside, self.query, self.residual]))

    def ours(self, rules: Rules = CORRECTED, drop: Callable[[Tensor], Tensor] = identity) -> tuple[Tensor, Tensor]:
        return fuse(self.layers, self.counts, self.members, self.query, self.residual, rules, drop)

    def textbook(self, **more: Any) -> tuple[Tensor, Tensor]:
        """Compute composition by composition: u_n from the inside, then its key and its value."""
        found, start = [], 0
        for number, (layer, count) in enumerate(zip(self.layers, self.counts, strict=True)):
            rows = slice(start, start + count)
            us = [self._output(member, number, rows) for member in self.members]
            found.append(attend(layer, us, self.query[rows], self.residual[rows], **more))
            start += count
        out, attention = zip(*found, strict=True)
        return torch.cat(out), torch.cat(attention)

    @staticmethod
    def _output(member: Inside, number: int, rows: slice) -> Tensor:
        bottleneck = member.bottlenecks[number]
        up = bottleneck.up
        return bottleneck.form.scaling * (member.lowered[rows] @ up.weight.T + up.bias)


def scene(
    members: int,
    counts: Sequence[int],
    config: dict[str, Any],
    tokens: int = FEW,
    shared: bool = False,
    hidden: int = HIDDEN,
    width: int | None = None,
) -> Scene:
    """Draw a scene; ``shared`` gives every composition the same fusion and the same last member."""
    torch.manual_seed(members)
    rows, options = sum(counts), FusionConfig(**config)
    layers = [filled(FusionLayer(hidden, options)) for _ in counts]
    insides = []
    for number in range(members):
        form = Form(hidden, width or number + 2, scaling=1.0 + number)
        each = [filled(Bottleneck(form)) for _ in counts]
        if shared and number == members - 1:
            each = each[:1] * len(counts)
        lowered = torch.randn(rows, tokens, form.width, dtype=torch.float64, requires_grad=True)
        insides.append(Inside(lowered, tuple(each)))
    states = (torch.randn(rows, tokens, hidden, dtype=torch.float64, requires_grad=True) for _ in range(2))
    return Scene(layers[:1] * len(counts) if shared else layers, tuple(counts), insides, *states)


def gradients(of: tuple[Tensor, Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients of a number in which every element of both results counts differently."""
    weigh = torch.linspace(-1, 2, of[0].numel(), dtype=torch.float64).reshape(of[0].shape)
    number = (of[0] * weigh).sum() + (of[1] * torch.linspace(1, 3, of[1].numel()).reshape(of[1].shape)).sum()
    found = torch.autograd.grad(number, inputs, allow_unused=True)
    return [torch.zeros_like(each) if got is None else got for each, got in zip(inputs, found, strict=True)]


def assert_same(got: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], inputs: Sequence[Tensor]) -> None:
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, **TIGHT)
    for ours, theirs in zip(gradients(got, inputs), gradients(expected, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, **TIGHT)


@pytest.mark.parametrize("members", [1, 2, 3, 5])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("tokens", [FEW, MANY])
def test_values_and_gradients_are_the_textbooks(
    members: int, options: dict[str, Any], counts: tuple[int, ...], tokens: int
) -> None:
    case = scene(members, counts, options, tokens)
    temperature = 50.0 if options.get("temperature") else 1.0
    assert_same(case.ours(), case.textbook(temperature=temperature), case.inputs)


@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("tokens", [FEW, MANY])
def test_compositions_may_share_a_fusion_and_a_member(counts: tuple[int, ...], tokens: int) -> None:
    case = scene(3, counts, {}, tokens, shared=True)
    assert_same(case.ours(), case.textbook(), case.inputs)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("tokens", [FEW, MANY])
@pytest.mark.parametrize(("rules", "where"), [(CORRECTED, "on_weights"), (ADAPTERHUB, "on_scores")])
def test_dropout_changes_the_textbooks_numbers_in_the_same_way(
    options: dict[str, Any], counts: tuple[int, ...], tokens: int, rules: Rules, where: str
) -> None:
    case = scene(3, counts, options, tokens)
    temperature = 50.0 if options.get("temperature") else 1.0
    # One mask for the whole batch, which the textbook meets composition by composition.
    masks = iter(every_other(torch.ones(sum(counts), tokens, 3, dtype=torch.float64)).split(list(counts)))
    expected = case.textbook(temperature=temperature, **{where: lambda x: x * next(masks)})
    assert_same(case.ours(rules, every_other), expected, case.inputs)


def test_attention_sums_to_one_and_is_that_before_dropout() -> None:
    case = scene(3, (2, 2), {})
    _, plain = case.ours()
    _, dropped = case.ours(CORRECTED, every_other)
    torch.testing.assert_close(plain.sum(dim=-1), torch.ones(4, FEW, dtype=torch.float64))
    assert torch.equal(plain, dropped)


def test_one_member_has_all_the_attention() -> None:
    _, attention = scene(1, (2,), {}).ours()
    assert torch.equal(attention, torch.ones_like(attention))


def test_temperature_falls_from_fifty_to_one_by_a_twentieth_a_call() -> None:
    layer = FusionLayer(HIDDEN, FusionConfig(temperature=True))
    assert [layer.cooled() for _ in range(3)] == pytest.approx([50.0, 49.95, 49.9])
    for _ in range(1000):
        last = layer.cooled()
    assert last == 1.0
    assert FusionLayer(HIDDEN, FusionConfig()).temperature == 1.0


def test_temperature_is_that_of_the_call() -> None:
    case = scene(3, (1, 2), {"temperature": True})
    case.layers[1].temperature = 2.0
    got = [case.ours()[1], case.ours()[1]]
    for attention, (first, second) in zip(got, ((50.0, 2.0), (49.95, 1.95)), strict=True):
        expected = torch.cat(
            (case.textbook(temperature=first)[1][:1], case.textbook(temperature=second)[1][1:]),
        )
        torch.testing.assert_close(attention, expected, **TIGHT)


def test_one_temperature_for_compositions_that_share_a_fusion_falls_once_a_call() -> None:
    case = scene(2, (1, 2), {"temperature": True}, shared=True)
    case.ours()
    assert case.layers[0].temperature == pytest.approx(49.95)


# What the order of the products is for.

WIDE, NARROW = 64, 4


def flops(members: int, tokens: int, backward: bool, run: str) -> int:
    case = scene(members, (2,), {}, tokens, hidden=WIDE, width=NARROW)
    with FlopCounterMode(display=False) as counter:
        out, _ = getattr(case, run)()
        if backward:
            out.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("tokens", [(1, 5), (20, 30)], ids=["few tokens", "many tokens"])
def test_what_a_member_costs_a_token_is_narrow(tokens: tuple[int, int], backward: bool) -> None:
    def for_a_token(run: str) -> float:
        """Return what a token of two rows costs for each of three more members."""
        few, many = (flops(5, each, backward, run) - flops(2, each, backward, run) for each in tokens)
        return (many - few) / (tokens[1] - tokens[0]) / 2 / 3

    # k · u_n and a_n u_n, and in training the gradients of both factors of each. The bias is a column.
    products = 6 if backward else 2
    assert for_a_token("ours") == products * 2 * WIDE * (NARROW + 1)
    # In the textbook order each member brings a key and a value of full width.
    assert for_a_token("textbook") >= products * 2 * WIDE * WIDE


def test_cheaper_order_of_products_is_taken() -> None:
    members, few, many = 3, 2, 2 * 40
    columns = members * (NARROW + 1)
    full, narrow = 2 * WIDE * WIDE, 2 * 2 * WIDE * columns
    # Fewer tokens than columns: query, key and value of each token, whatever the number of members; and Wqᵀ bk once.
    assert flops(members, 1, False, "ours") == few * (3 * full + narrow) + full
    # More: the products of the weights with each other, none of full width for the tokens.
    of_weights = columns * 3 * full
    assert of_weights <= flops(members, 40, False, "ours") - many * narrow <= 1.1 * of_weights


class Largest(TorchDispatchMode):
    """Keeps the largest number of elements that any operation returned."""

    found = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for each in out if isinstance(out, tuple | list) else (out,):
            if isinstance(each, Tensor):
                self.found = max(self.found, each.numel())
        return out


@pytest.mark.parametrize("tokens", [2, 40])
def test_no_tensor_holds_every_members_output(tokens: int) -> None:
    rows = 20
    case = scene(5, (rows,), {}, tokens, hidden=WIDE, width=NARROW)
    with Largest() as largest:
        case.ours()[0].sum().backward()
    assert largest.found == max(rows * tokens * WIDE, WIDE * WIDE)


# Weights.


def test_fresh_fusion_starts_as_published() -> None:
    torch.manual_seed(0)
    layer = Fusion(["a", "b"], FusionConfig(), 64, 1).at(0)
    assert torch.equal(layer.value.weight, torch.full((64, 64), 1e-6).fill_diagonal_(1.0))
    assert not layer.query.bias.any() and not layer.key.bias.any()
    for projection in (layer.query, layer.key):
        assert projection.weight.std().item() == pytest.approx(0.02, rel=0.05)
    drawn = FusionLayer(64, FusionConfig(value_initialized=False)).value.weight
    assert drawn.std().item() == pytest.approx(0.02, rel=0.05)


def test_regularisation_is_the_sum_of_squares_over_layers_and_places() -> None:
    fusion = filled(Fusion(["a", "b"], FusionConfig(), HIDDEN, 2, ("output", "attention")))
    eye = torch.eye(HIDDEN, dtype=torch.float64)
    parts = [fusion.at(layer, place).value.weight for place in ("output", "attention") for layer in (0, 1)]
    expected = 0.01 * sum(((eye - value) ** 2).sum() for value in parts)
    torch.testing.assert_close(fusion.regularisation(), expected, **TIGHT)
    assert len(fusion.values()) == 4


@pytest.mark.parametrize("options", [{"value": False}, {"regularization": False}])
def test_nothing_to_regularise_is_zero(options: dict[str, Any]) -> None:
    assert Fusion(["a", "b"], FusionConfig(**options), HIDDEN, 2).regularisation() == 0
