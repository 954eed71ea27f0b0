"""Heads against loops and formulas in plain torch, and what is refused when a head is asked wrongly."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import AutoConfig, BertForMaskedLM

from xltransfer.engine import Backbone, Stack
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.heads import (
    BiaffineHead,
    ClassificationHead,
    LinearHead,
    QuestionAnsweringHead,
    TaggingHead,
    no_head,
)
from xltransfer.errors import ConfigError, ModelError

HIDDEN = 4
TIGHT = {"atol": 1e-12, "rtol": 1e-12}

Add = Callable[..., None]


def filled(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.double().parameters():
        nn.init.normal_(parameter)
    return module.eval()


def test_linear_head_repeats_its_layers_under_the_librarys_numbers() -> None:
    head = filled(LinearHead(HIDDEN, 3, 0.5, layers=3, activation="relu"))
    assert [key for key in head.state_dict() if key.endswith("weight")] == [f"layers.{n}.weight" for n in (1, 4, 7)]
    x = expected = torch.randn(2, 5, HIDDEN, dtype=torch.float64)
    for number in (1, 4):
        expected = (expected @ head.layers[number].weight.T + head.layers[number].bias).clamp(min=0)
    torch.testing.assert_close(head(x), expected @ head.layers[7].weight.T + head.layers[7].bias, **TIGHT)


def test_default_activation_between_layers_is_tanh() -> None:
    head = filled(ClassificationHead(HIDDEN, 3, 0.0))
    x = torch.randn(2, HIDDEN, dtype=torch.float64)
    inner = torch.tanh(x @ head.layers[1].weight.T + head.layers[1].bias)
    torch.testing.assert_close(head(x), inner @ head.layers[4].weight.T + head.layers[4].bias, **TIGHT)


def test_head_may_have_no_bias() -> None:
    head = LinearHead(HIDDEN, 3, 0.0, bias=False)
    assert not head(torch.zeros(1, HIDDEN)).any()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: LinearHead(HIDDEN, 0, 0.0), "at least one layer and one output, got 1 and 0"),
        (lambda: LinearHead(HIDDEN, 2, 0.0, layers=0), "at least one layer and one output, got 0 and 2"),
        (lambda: LinearHead(HIDDEN, 2, 0.0, activation="tahn"), "'tahn' is not known; did you mean 'tanh'"),
    ],
)
def test_head_that_cannot_be_made_is_refused(make: Callable[[], nn.Module], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        make()


# Asked inside a model.


@pytest.fixture
def model(tiny: Backbone, add_trained: Add) -> Backbone:
    """A model with one head of each kind and a language adapter with NICE."""
    for name, head in {
        "tag": TaggingHead(tiny.hidden, 3, 0.1),
        "first": ClassificationHead(tiny.hidden, 3, 0.1),
        "pooled": ClassificationHead(tiny.hidden, 3, 0.1, layers=1, use_pooler=True),
        "qa": QuestionAnsweringHead(tiny.hidden, 0.1),
        "dep": BiaffineHead(tiny.hidden, 3, 0.1),
    }.items():
        tiny.add_head(name, filled(head))
    add_trained(tiny, "l", 1, invertible_reduction=2)
    return tiny.double()


@pytest.mark.parametrize("head", ["tag", MASKED_LM])
@pytest.mark.parametrize("composition", [None, Stack("l")], ids=str)
def test_positions_pick_rows_of_the_full_scores(
    model: Backbone, ids: Tensor, head: str, composition: Stack | None
) -> None:
    chosen = torch.tensor([3, 15, 7, 7])
    everywhere = model(ids, composition=composition, head=head).logits
    got = model(ids, composition=composition, head=head, positions=chosen).logits
    torch.testing.assert_close(got, everywhere.flatten(0, 1)[chosen], **TIGHT)


def test_classification_reads_the_first_token_or_the_pooler(model: Backbone, ids: Tensor) -> None:
    first, pooled = (model(ids, head=head) for head in ("first", "pooled"))
    state, pooler = first.last_hidden_state[:, 0], model.encoder.pooler.dense
    torch.testing.assert_close(first.logits, model.heads["first"](state), **TIGHT)
    expected = torch.tanh(state @ pooler.weight.T + pooler.bias)
    torch.testing.assert_close(pooled.logits, model.heads["pooled"](expected), **TIGHT)


def test_answers_start_comes_before_its_end(model: Backbone, ids: Tensor) -> None:
    out, head = model(ids, head="qa"), model.heads["qa"].layers[1]
    scores = out.last_hidden_state @ head.weight.T + head.bias
    torch.testing.assert_close(torch.stack((out.start_logits, out.end_logits), dim=-1), scores, **TIGHT)


def test_masked_lm_is_its_formula_with_the_invertible_adapter_undone(model: Backbone, ids: Tensor) -> None:
    out, head, nice = (
        model(ids, composition=Stack("l"), head=MASKED_LM),
        model.masked_lm,
        model.adapters["l"].invertible,
    )
    z = nn.functional.gelu(out.last_hidden_state @ head.dense.weight.T + head.dense.bias)
    z = nn.functional.layer_norm(z, z.shape[-1:], head.norm.weight, head.norm.bias, head.norm.eps)
    half = model.hidden // 2
    x2 = z[..., half:] - nice.G(z[..., :half])
    undone = torch.cat((z[..., :half] - nice.F(x2), x2), dim=-1)
    expected = undone @ model.encoder.embeddings.word_embeddings.weight.T + head.bias
    torch.testing.assert_close(out.logits, expected, atol=1e-10, rtol=1e-10)


def test_no_other_head_undoes_it(model: Backbone, ids: Tensor) -> None:
    out = model(ids, composition=Stack("l"), head="tag")
    torch.testing.assert_close(out.logits, model.heads["tag"](out.last_hidden_state), **TIGHT)


def test_output_holds_what_was_asked_for(model: Backbone, ids: Tensor) -> None:
    out = model(ids)
    assert out.hidden_states is out.logits is out.start_logits is out.arc_preds is None
    assert model(ids, head="qa").logits is None
    assert model(ids, head="tag").start_logits is None


# The parser.

STARTS = torch.tensor([[1, 2, 4, 5, -1], [1, 3, -1, -1, -1], [2, 3, 4, 5, 7]])
"""Starts of 3, 1 and 4 words over 8 tokens, each row closed by an end."""


def words_by_loop(hidden: Tensor, starts: Tensor) -> Tensor:
    """Return each word's mean, zero where there is none."""
    found = torch.zeros(len(starts), starts.shape[1] - 1, hidden.shape[2], dtype=hidden.dtype)
    for row, bounds in enumerate(starts.tolist()):
        real = [bound for bound in bounds if bound >= 0]
        for word, (start, end) in enumerate(zip(real[:-1], real[1:], strict=True)):
            found[row, word] = sum(hidden[row, token] for token in range(start, end)) / (end - start)
    return found


def parser(labels: int = 3) -> BiaffineHead:
    return filled(BiaffineHead(HIDDEN, labels, 0.0))


def states() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(3, 8, HIDDEN, dtype=torch.float64)


def test_words_are_means_of_their_subwords() -> None:
    hidden = states()
    dependents, heads = parser().words(hidden, STARTS)
    expected = words_by_loop(hidden, STARTS)
    torch.testing.assert_close(dependents, expected, **TIGHT)
    torch.testing.assert_close(heads, torch.cat((hidden[:, :1], expected), dim=1), **TIGHT)


@st.composite
def starts(draw: st.DrawFn) -> list[int]:
    found = draw(st.lists(st.integers(1, 8), min_size=2, max_size=5, unique=True).map(sorted))
    return found + [-1] * (6 - len(found))


@settings(deadline=None)
@given(st.lists(starts(), min_size=3, max_size=3))
def test_words_of_any_sentences(bounds: list[list[int]]) -> None:
    hidden, given_starts = states(), torch.tensor(bounds)
    dependents, _ = parser().words(hidden, given_starts)
    torch.testing.assert_close(dependents, words_by_loop(hidden, given_starts), **TIGHT)


def test_scores_are_the_biaffine_formula_pair_by_pair() -> None:
    head, hidden = parser(), states()
    dependents, heads = head.words(hidden, STARTS)
    arcs, relations = head.arc_scores(dependents, heads), head.all_relation_scores(dependents, heads)
    one = torch.ones(1, dtype=torch.float64)
    for row, word, over in ((0, 0, 0), (0, 2, 1), (1, 0, 3), (2, 3, 4)):
        d, r = torch.cat((dependents[row, word], one)), heads[row, over]
        assert arcs[row, word, over].item() == pytest.approx((d @ head.arcs[0] @ r).item(), rel=1e-12)
        expected = torch.stack([d @ each @ torch.cat((r, one)) for each in head.relations])
        torch.testing.assert_close(relations[row, word, over], expected, **TIGHT)


def test_relations_of_chosen_pairs_are_those_of_all_pairs() -> None:
    head, hidden = parser(), states()
    dependents, heads = head.words(hidden, STARTS)
    everything = head.all_relation_scores(dependents, heads)
    row, word = torch.tensor([0, 0, 2]), torch.tensor([0, 1, 3])
    first, second = torch.tensor([3, 0, 1]), torch.tensor([0, 2, 4])
    one = head.relation_scores(dependents[row, word], heads[row, first])
    both = head.relation_scores_twice(dependents[row, word], heads[row, first], heads[row, second])
    torch.testing.assert_close(one, everything[row, word, first], **TIGHT)
    torch.testing.assert_close(torch.stack(both), torch.stack((one, everything[row, word, second])), **TIGHT)


def test_fresh_parser_scores_everything_zero() -> None:
    head = BiaffineHead(HIDDEN, 3, 0.0)
    dependents, heads = head.words(states().float(), STARTS)
    assert not head.arc_scores(dependents, heads).any() and not head.all_relation_scores(dependents, heads).any()


def test_padding_is_no_head() -> None:
    assert no_head(STARTS).tolist() == [
        [False, False, False, False, True],
        [False, False, True, True, True],
        [False, False, False, False, False],
    ]


def test_padded_heads_never_reach_a_softmax(model: Backbone, ids: Tensor) -> None:
    arcs = model(ids[[0, 0, 1]], head="dep", word_starts=STARTS).arc_preds
    share = arcs.softmax(dim=-1)
    padded = no_head(STARTS)[:, None].expand_as(share)
    assert share.isfinite().all()
    assert not share[padded].any() and (share[~padded] > 0).all()


def test_padding_of_words_changes_no_score(model: Backbone, ids: Tensor) -> None:
    rows = ids[[0, 0, 1]]
    exact = model(rows, head="dep", word_starts=STARTS)
    wide = model(rows, head="dep", word_starts=nn.functional.pad(STARTS, (0, 2), value=-1))
    torch.testing.assert_close(wide.arc_preds[:, :4, :5], exact.arc_preds, **TIGHT)
    torch.testing.assert_close(wide.rel_preds[:, :4, :5], exact.rel_preds, **TIGHT)
    assert (wide.arc_preds[:, :, 5:] == float("-inf")).all()


# Asked wrongly.


def test_unknown_head_names_the_known_or_the_near_ones(model: Backbone, ids: Tensor) -> None:
    with pytest.raises(ConfigError, match="head 'ner' is not loaded; known: dep, first, masked_lm, pooled, qa, tag"):
        model(ids, head="ner")
    with pytest.raises(ConfigError, match="head 'poold' is not loaded; did you mean 'pooled'"):
        model(ids, head="poold")


def test_parser_needs_the_starts_of_words(model: Backbone, ids: Tensor) -> None:
    with pytest.raises(ConfigError, match="head 'dep' is a parser and needs word_starts"):
        model(ids, head="dep")


def test_base_models_head_name_is_taken(model: Backbone) -> None:
    with pytest.raises(ConfigError, match="head name 'masked_lm' is taken"):
        model.add_head(MASKED_LM, TaggingHead(model.hidden, 3, 0.0))


def test_pooler_that_is_not_there_is_asked_in_vain(tiny_folder: Path, tmp_path: Path, ids: Tensor) -> None:
    BertForMaskedLM(AutoConfig.from_pretrained(tiny_folder)).save_pretrained(tmp_path)
    bare = Backbone.load(tmp_path)
    bare.add_head("pooled", ClassificationHead(bare.hidden, 3, 0.0, use_pooler=True))
    with pytest.raises(ConfigError, match="head 'pooled' reads the pooler, but the base model's folder holds none"):
        bare(ids, head="pooled")
