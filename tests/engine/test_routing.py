"""A batch whose rows name different compositions gives each row what it would get alone.

The pool holds what makes rows unlike: the identity, stacks and fusions in each other, other widths, left-out layers,
NICE or none, adapters behind the attention, no closing LayerNorm. Numbers are float64.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.equations import Plain
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from xltransfer.engine import Backbone, Composition, Fuse, Stack, rows
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.fusion import FusionConfig
from xltransfer.engine.heads import TaggingHead
from xltransfer.engine.readout import Output
from xltransfer.engine.routing import Parts
from xltransfer.errors import ConfigError
from xltransfer.rules import rules_of

TIGHT = {"atol": 1e-10, "rtol": 1e-10}
ADAPTERS: dict[str, dict[str, Any]] = {
    "l1": {"invertible_reduction": 2},
    "l2": {"invertible_reduction": 2},
    "wide": {"reduction": 2},
    "late": {"invertible_reduction": 4, "leave_out": (0,)},
    "t1": {"reduction": 8},
    "t2": {"reduction": 8},
    "houlsby": {"attention": True, "original_ln_before": False, "activation": "swish"},
    "open": {"original_ln_after": False},
    "nowhere": {"leave_out": (0, 1)},
}
FUSIONS = {"l1,l2": "l1,l2", "l1,wide": "l1,wide", "late,l1": "late,l1", "t1,t2": "t1,t2", "other": "l1,l2"}
STATIC = FusionConfig(value=False, query_before_ln=True)
POOL: tuple[Composition | None, ...] = (
    None,
    Stack(),
    Stack("nowhere"),
    Stack("l1"),
    Stack("l2"),
    Stack("late"),
    Stack("l1", "t1"),
    Stack("l2", "t1"),
    Stack("l2", "t2"),
    Stack("wide", "t2"),
    Stack("late", "t1"),
    Stack("houlsby"),
    Stack("l1", "houlsby"),
    Stack("open"),
    Stack("l2", "open"),
    Fuse("l1", "l2"),
    Fuse("l1", "l2", fusion="other"),
    Stack(Fuse("l1", "l2"), "t1"),
    Stack(Fuse("l1", "l2", fusion="other"), "t1"),
    Stack(Fuse("l1", "l2", fusion="static"), "t1"),
    Stack(Fuse("l1", "wide"), "t2"),
    Stack(Fuse("late", "l1"), "open"),
    Stack("l1", Fuse("t1", "t2")),
    Fuse(Stack("l1", "t1"), Stack("l2", "t2")),
    Fuse(Stack("l2", "t1"), "t2"),
)
BATCHES = st.lists(st.sampled_from(POOL), min_size=1, max_size=6)

Add = Callable[..., None]


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> Backbone:
    """Everything that the pool names, with random weights, in float64."""
    torch.manual_seed(5)
    backbone = Backbone.load(tiny_folder)
    for name, options in ADAPTERS.items():
        backbone.add_adapter(name, AdapterConfig(**{"reduction": 4, **options}))
    for name, members in FUSIONS.items():
        backbone.add_fusion(members.split(","), name=name)
    backbone.add_fusion(["l1", "l2"], STATIC, name="static")
    backbone.add_head("tag", TaggingHead(backbone.hidden, 3, 0.0))
    for part in (backbone.adapters, backbone.fusions, backbone.heads):
        for parameter in part.parameters():
            nn.init.normal_(parameter, std=0.2)
    return backbone.double().eval().requires_grad_(False)


@contextlib.contextmanager
def under(model: Backbone, rules: str, products: str) -> Iterator[None]:
    """Choose the rules, and how products of several compositions are made.

    A CPU makes them one by one; a GPU stacks the weights where compositions have equally many rows.
    """
    one_by_one = rows._one_by_one

    def stacked(x: Tensor, counts: Sequence[int], matrices: Sequence[Tensor]) -> Tensor:
        return rows._stacked(x, matrices) if len(set(counts)) == 1 else one_by_one(x, counts, matrices)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "rules", rules_of(rules))
        if products == "stacked":
            patch.setattr(rows, "_one_by_one", stacked)
        yield


def batch(number: int, tokens: int = 7) -> dict[str, Tensor]:
    """Return token ids and a mask that pads every second row."""
    ids = torch.randint(5, 60, (number, tokens), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[1::2, tokens - 3 :] = 0
    return {"input_ids": ids, "attention_mask": mask}


def one(inputs: dict[str, Tensor], row: int) -> dict[str, Tensor]:
    return {name: value[row : row + 1] for name, value in inputs.items()}


def asked(model: Backbone, inputs: dict[str, Tensor], composition: Any, head: str) -> Output:
    return model(**inputs, composition=composition, head=head, output_hidden_states=True, output_fusion_attention=True)


def alone(model: Backbone, inputs: dict[str, Tensor], compositions: Sequence[Any], head: str) -> list[Output]:
    return [asked(model, one(inputs, row), each, head) for row, each in enumerate(compositions)]


@pytest.mark.parametrize("rules", ["corrected", "adapterhub"])
@pytest.mark.parametrize("products", ["one by one", "stacked"])
@settings(max_examples=20, deadline=None)
@given(compositions=BATCHES)
def test_row_gets_what_it_gets_alone(
    model: Backbone, rules: str, products: str, compositions: list[Composition | None]
) -> None:
    with under(model, rules, products):
        check_rows(model, compositions)


@pytest.mark.parametrize("rules", ["corrected", "adapterhub"])
@pytest.mark.parametrize("products", ["one by one", "stacked"])
def test_all_of_the_pool_in_one_batch(model: Backbone, rules: str, products: str) -> None:
    with under(model, rules, products):
        check_rows(model, [*POOL, *POOL[::-1]])


def check_rows(model: Backbone, compositions: Sequence[Composition | None]) -> None:
    inputs = batch(len(compositions))
    together = asked(model, inputs, compositions, "tag")
    single = alone(model, inputs, compositions, "tag")
    for row, expected in enumerate(single):
        got = [state[row : row + 1] for state in together.hidden_states]
        torch.testing.assert_close(torch.stack(got), torch.stack(expected.hidden_states), **TIGHT)
        torch.testing.assert_close(together.logits[row : row + 1], expected.logits, **TIGHT)
        torch.testing.assert_close(together.pooler_output[row : row + 1], expected.pooler_output, **TIGHT)
    check_attention(together, single)


def check_attention(together: Output, single: Sequence[Output]) -> None:
    """Rows that pass through a fusion stand below each other in the batch's order."""
    expected: dict[tuple[str, int, str], list[Tensor]] = {}
    for out in single:
        for key, attention in flat(out).items():
            expected.setdefault(key, []).append(attention)
    got = flat(together)
    assert set(got) == set(expected)
    for key, attention in got.items():
        torch.testing.assert_close(attention, torch.cat(expected[key]), **TIGHT)


def flat(out: Output) -> dict[tuple[str, int, str], Tensor]:
    return {
        (fusion, layer, place): attention
        for fusion, layers in out.fusion_attention.items()
        for layer, places in layers.items()
        for place, attention in places.items()
    }


@pytest.mark.parametrize("rules", ["corrected", "adapterhub"])
@settings(max_examples=15, deadline=None)
@given(compositions=BATCHES, data=st.data())
def test_masked_positions_are_inverted_by_their_own_rows_adapters(
    model: Backbone, rules: str, compositions: list[Composition | None], data: st.DataObject
) -> None:
    inputs = batch(len(compositions))
    tokens = inputs["input_ids"].shape[1]
    chosen = data.draw(st.lists(st.integers(0, len(compositions) * tokens - 1), min_size=1, max_size=8))
    with under(model, rules, "one by one"):
        positions = torch.tensor(chosen)
        got = model(**inputs, composition=compositions, head=MASKED_LM, positions=positions).logits
        everywhere = model(**inputs, composition=compositions, head=MASKED_LM).logits
        single = torch.cat([out.logits for out in alone(model, inputs, compositions, MASKED_LM)])
    torch.testing.assert_close(everywhere, single, **TIGHT)
    torch.testing.assert_close(got, single.flatten(0, 1)[chosen], **TIGHT)


@pytest.mark.parametrize("products", ["one by one", "stacked"])
@settings(max_examples=12, deadline=None)
@given(compositions=BATCHES)
def test_gradients_are_the_sum_of_each_rows_own(
    model: Backbone, products: str, compositions: list[Composition | None]
) -> None:
    compositions = [*compositions, Stack("l1")]
    inputs, parameters = batch(len(compositions)), [*model.adapters.parameters(), *model.fusions.parameters()]

    def gradients(outs: Sequence[Output]) -> list[Tensor]:
        logits = torch.cat([out.logits for out in outs])
        weigh = torch.linspace(-1, 2, logits.numel(), dtype=logits.dtype).reshape(logits.shape)
        found = torch.autograd.grad((logits * weigh).sum(), parameters, allow_unused=True)
        return [torch.zeros_like(p) if grad is None else grad for p, grad in zip(parameters, found, strict=True)]

    for parameter in parameters:
        parameter.requires_grad_(True)
    try:
        with under(model, "corrected", products):
            got = gradients([asked(model, inputs, compositions, MASKED_LM)])
            expected = gradients(alone(model, inputs, compositions, MASKED_LM))
    finally:
        model.requires_grad_(False)
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)


@settings(max_examples=15, deadline=None)
@given(compositions=BATCHES, random=st.randoms())
def test_order_of_rows_does_not_matter(model: Backbone, compositions: list[Composition | None], random: Any) -> None:
    inputs = batch(len(compositions))
    order = list(range(len(compositions)))
    random.shuffle(order)
    got = asked(
        model, {name: value[order] for name, value in inputs.items()}, [compositions[row] for row in order], "tag"
    )
    expected = asked(model, inputs, compositions, "tag")
    torch.testing.assert_close(got.logits, expected.logits[order], **TIGHT)
    torch.testing.assert_close(got.last_hidden_state, expected.last_hidden_state[order], **TIGHT)


@pytest.mark.parametrize("composition", POOL[1:], ids=str)
def test_pool_is_what_the_equations_say(model: Backbone, tiny_folder: Path, composition: Composition) -> None:
    # What the rows above are compared with is itself right.
    ids = batch(2)["input_ids"]
    got = model(ids, composition=composition, output_hidden_states=True).hidden_states
    with torch.no_grad():
        expected = Plain(tiny_folder, model, composition).states(ids)
    torch.testing.assert_close(torch.stack(got), torch.stack(expected), **TIGHT)


# The untouched model.


def test_rows_without_adapters_are_bit_identical_to_none(tiny: Backbone, ids: Tensor, add_trained: Add) -> None:
    add_trained(tiny, "l", 1, invertible_reduction=2)
    add_trained(tiny, "t", 2)
    inputs = batch(6)
    plain = tiny(**inputs, output_hidden_states=True)
    for compositions in ([None] * 6, [Stack()] * 6, [None, Stack(), None, Stack(), None, None]):
        got = tiny(**inputs, composition=compositions, output_hidden_states=True)
        assert all(map(torch.equal, got.hidden_states, plain.hidden_states))
        assert torch.equal(got.pooler_output, plain.pooler_output)
    # Rows that stay in place: a matrix product may round a row otherwise elsewhere.
    mixed = [None, Stack(), None, Stack("l"), Stack("l", "t"), Stack("t")]
    got = tiny(**inputs, composition=mixed, output_hidden_states=True)
    for ours, theirs in zip(got.hidden_states, plain.hidden_states, strict=True):
        assert torch.equal(ours[:3], theirs[:3])
        assert not torch.allclose(ours[3:], theirs[3:])


@pytest.mark.parametrize("rule", ["adapterhub", "madx_equation"])
def test_fresh_adapter_is_no_adapter_bit_for_bit(tiny_folder: Path, ids: Tensor, rule: str) -> None:
    fresh = Backbone.load(tiny_folder, stack=rule)
    fresh.add_adapter("fresh", AdapterConfig(reduction=2, invertible_reduction=2)).eval()
    with torch.no_grad():
        with_it = fresh(ids, composition=Stack("fresh"), head=MASKED_LM, output_hidden_states=True)
        without = fresh(ids, head=MASKED_LM, output_hidden_states=True)
    assert torch.equal(with_it.last_hidden_state, without.last_hidden_state)
    assert torch.equal(with_it.logits, without.logits)
    assert torch.equal(with_it.pooler_output, without.pooler_output)


def test_base_model_is_untouched_after_a_composition(model: Backbone) -> None:
    inputs = batch(3)
    before = model(**inputs).last_hidden_state
    model(**inputs, composition=[Stack("l1"), None, Fuse("l1", "l2")])
    assert torch.equal(model(**inputs).last_hidden_state, before)


def test_failed_pass_leaves_no_adapter_behind(model: Backbone) -> None:
    inputs = batch(2)
    before = model(**inputs).last_hidden_state
    with pytest.raises(ConfigError, match="head 'no'"):
        model(**inputs, composition=Stack("l1"), head="no")
    with pytest.raises(IndexError):
        model(inputs["input_ids"] + 1000, composition=Stack("l1"))
    assert torch.equal(model(**inputs).last_hidden_state, before)


def test_only_the_first_member_transforms_the_embeddings(model: Backbone) -> None:
    inputs = batch(1)

    def embeddings(composition: Composition | None) -> Tensor:
        return model(**inputs, composition=composition, output_hidden_states=True).hidden_states[0]

    assert torch.equal(embeddings(Stack("t1", "l1")), embeddings(None))
    assert torch.equal(embeddings(Stack("l1", "l2")), embeddings(Stack("l1")))
    assert not torch.allclose(embeddings(Stack("l1")), embeddings(None))


# How rows are sorted.


def parts(model: Backbone) -> Parts:
    return Parts(dict(model.adapters.items()), dict(model.fusions.items()))


def test_one_composition_is_one_group_in_place(model: Backbone) -> None:
    routing = parts(model).routing([Stack("l1")] * 3)
    assert routing.order is None
    assert [(group.rows, group.counts) for group in routing.groups] == [(slice(0, 3), (3,))]


def test_compositions_of_one_shape_are_one_group(model: Backbone) -> None:
    rows_of_batch = [Stack("l2", "t2"), Stack("wide", "t1"), Stack("l1", "t1"), Stack("l2", "t2")]
    routing = parts(model).routing(rows_of_batch)
    assert [group.compositions for group in routing.groups] == [
        (Stack("l2", "t2"), Stack("l1", "t1")),
        (Stack("wide", "t1"),),
    ]
    assert [group.counts for group in routing.groups] == [(2, 1), (1,)]
    assert routing.order == (0, 3, 2, 1)
    assert routing.rows_of() == {Stack("l2", "t2"): [0, 3], Stack("l1", "t1"): [2], Stack("wide", "t1"): [1]}


@given(compositions=BATCHES)
def test_unsorting_undoes_sorting(model: Backbone, compositions: list[Composition | None]) -> None:
    routing = parts(model).routing([Stack() if each is None else each for each in compositions])
    numbers = torch.arange(len(compositions))
    assert torch.equal(routing.unsort(routing.sort(numbers)), numbers)
    owned = sorted(row for rows_of in routing.rows_of().values() for row in rows_of)
    assert owned == numbers.tolist()


def test_fusion_attention_only_where_it_is_asked_for(model: Backbone) -> None:
    inputs = batch(2)
    assert model(**inputs, composition=Fuse("l1", "l2")).fusion_attention is None
    assert model(**inputs, composition=Stack("l1"), output_fusion_attention=True).fusion_attention == {}
