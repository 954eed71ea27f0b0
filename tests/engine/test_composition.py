"""Compositions: their text form, what they refuse, and the names they say about a model."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xltransfer.engine import Backbone, Composition, Fuse, Stack, parse_composition
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.composition import entries, leaves
from xltransfer.engine.fusion import FusionConfig
from xltransfer.errors import ConfigError, ModelError

NAMES = st.from_regex(r"[A-Za-z0-9_@+-]{1,4}", fullmatch=True) | st.sampled_from(["Stack", "Fuse"])
Add = Callable[..., None]


def _last(member: str | Stack) -> str:
    return member if isinstance(member, str) else member.members[-1]


@st.composite
def fusions(draw: st.DrawFn) -> Fuse:
    """Return a fusion of names and stacks of names, with its own name or another."""
    members = draw(
        st.lists(
            NAMES | st.lists(NAMES, min_size=1, max_size=3).map(lambda names: Stack(*names)), min_size=2, max_size=4
        )
        .map(tuple)
        .filter(lambda found: len({_last(each) for each in found}) == len(found))
    )
    return Fuse(*members, fusion=draw(st.none() | st.lists(NAMES, min_size=1, max_size=3).map(",".join)))


COMPOSITIONS = st.lists(NAMES | fusions(), max_size=4).map(lambda members: Stack(*members)) | fusions()


@given(COMPOSITIONS)
def test_composition_reads_its_own_text(composition: Composition) -> None:
    assert parse_composition(str(composition)) == composition


@given(COMPOSITIONS, st.randoms())
def test_spaces_between_tokens_do_not_matter(composition: Composition, random: Any) -> None:
    text = str(composition).replace(" ", "")
    spaced = "".join(f" {each} " if each in "(),;" and random.random() < 0.5 else each for each in text)
    assert parse_composition(spaced) == composition


@given(st.text(alphabet="StackFuse(),; ab.é", max_size=12))
def test_any_other_text_is_refused_by_one_error(text: str) -> None:
    try:
        composition = parse_composition(text)
    except ConfigError:
        return
    assert parse_composition(str(composition)) == composition


def test_single_name_is_a_stack_of_one_and_nothing_is_the_identity() -> None:
    assert parse_composition(" pos@1 ") == Stack("pos@1")
    assert parse_composition("") == parse_composition("Stack()") == Stack()


def test_nested_text_is_the_nested_composition() -> None:
    assert parse_composition("Stack(Fuse(l1,l2),t)") == Stack(Fuse("l1", "l2"), "t")
    assert parse_composition("Fuse(Stack(l1, t1), Stack(l2, t2))") == Fuse(Stack("l1", "t1"), Stack("l2", "t2"))
    assert parse_composition("Fuse(a, b; c, d)") == Fuse("a", "b", fusion="c,d")


def test_fusion_is_named_by_the_last_member_of_each_branch() -> None:
    fuse = Fuse(Stack("l1", "t1"), "t2")
    assert (fuse.fusion, fuse.lasts, str(fuse)) == ("t1,t2", ("t1", "t2"), "Fuse(Stack(l1, t1), t2)")
    assert str(Fuse("a", "b", fusion="other")) == "Fuse(a, b; other)"
    assert Fuse("a", "b", fusion="a,b") == Fuse("a", "b")


def test_stack_inside_a_stack_is_its_members() -> None:
    assert Stack(Stack("a", Stack()), "b") == Stack("a", "b")


def test_leaves_and_entries_are_read_from_left_to_right() -> None:
    composition = Stack(Fuse(Stack("l1", "x"), "l2"), "t")
    assert leaves(composition) == ("l1", "x", "l2", "t")
    assert entries(composition) == ("l1", "l2")
    assert entries(Stack()) == leaves(Stack()) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Stack(a,,b)", "a name was expected, found ','"),
        ("Stack(a,)", r"a name was expected, found '\)'"),
        ("Stack(a", "a bracket is not closed"),
        ("Fuse(a, b; c", "a bracket is not closed"),
        ("Fuse(a, b", "a bracket is not closed"),
        ("a b", "nothing may follow, found 'b'"),
        ("Fuse(a, b))", r"nothing may follow, found '\)'"),
        ("Fuze(a, b)", "'Fuze' is neither Stack nor Fuse"),
        ("Stack(a, é)", "unexpected 'é'"),
        ("Stack(en.v1)", "unexpected '.'"),
        ("Stack(a; b)", "only Fuse takes a fusion's name"),
        ("(a)", "a name was expected"),
    ],
)
def test_malformed_text_is_refused_with_its_place(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"is not of the form NAME, Stack.*{why}"):
        parse_composition(text)


@pytest.mark.parametrize("text", ["Fuse(a, b; )", "Fuse(a, b; c d)", "Fuse(a, b; c,)", "Fuse(a, b; c(d)"])
def test_malformed_fusion_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="fusion name '.*' is not made of names joined by commas"):
        parse_composition(text)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Fuse("a"), "at least two members, got 1"),
        (lambda: Fuse("a", Stack()), "is a name or a Stack of names"),
        (lambda: Fuse("a", Fuse("b", "c")), "is a name or a Stack of names"),
        (lambda: Fuse("a", Stack("b", Fuse("c", "d"))), "Fuse inside a Fuse is not defined"),
        (lambda: Fuse("a", Stack("b", "a")), "ends twice in the same adapter"),
        (lambda: Fuse("a", "b.c"), "adapter name 'b.c' is not made of"),
        (lambda: Fuse("a", "b", fusion=""), "fusion name '' is not made of"),
        (lambda: Stack("a b"), "adapter name 'a b' is not made of"),
        (lambda: Stack(""), "adapter name '' is not made of"),
        (lambda: Stack(None), "a member of Stack is a name, a Stack or a Fuse, got None"),
    ],
)
def test_composition_that_means_nothing_is_refused(make: Callable[[], Composition], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make()


# What a composition may name in a model.


@pytest.fixture
def model(tiny: Backbone, add_trained: Add) -> Backbone:
    """Three adapters and a fusion of two."""
    for seed, name in enumerate(("swahili", "english", "task")):
        add_trained(tiny, name, seed)
    tiny.add_fusion(["english", "swahili"]).eval()
    return tiny


@pytest.mark.parametrize(
    ("composition", "why"),
    [
        (Stack("swahil"), r"composition Stack\(swahil\): adapter 'swahil' is not loaded; did you mean 'swahili'"),
        (Fuse("english", "swahil"), "adapter 'swahil' is not loaded; did you mean 'swahili'"),
        (Fuse("english", "task"), "fusion 'english,task' is not loaded"),
        (Fuse("english", "swahili", fusion="english,swahli"), "did you mean 'english,swahili'"),
        (
            Fuse("swahili", "english", fusion="english,swahili"),
            "fusion 'english,swahili' is of english, swahili, in this order",
        ),
        (Fuse("task", "english", fusion="english,swahili"), "is of english, swahili, in this order"),
        (Fuse("english", "swahili", "task", fusion="english,swahili"), "is of english, swahili, in this order"),
    ],
)
def test_what_is_not_there_is_named(model: Backbone, ids: torch.Tensor, composition: Composition, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        model(ids, composition=composition)
    with pytest.raises(ConfigError, match=why):
        model(ids, composition=[Stack("task"), composition])


def test_every_problem_of_every_row_is_named_once(model: Backbone, ids: torch.Tensor) -> None:
    rows = [Stack("nobody", "task"), Stack("nobody", "task"), Stack(Fuse("nothing", "task"))]
    with pytest.raises(ConfigError) as caught:
        model(ids[[0, 0, 1]], composition=rows)
    assert len(caught.value.problems) == 3
    assert "'nobody'" in caught.value.problems[0]
    assert "adapter 'nothing'" in caught.value.problems[1]
    assert "fusion 'nothing,task'" in caught.value.problems[2]


def test_adapters_inside_a_fusion_sit_where_its_members_sit(
    model: Backbone, ids: torch.Tensor, add_trained: Add
) -> None:
    add_trained(model, "houlsby", 5, attention=True, original_ln_before=False)
    with pytest.raises(ConfigError, match="place 'attention', where fusion 'english,swahili' has no weights"):
        model(ids, composition=Fuse("english", Stack("houlsby", "swahili")))


def test_members_of_a_new_fusion_must_be_there_and_sit_at_the_same_places(model: Backbone, add_trained: Add) -> None:
    add_trained(model, "houlsby", 5, attention=True, original_ln_before=False)
    with pytest.raises(ConfigError, match="fusion member 'taks' is not loaded; did you mean 'task'"):
        model.add_fusion(["english", "taks"])
    with pytest.raises(ConfigError, match="must sit at the same places"):
        model.add_fusion(["english", "houlsby"], FusionConfig())


@pytest.mark.parametrize("number", [0, 1, 3])
def test_compositions_must_be_as_many_as_rows(model: Backbone, ids: torch.Tensor, number: int) -> None:
    with pytest.raises(ConfigError, match=f"composition names {number} rows, but input_ids has 2"):
        model(ids, composition=[Stack("task")] * number)


def test_adapter_name_that_no_composition_can_say_is_refused(model: Backbone) -> None:
    with pytest.raises(ConfigError, match="adapter name 'en.v1'"):
        model.add_adapter("en.v1", AdapterConfig())


def test_unknown_activation_names_the_near_one(model: Backbone) -> None:
    with pytest.raises(ModelError, match="activation 'rleu' is not known; did you mean 'relu'"):
        model.add_adapter("a", AdapterConfig(activation="rleu"))


def test_left_out_layer_must_exist(model: Backbone) -> None:
    with pytest.raises(ModelError, match="leave_out names layer 2, but the base model has layers 0 to 1"):
        model.add_adapter("a", AdapterConfig(leave_out=(2,)))
