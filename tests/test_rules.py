"""Each rule's two values give different numbers, and each gives the numbers of a computation written here.

Rules of training alone (when the penalty counts, which weights decay) are tested with the training loops; the values
that ``adapterhub`` names are also those of the goldens.
"""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
import torch
from engine.equations import Plain, coupling
from engine.golden_cases import Case
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import BertConfig, BertForPreTraining

from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.fusion import FusionConfig
from xltransfer.engine.heads import BiaffineHead
from xltransfer.engine.invertible import Invertible, forward, inverse
from xltransfer.errors import ConfigError
from xltransfer.rules import ADAPTERHUB, CHOICES, CORRECTED, Rules, rules_of

TIGHT = {"atol": 1e-10, "rtol": 1e-10}
HIDDEN, TOKENS = 10, 6
ATTENTION_DROPOUT = 0.3

# The text form.


@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}))
def test_rules_read_their_own_text(choice: dict[str, str]) -> None:
    rules = Rules(**choice)
    assert rules_of(str(rules)) == rules
    assert rules_of(rules) is rules


def test_sets_have_names() -> None:
    assert (rules_of("corrected"), rules_of(" adapterhub ")) == (CORRECTED, ADAPTERHUB)
    assert (str(CORRECTED), str(ADAPTERHUB)) == ("corrected", "adapterhub")


def test_changes_follow_a_set() -> None:
    rules = rules_of("adapterhub, padded_heads = masked,masked_lm=bias_lost")
    assert (rules.padded_heads, rules.masked_lm, rules.fused_invertible) == ("masked", "bias_lost", "first")
    assert str(rules_of("corrected, padded_heads=kept")) == "corrected, padded_heads=kept"


def test_every_rule_has_two_sides() -> None:
    # masked_lm alone has the same in both sets: the library has two ways to use such a head, and neither is whole.
    same = [name for name in CHOICES if getattr(CORRECTED, name) == getattr(ADAPTERHUB, name)]
    assert same == ["masked_lm"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("corected", "rules 'corected' is no set of rules; did you mean 'corrected'?"),
        ("", "rules '' is no set of rules; known: adapterhub, corrected"),
        ("corrected, padded_head=kept", "rules: 'padded_head' is no rule; did you mean 'padded_heads'?"),
        ("corrected, padded_heads=keep", "rules: padded_heads='keep'; expected masked or kept"),
        ("corrected, padded_heads", "rules: padded_heads=''; expected masked or kept"),
        ("corrected,", "rules: '' is no rule"),
        (
            "corrected, padded_heads=kept, padded_heads=masked",
            "rules: padded_heads is given twice; keep one of kept and masked",
        ),
    ],
)
def test_wrong_text_says_what_was_expected(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rules_of(text)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(why)


def test_all_problems_come_together() -> None:
    with pytest.raises(ConfigError) as caught:
        rules_of("adapterhb, padded_heads=keep, word_paddin=pad_id")
    assert len(caught.value.problems) == 3


def test_value_of_no_rule_is_refused_in_code_too() -> None:
    with pytest.raises(ConfigError, match="masked_lm='half'; expected whole or bias_lost or no_inverse"):
        Rules(masked_lm="half")


# In a model.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers, with a masked-LM head and a dropout of its attention that no default has."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("rules")
    config = BertConfig(
        vocab_size=30,
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=16,
        attention_probs_dropout_prob=ATTENTION_DROPOUT,
        pad_token_id=1,
    )
    bert = BertForPreTraining(config)
    for name, parameter in bert.named_parameters():
        nn.init.normal_(parameter, mean=float("norm" in name.lower() and name.endswith("weight")), std=0.3)
    bert.save_pretrained(place)
    return place


Make = Callable[..., Backbone]


@pytest.fixture
def made(folder: Path) -> Make:
    """Make the model under some rules: languages a and b with NICE, c without, tasks t and u, random fusions."""

    def make(rules: str, **config: object) -> Backbone:
        model = Backbone.load(folder, rules=rules)
        torch.manual_seed(1)
        for name in ("a", "b", "c", "t", "u"):
            nice = 2.0 if name in ("a", "b") else None
            model.add_adapter(name, AdapterConfig(reduction=2, invertible_reduction=nice))
        for members in ("a,b", "b,a", "a,c", "a,b,c", "t,u"):
            model.add_fusion(members.split(","), FusionConfig(**config))
        model.add_head("dep", BiaffineHead(HIDDEN, 2, 0.0))
        for part in (model.adapters, model.fusions, model.heads):
            for parameter in part.parameters():
                nn.init.normal_(parameter, std=0.3)
        return model.double().eval().requires_grad_(False)

    return make


@pytest.fixture
def ids() -> Tensor:
    return torch.randint(2, 30, (2, TOKENS), generator=torch.Generator().manual_seed(3))


def states(model: Backbone, ids: Tensor, composition: Stack | Fuse) -> Tensor:
    return torch.stack(model(ids, composition=composition, output_hidden_states=True).hidden_states)


def plain(folder: Path, model: Backbone, ids: Tensor, composition: Stack | Fuse, **rules: str) -> Tensor:
    with torch.no_grad():
        return torch.stack(Plain(folder, model, composition, **rules).states(ids))


def differ(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() > 1e-3)


# fused_invertible


@pytest.mark.parametrize("composition", [Fuse("a", "b"), Stack(Fuse("a", "c"), "t"), Fuse("a", "b", "c")], ids=str)
@pytest.mark.parametrize("value", ["mean", "first"])
def test_fused_invertible_is_the_mean_of_the_branches_or_the_first(
    folder: Path, made: Make, ids: Tensor, value: str, composition: Stack | Fuse
) -> None:
    model = made(f"corrected, fused_invertible={value}")
    got = states(model, ids, composition)
    torch.testing.assert_close(got, plain(folder, model, ids, composition, invertible=value), **TIGHT)
    other = "mean" if value == "first" else "first"
    assert differ(got, plain(folder, model, ids, composition, invertible=other))


def test_mean_of_two_by_hand(made: Make, ids: Tensor) -> None:
    model = made("corrected")
    one, other = (model.adapters[name].invertible for name in "ab")
    x1, x2 = states(model, ids, Stack())[0].split(HIDDEN // 2, dim=-1)
    y1 = x1 + (coupling(one.F, x2) + coupling(other.F, x2)) / 2
    y2 = x2 + (coupling(one.G, y1) + coupling(other.G, y1)) / 2
    torch.testing.assert_close(states(model, ids, Fuse("a", "b"))[0], torch.cat((y1, y2), dim=-1), **TIGHT)


def test_branch_without_an_invertible_adapter_counts_as_the_identity(made: Make, ids: Tensor) -> None:
    model = made("corrected")
    halved = model.adapters["a"].invertible
    got = states(model, ids, Fuse("a", "c"))[0]
    for part in (halved.F, halved.G):
        for parameter in part[2].parameters():
            parameter.mul_(0.5)
    torch.testing.assert_close(got, states(model, ids, Stack("a"))[0], **TIGHT)


def test_order_of_languages_matters_to_the_first_alone(made: Make, ids: Tensor) -> None:
    mean, first = (
        [states(made(f"corrected, fused_invertible={value}"), ids, Fuse(*names))[0] for names in permutations("ab")]
        for value in ("mean", "first")
    )
    torch.testing.assert_close(mean[0], mean[1], **TIGHT)
    assert differ(first[0], first[1])


@pytest.mark.parametrize("hidden", [2, 6, 16])
@pytest.mark.parametrize("branches", [1, 2, 5])
def test_mean_is_inverted_exactly(hidden: int, branches: int) -> None:
    torch.manual_seed(0)
    members = [Invertible(hidden, 1 + number % 2, nn.Tanh()).double() for number in range(branches)]
    for member in members:
        for parameter in member.parameters():
            nn.init.normal_(parameter)
    x = torch.randn(3, 4, hidden, dtype=torch.float64)
    # One more branch than there are members has no invertible adapter.
    y = forward(members, branches + 1, x)
    assert differ(x, y)
    torch.testing.assert_close(inverse(members, branches + 1, y), x, atol=1e-12, rtol=0)
    torch.testing.assert_close(forward(members[::-1], branches + 1, x), y, atol=1e-12, rtol=0)


# fused_stack_entry


@pytest.mark.parametrize(
    "composition", [Fuse(Stack("a", "t"), Stack("b", "u")), Stack(Fuse(Stack("a", "t"), "u"), "c")], ids=str
)
@pytest.mark.parametrize("value", ["once", "twice"])
def test_stack_in_a_fusion_enters_through_one_layernorm_or_two(
    folder: Path, made: Make, ids: Tensor, value: str, composition: Stack | Fuse
) -> None:
    model = made(f"corrected, fused_stack_entry={value}")
    got = states(model, ids, composition)
    torch.testing.assert_close(got, plain(folder, model, ids, composition, entry=value), **TIGHT)
    assert differ(got, plain(folder, model, ids, composition, entry="once" if value == "twice" else "twice"))


# fusion_dropout and fusion_dropout_zero


def test_dropped_weights_leave_the_residual_and_dropped_scores_the_mean(folder: Path, made: Make, ids: Tensor) -> None:
    composition = Fuse("t", "u")
    weights, scores = (made(f"corrected, fusion_dropout={value}") for value in ("weights", "scores"))
    for model in (weights, scores):
        model.fusions.train()
        model.fusion_drop = lambda x, probability, rows: torch.zeros_like(x)
    # Nothing of the members is left, so that each layer is the plain one.
    torch.testing.assert_close(states(weights, ids, composition), states(weights, ids, Stack()), **TIGHT)
    even = made("corrected")
    for layer in even.fusions["t,u"].layers.values():
        for parameter in layer.query.parameters():
            parameter.zero_()
    torch.testing.assert_close(states(scores, ids, composition), plain(folder, even, ids, composition), **TIGHT)


@pytest.mark.parametrize(
    ("own", "off", "model"),
    [(None, ATTENTION_DROPOUT, ATTENTION_DROPOUT), (0.0, None, ATTENTION_DROPOUT), (0.25, 0.25, 0.25)],
)
def test_probability_of_zero_is_zero_or_the_models(
    made: Make, ids: Tensor, own: float | None, off: float | None, model: float
) -> None:
    for value, expected in (("off", off), ("model", model)):
        backbone, seen = made(f"corrected, fusion_dropout_zero={value}", dropout_prob=own), []

        def drop(x: Tensor, probability: float, rows: slice, seen: list[float] = seen) -> Tensor:
            seen.append(probability)
            return x

        backbone.fusion_drop = drop
        backbone(ids, composition=Fuse("t", "u"))
        assert seen == [], "no dropout in evaluation"
        backbone.fusions.train()
        backbone(ids, composition=Fuse("t", "u"))
        assert seen == ([] if expected is None else [expected] * 2)


# word_padding and padded_heads


def arcs(model: Backbone, ids: Tensor, starts: list[list[int]]) -> Tensor:
    return model(ids, head="dep", word_starts=torch.tensor(starts)).arc_preds


def test_pad_id_in_the_starts_of_words_is_a_word_or_padding(made: Make, ids: Tensor) -> None:
    # The model's pad_token_id is 1, as XLM-R's is, and the first word starts at 1.
    full, short = [[1, 2, 4], [1, 3, 5]], [[2, 4, -1], [3, 5, -1]]
    own, theirs = (made(f"corrected, word_padding={value}") for value in ("minus_one", "pad_id"))
    torch.testing.assert_close(arcs(theirs, ids, full), arcs(own, ids, short), **TIGHT)
    assert arcs(own, ids, full).isfinite().all()
    # Where -1 pads the batch, nothing collides.
    mixed = [[1, 2, 4], [1, 3, -1]]
    torch.testing.assert_close(arcs(theirs, ids, mixed), arcs(own, ids, mixed), **TIGHT)


def test_models_pad_id_shifts_the_goldens_words_by_one(shared: Path) -> None:
    case = Case("xlmr/f5_dependency_parsing_model_pad_id", rules="adapterhub, word_padding=minus_one")
    starts = case.arrays["word_starts"].clone()
    starts[:, 1:][starts[:, 1:] == 1] = -1
    with torch.no_grad():
        right = case.run(word_starts=starts).arc_preds
    theirs = case.arrays["arc_preds"]
    for row, words in enumerate(((starts >= 0).sum(dim=1) - 1).tolist()):
        shifted = torch.cat((right[row, 1:words, :1], right[row, 1:words, 2 : words + 1]), dim=1)
        torch.testing.assert_close(theirs[row, : words - 1, :words], shifted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("model", ["bert", "xlmr"])
def test_corrected_rules_forbid_exactly_the_padded_heads(shared: Path, model: str) -> None:
    case = Case(f"{model}/f4_dependency_parsing", rules="corrected")
    with torch.no_grad():
        got = case.run().arc_preds
    expected = case.arrays["arc_preds"].clone()
    for row, words in enumerate(((case.arrays["word_starts"] >= 0).sum(dim=1) - 1).tolist()):
        expected[row, :, words + 1 :] = float("-inf")
    torch.testing.assert_close(got, expected[:, : got.shape[1], : got.shape[2]], atol=1e-4, rtol=1e-4)


def test_kept_padding_scores_zero_up_to_the_number_of_subwords(made: Make, ids: Tensor) -> None:
    starts = [[1, 2, 4], [1, 3, -1]]
    kept, masked = (arcs(made(f"corrected, padded_heads={value}"), ids, starts) for value in ("kept", "masked"))
    assert (kept.shape, masked.shape) == ((2, TOKENS, TOKENS + 1), (2, 2, 3))
    assert not kept[0, :, 3:].any() and not kept[1, :, 2:].any()
    torch.testing.assert_close(kept[0, :2, :3], masked[0], **TIGHT)
    assert (masked[1, :, 2] == float("-inf")).all()


# masked_lm


def test_own_head_is_whole_or_loses_its_bias_or_the_inverse(made: Make, ids: Tensor) -> None:
    def logits(value: str) -> Tensor:
        return made(f"corrected, masked_lm={value}")(ids, composition=Stack("a"), head=MASKED_LM).logits

    model = made("corrected")
    head, embeddings = model.masked_lm, model.word_embeddings
    z = head.transform(states(model, ids, Stack("a"))[-1])
    torch.testing.assert_close(logits("no_inverse"), z @ embeddings.T + head.bias, **TIGHT)
    nice = model.adapters["a"].invertible
    x2 = z[..., HIDDEN // 2 :] - coupling(nice.G, z[..., : HIDDEN // 2])
    undone = torch.cat((z[..., : HIDDEN // 2] - coupling(nice.F, x2), x2), dim=-1) @ embeddings.T
    torch.testing.assert_close(logits("bias_lost"), undone, **TIGHT)
    torch.testing.assert_close(logits("whole"), undone + head.bias, **TIGHT)
    assert differ(logits("whole"), logits("no_inverse"))


@pytest.mark.parametrize("value", ["bias_lost", "no_inverse"])
def test_loaded_head_is_always_whole(shared: Path, value: str) -> None:
    case = Case("bert/a1_lang_relu_mlm", rules=f"adapterhub, masked_lm={value}")
    with torch.no_grad():
        torch.testing.assert_close(case.run().logits, case.arrays["logits"], atol=1e-4, rtol=1e-4)
