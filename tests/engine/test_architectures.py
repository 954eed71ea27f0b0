"""Every architecture of the sites table does what BERT does: a fresh adapter changes nothing, a trained one helps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import DECODERS, ENCODERS, TINY, VOCABULARY, fill
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.adapter import Adapter, AdapterConfig
from xltransfer.engine.composition import Composition
from xltransfer.engine.heads import TaggingHead
from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, masked_lm_loss, nudge
from xltransfer.errors import ModelError

EVERYWHERE = AdapterConfig(reduction=4, activation="gelu", attention=True, invertible_reduction=2)
WORDS = Vocabulary(VOCABULARY, 4, (0, 1, 2, 3, 4))


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("architectures")
    return {name: tiny.save(root / name) for name, tiny in TINY.items()}


@pytest.fixture(params=TINY)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(name: str, folders: dict[str, Path]) -> Backbone:
    return Backbone.load(folders[name]).requires_grad_(False)


@pytest.fixture
def ids() -> Tensor:
    """Three rows of twenty tokens."""
    return torch.randint(5, VOCABULARY, (3, 20), generator=torch.Generator().manual_seed(3))


def states(model: Backbone, ids: Tensor, composition: Any = None, mask: Tensor | None = None) -> tuple[Tensor, ...]:
    with torch.no_grad():
        found = model(ids, mask, composition=composition, output_hidden_states=True).hidden_states
    assert found is not None
    return found


def add(model: Backbone, name: str, seed: int, config: AdapterConfig = EVERYWHERE, spread: float = 0.2) -> Adapter:
    """Add an adapter whose weights are as if trained: none of them zero."""
    adapter = model.add_adapter(name, config)
    fill(adapter, seed, spread)
    return adapter.eval()


# --- numbers ---------------------------------------------------------------------------------------------------------


def padded(ids: Tensor, real: int) -> tuple[Tensor, Tensor]:
    """Cut the last row to ``real`` tokens and pad it again."""
    mask = torch.ones_like(ids)
    mask[-1, real:] = 0
    return ids * mask, mask


def test_hidden_states_are_transformers_own(name: str, model: Backbone, ids: Tensor) -> None:
    theirs = TINY[name].make().get_submodule(TINY[name].encoder)
    with torch.no_grad():
        expected = theirs(ids, output_hidden_states=True).hidden_states
    got = states(model, ids)
    assert len(got) == len(expected) == model.depth + 1
    for ours, other in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ENCODERS, indirect=True)
def test_masked_lm_scores_are_transformers_own(name: str, model: Backbone, ids: Tensor) -> None:
    ids, mask = padded(ids, 7)
    with torch.no_grad():
        expected = TINY[name].make()(ids, attention_mask=mask).logits
        got = model(ids, mask, head="masked_lm").logits
    torch.testing.assert_close(got[mask == 1], expected[mask == 1], atol=1e-5, rtol=1e-5)


def bottleneck(adapter: Adapter, layer: int, place: Any, x: Tensor) -> Tensor:
    part = adapter.at(layer, place)
    assert part is not None
    return part.up(functional.gelu(part.down(x)))


# Where the reference below changes transformers' model: layers, then either the two closing norms, or the attention.
POST = {
    "bert": ("encoder.layer", "output.LayerNorm", "attention.output.LayerNorm"),
    "distilbert": ("transformer.layer", "output_layer_norm", "sa_layer_norm"),
}
POST |= dict.fromkeys(("roberta", "xlm-roberta", "mdeberta", "deberta-v2"), POST["bert"])
PRE = {"modernbert": "attn", **dict.fromkeys(DECODERS, "self_attn")}


def reference(name: str, adapter: Adapter, depth: int) -> nn.Module:
    """Return transformers' encoder with the equation written into it: S + up(LN(S)), or x + up(x) where no norm closes.

    S is what the closing norm reads; x is the stream behind the layer, or behind its attention.
    """
    encoder: nn.Module = TINY[name].make().get_submodule(TINY[name].encoder)
    for number in range(depth):
        if name in POST:
            layers, *norms = POST[name]
            for place, path in zip(("output", "attention"), norms, strict=True):
                norm = encoder.get_submodule(f"{layers}.{number}.{path}")
                norm.register_forward_pre_hook(_inside_norm(adapter, number, place))
        else:
            layer = encoder.get_submodule(f"layers.{number}")
            layer.register_forward_hook(lambda _, args, x, n=number: x + bottleneck(adapter, n, "output", x))
            _behind_attention(layer, layer.get_submodule(PRE[name]), adapter, number)
    return encoder


def _inside_norm(adapter: Adapter, number: int, place: str) -> Callable[..., tuple[Tensor]]:
    def change(norm: Any, args: tuple[Tensor]) -> tuple[Tensor]:
        closed = functional.layer_norm(args[0], norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        return (args[0] + bottleneck(adapter, number, place, closed),)

    return change


def _behind_attention(layer: nn.Module, attention: nn.Module, adapter: Adapter, number: int) -> None:
    entered: list[Tensor] = []
    layer.register_forward_pre_hook(lambda _, args: entered.append(args[0]))
    attention.register_forward_hook(
        lambda _, args, out: (out[0] + bottleneck(adapter, number, "attention", entered[-1] + out[0]), *out[1:])
    )


def test_adapters_sit_where_the_equations_say(name: str, model: Backbone, ids: Tensor) -> None:
    adapter = add(model, "a", 5, AdapterConfig(reduction=4, activation="gelu", attention=True))
    with torch.no_grad():
        expected = reference(name, adapter, model.depth)(ids).last_hidden_state
        got = model(ids, composition=Stack("a")).last_hidden_state
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    assert (got - model(ids).last_hidden_state).abs().max() > 0.1


# --- a fresh adapter changes nothing, a trained one lowers the loss --------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        AdapterConfig(reduction=4),
        AdapterConfig(reduction=4, invertible_reduction=2),
        AdapterConfig(reduction=4, attention=True),
        AdapterConfig(reduction=4, attention=True, original_ln_before=False, invertible_reduction=4),
    ],
    ids=["pfeiffer", "invertible", "both places", "houlsby"],
)
def test_fresh_adapter_is_bit_identical_to_none(model: Backbone, ids: Tensor, config: AdapterConfig) -> None:
    model.add_adapter("fresh", config)
    ids, mask = padded(ids, 7)
    for training in (False, True):
        model.train(training)
        torch.manual_seed(0)
        expected = states(model, ids, mask=mask)
        torch.manual_seed(0)
        got = states(model, ids, Stack("fresh"), mask)
        assert all(torch.equal(one, two) for one, two in zip(got, expected, strict=True))


@pytest.fixture
def batch(ids: Tensor) -> Masked:
    return mask_tokens(ids.numpy(), WORDS, 0.3, np.random.default_rng(0))


def add_tags(model: Backbone) -> None:
    head = TaggingHead(model.hidden, 2, 0.0)
    fill(head)
    model.add_head("tags", head.requires_grad_(False))


def loss_of(model: Backbone, batch: Masked) -> Tensor:
    """Masked-LM where the model has the head; else tagging every token with the parity of its id."""
    ids, wanted, positions = torch.from_numpy(batch.ids), torch.from_numpy(batch.labels), batch.positions
    if model.masked_lm is None:
        return functional.cross_entropy(model(ids, composition=Stack("a"), head="tags").logits.mT, ids % 2)
    logits = model(ids, composition=Stack("a"), head="masked_lm", positions=torch.from_numpy(positions)).logits
    return functional.cross_entropy(logits, wanted)


def test_trained_adapter_lowers_the_loss_and_the_base_stays(model: Backbone, batch: Masked) -> None:
    before = {key: value.clone() for key, value in model.encoder.state_dict().items()}
    own = {key: value.clone() for key, value in model.base_parameters().items()}
    adapter = model.add_adapter("a", EVERYWHERE)
    add_tags(model)
    first = loss_of(model, batch).item()
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=3e-2)
    for _ in range(20):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
    assert loss_of(model, batch).item() < 0.8 * first
    assert all(torch.equal(value, before[key]) for key, value in model.encoder.state_dict().items())
    assert all(torch.equal(value, own[key]) for key, value in model.base_parameters().items())


def test_gradient_reaches_every_adapter_parameter(model: Backbone, batch: Masked) -> None:
    adapter = add(model, "a", 7)
    add_tags(model)
    loss_of(model, batch).backward()
    without = [key for key, value in adapter.named_parameters() if value.grad is None or not value.grad.any()]
    assert not without
    assert all(parameter.grad is None for parameter in model.base_parameters().values())


# --- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("composition", [None, Stack("a"), Stack("a", Fuse("b", "a"))], ids=str)
def test_padding_changes_nothing(model: Backbone, ids: Tensor, composition: Composition | None) -> None:
    add(model, "a", 5)
    add(model, "b", 6)
    fill(model.add_fusion(["b", "a"]), 7)
    model.eval()
    whole, mask = padded(ids, 7)
    together = states(model, whole, composition, mask)
    alone = states(model, ids[-1:, :7], composition)
    for row, single in zip(together, alone, strict=True):
        assert row.isfinite().all()
        torch.testing.assert_close(row[-1:, :7], single, atol=1e-5, rtol=1e-5)


def test_routed_rows_are_what_each_is_alone(model: Backbone, ids: Tensor) -> None:
    for number, adapter in enumerate(("l", "a", "b")):
        add(model, adapter, number)
    fill(model.add_fusion(["a", "b"]), 7)
    model.eval()
    fused, stacked = Stack("l", Fuse("a", "b")), Stack("l", "a")
    routed = states(model, ids[[0, 1, 0, 2]], [fused, stacked, stacked, None])
    for row, (number, composition) in enumerate([(0, fused), (1, stacked), (0, stacked), (2, None)]):
        for many, one in zip(routed, states(model, ids[number][None], composition), strict=True):
            torch.testing.assert_close(many[row], one[0], atol=1e-5, rtol=1e-5)


# --- heads, nudge ----------------------------------------------------------------------------------------------------


def test_folder_without_the_head(name: str, tmp_path: Path, ids: Tensor) -> None:
    TINY[name].make().get_submodule(TINY[name].encoder).save_pretrained(tmp_path)
    model = Backbone.load(tmp_path)
    assert model.masked_lm is None
    with pytest.raises(ModelError, match="the base model's folder holds no masked-LM head"):
        model(ids, head="masked_lm")


@pytest.mark.parametrize("name", ENCODERS, indirect=True)
def test_nudge_is_undone_bit_for_bit(model: Backbone, ids: Tensor) -> None:
    before = {key: value.clone() for key, value in model.base_parameters().items()}
    pointers = [value.data_ptr() for value in model.base_parameters().values()]
    settings = NudgeSettings(1, batch_size=2, learning_rate=1e-3, mask_share=0.3)
    with nudge(model, ids.numpy(), WORDS, settings, NudgeSeeds(1, 2, 3, 4, 5)) as path:
        for _ in path.stop_at(1):
            # An embedding row or a key's bias may have no gradient, but every tensor as a whole moves.
            kept = [key for key, value in model.base_parameters().items() if torch.equal(value, before[key])]
            assert not kept
    assert all(torch.equal(value, before[key]) for key, value in model.base_parameters().items())
    assert pointers == [value.data_ptr() for value in model.base_parameters().values()]


@pytest.mark.parametrize("name", ENCODERS, indirect=True)
def test_masked_lm_loss_is_transformers_own(name: str, model: Backbone, batch: Masked) -> None:
    labels = torch.full(batch.ids.shape, -100).flatten()
    labels[torch.from_numpy(batch.positions)] = torch.from_numpy(batch.labels)
    with torch.no_grad():
        expected = TINY[name].make()(torch.from_numpy(batch.ids), labels=labels.view(batch.ids.shape)).loss
        total, count = masked_lm_loss(model, batch)
    torch.testing.assert_close(total / count, expected, atol=1e-5, rtol=1e-5)


# --- hooks -----------------------------------------------------------------------------------------------------------


def test_inference_mode_gives_the_same(model: Backbone, ids: Tensor) -> None:
    add(model, "a", 5)
    expected = states(model, ids, Stack("a"))
    with torch.inference_mode():
        got = model(ids, composition=Stack("a"), output_hidden_states=True).hidden_states
    assert all(torch.equal(one, two) for one, two in zip(got, expected, strict=True))


def test_two_models_share_no_state(name: str, folders: dict[str, Path], model: Backbone, ids: Tensor) -> None:
    other = Backbone.load(folders[name])
    plain = states(other, ids)
    add(model, "a", 5)
    adapted = states(model, ids, Stack("a"))
    inside: list[tuple[Tensor, ...]] = []
    middle = model.encoder.get_submodule(model.site.layers)[1]
    # The other model runs in the middle of this one's pass.
    handle = middle.register_forward_pre_hook(lambda *_: inside.append(states(other, ids)))
    again = states(model, ids, Stack("a"))
    handle.remove()
    assert all(torch.equal(one, two) for one, two in zip(again, adapted, strict=True))
    assert all(torch.equal(one, two) for one, two in zip(inside[0], plain, strict=True))
    assert not {x.data_ptr() for x in model.parameters()} & {x.data_ptr() for x in other.parameters()}


def test_nothing_is_compiled(name: str, folders: dict[str, Path], ids: Tensor, monkeypatch: Any) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("torch.compile was called")

    monkeypatch.setattr(torch, "compile", refuse)
    model = Backbone.load(folders[name])
    add(model, "a", 5)
    states(model, ids, Stack("a"))
