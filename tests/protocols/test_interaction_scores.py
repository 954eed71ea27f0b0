"""Scores of the miniature run against a forward pass written here: Hugging Face's own layers and the folder's weights.

With F the feed-forward output of a layer and A its input (protocols.md §3, `adapterhub`):
h = F + mix_n(up_n(relu(down_n(LN(F + A))))), out = LN(h + up_t(act(down_t(LN(h + A)))) + A).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mini_study import MiniStudy
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

import xltransfer
from xltransfer.config.resolve import EntryRef
from xltransfer.data.read import read_sentences
from xltransfer.engine.fusion import Fusion, FusionConfig
from xltransfer.protocols.interaction.context import InteractionContext
from xltransfer.protocols.interaction.wanted import ADAPTERS, FUSIONS
from xltransfer.randomness import child_seed
from xltransfer.runs.store import Store
from xltransfer.tasks.pos import Pos

Weights = Mapping[str, Tensor]
Mixed = Callable[[int, Tensor, list[Tensor]], Tensor]
"""Number of the layer, what the members read, and their outputs, to the mixture [token, hidden]."""
TARGET = "qba"


@pytest.fixture(scope="module")
def bert(interaction_study: MiniStudy) -> Any:
    """The base model without anything of this package around it."""
    return AutoModel.from_pretrained(interaction_study.resolved.model, add_pooling_layer=False).eval()


@pytest.fixture(scope="module")
def weights(interaction_study: MiniStudy) -> Mapping[str, Weights]:
    """Weights of every adapter and fusion by its name in the artefacts, and of the tagger as ``task`` and ``head``."""
    store = Store(interaction_study.folder)
    found: dict[str, dict[str, Tensor]] = {}
    for unit, key in store.present().items():
        if key["kind"] == "task_adapter" and key["task"] == "pos":
            tensors = load_file(store.artefact_path(unit))
            found["task"] = {name.removeprefix("adapter."): value for name, value in tensors.items()}
            found["head"] = {name.removeprefix("head."): value for name, value in tensors.items()}
        elif key["kind"] in (ADAPTERS, FUSIONS):
            for name, value in load_file(store.artefact_path(unit)).items():
                owner, _, rest = name.partition("/")
                found.setdefault(owner, {})[rest] = value
    return found


def line(weights: Weights, name: str, x: Tensor) -> Tensor:
    return x @ weights[f"{name}.weight"].t() + weights[f"{name}.bias"]


def bottleneck(weights: Weights, layer: int, x: Tensor) -> Tensor:
    return line(weights, f"layers.{layer}.up", line(weights, f"layers.{layer}.down", x).relu())


def coupled(members: list[Weights], e: Tensor) -> Tensor:
    """Return embeddings behind the mean of the members' invertible adapters: o1 = F(e2) + e1, o2 = G(o1) + e2."""

    def mean(part: str, x: Tensor) -> Tensor:
        outs = [line(own, f"invertible.{part}.2", line(own, f"invertible.{part}.0", x).relu()) for own in members]
        return torch.stack(outs).mean(dim=0)

    first, second = e.chunk(2, dim=-1)
    first = first + mean("F", second)
    return torch.cat((first, second + mean("G", first)), dim=-1)


def states(bert: Any, ids: Tensor, members: list[Weights], mixed: Mixed, task: Weights) -> Tensor:
    """Return the last hidden states [token, hidden] of one sentence."""
    x = coupled(members, bert.embeddings(ids))
    for number, layer in enumerate(bert.encoder.layer):
        a = layer.attention(x)[0]
        f, norm = layer.output.dense(layer.intermediate(a)), layer.output.LayerNorm
        read = norm(f + a)
        h = f + mixed(number, read, [bottleneck(own, number, read) for own in members])
        x = norm(h + bottleneck(task, number, norm(h + a)) + a)
    return x[0]


def mean_of(layer: int, read: Tensor, outs: list[Tensor]) -> Tensor:
    return sum(outs, torch.zeros_like(read)) / len(outs)


def attended(fusion: Weights, layer: int, read: Tensor, outs: list[Tensor]) -> Tensor:
    """Return Pfeiffer et al. 2021, equation 1, from full keys and values."""
    stacked = torch.stack(outs, dim=-2)
    query, key = line(fusion, f"layers.{layer}.query", read), line(fusion, f"layers.{layer}.key", stacked)
    shares = (query[..., None, :] * key).sum(dim=-1).softmax(dim=-1)
    return (shares[..., None] * (stacked @ fusion[f"layers.{layer}.value.weight"].t())).sum(dim=-2)


@torch.no_grad()
def by_hand(
    study: MiniStudy, bert: Any, weights: Mapping[str, Weights], members: list[str], mixed: Mixed
) -> Iterator[tuple[str, int, float]]:
    """Yield each sentence of the target with its correct words and summed nll, one sentence at a time."""
    resolved = study.resolved
    spec = resolved.study.tasks[0]
    tokenizer = AutoTokenizer.from_pretrained(resolved.model)
    for sentence in read_sentences(target_of(study), "test"):
        encoding = tokenizer(list(sentence.words), is_split_into_words=True, return_tensors="pt")
        owners = encoding.word_ids(0)
        if len(owners) > spec.max_length:
            continue
        tags = [spec.labels.index(tag) for tag in Pos(spec).gold(sentence) or ()]
        parts = [weights[name] for name in members]
        hidden = states(bert, encoding["input_ids"], parts, mixed, weights["task"])
        scores = line(weights["head"], "layers.1", hidden[[owners.index(word) for word in range(len(tags))]])
        gold = torch.tensor(tags)
        nll = functional.cross_entropy(scores, gold, reduction="sum")
        yield sentence.id, int((scores.argmax(dim=-1) == gold).sum()), float(nll)


def target_of(study: MiniStudy) -> EntryRef:
    refs: tuple[EntryRef, ...] = study.resolved.targets["pos"]
    return next(ref for ref in refs if ref.language == TARGET)


def agrees(study: MiniStudy, setting: str, transfer: str, found: Iterator[tuple[str, int, float]]) -> None:
    """Compare what was counted here, sentence by sentence, with the folder's counts."""
    items = xltransfer.open_run(study.folder).items(task="pos", target=TARGET, settings=[setting])
    own = items[items.transfer == transfer].set_index("item")
    expected = pd.DataFrame(found, columns=["item", "correct", "nll"]).set_index("item")
    assert len(expected) > 20
    # The others are longer than the limit.
    assert (own.total[~own.index.isin(expected.index)] == 0).all()
    own = own.loc[expected.index]
    np.testing.assert_allclose(own.nll.astype(float), expected.nll, atol=1e-3)
    # A tie between two tags may fall either way in the last digit.
    assert (own.correct.astype(int) != expected.correct).sum() <= 1


def test_a_language_adapter_alone(interaction_study: MiniStudy, bert: Any, weights: Mapping[str, Weights]) -> None:
    found = by_hand(interaction_study, bert, weights, [TARGET], mean_of)
    agrees(interaction_study, "language_adapter", TARGET, found)


def test_uniform_is_the_plain_mean_of_three(
    interaction_study: MiniStudy, bert: Any, weights: Mapping[str, Weights]
) -> None:
    found = by_hand(interaction_study, bert, weights, ["qaa", "qab", "qba"], mean_of)
    agrees(interaction_study, "fusion_uniform", "qaa+qab+qba", found)


def test_trained_weighs_by_the_stored_query_key_and_value(
    interaction_study: MiniStudy, bert: Any, weights: Mapping[str, Weights]
) -> None:
    found = by_hand(interaction_study, bert, weights, ["qab", "qba"], partial(attended, weights["qab+qba"]))
    agrees(interaction_study, "fusion_trained", "qab+qba", found)


def test_capacity_control_is_the_language_with_its_second_adapter(
    interaction_study: MiniStudy, bert: Any, weights: Mapping[str, Weights]
) -> None:
    found = by_hand(interaction_study, bert, weights, ["qba", "qba+2"], partial(attended, weights["qba+qba'"]))
    agrees(interaction_study, "fusion_trained", "qba+qba'", found)


def test_untrained_is_drawn_from_the_seed_in_its_row(
    interaction_study: MiniStudy, bert: Any, weights: Mapping[str, Weights]
) -> None:
    rows = xltransfer.open_run(interaction_study.folder).measurements(labels=False)
    (seed,) = rows[(rows.setting == "fusion_untrained") & (rows.transfer == "qaa+qba")].seed.unique()
    torch.manual_seed(child_seed(int(seed), "initial"))
    fresh = Fusion(("qaa", "qba"), FusionConfig(), bert.config.hidden_size, bert.config.num_hidden_layers)
    for value in fresh.values():
        assert (value.detach() - torch.eye(len(value))).abs().max() <= 1e-6
    found = by_hand(interaction_study, bert, weights, ["qaa", "qba"], partial(attended, fresh.state_dict()))
    agrees(interaction_study, "fusion_untrained", "qaa+qba", found)


def test_both_adapters_of_a_language_saw_equal_steps_and_all_corpora_are_equally_long(
    interaction_study: MiniStudy,
) -> None:
    store = Store(interaction_study.folder)
    trained: dict[str, dict[str, Any]] = {}
    for unit, key in store.present().items():
        if key["kind"] == ADAPTERS:
            with safe_open(store.artefact_path(unit), framework="pt") as file:
                trained |= json.loads(file.metadata()["xltransfer.training"])
    assert set(trained) == {f"{code}{second}" for code in ("qaa", "qab", "qba") for second in ("", "+2")}
    assert {each["steps"] for each in trained.values()} == {6}
    for code in ("qaa", "qab", "qba"):
        assert trained[code]["first_loss"] != trained[f"{code}+2"]["first_loss"]
    context = InteractionContext(interaction_study.resolved, store)
    (shape,) = {blocks.shape for blocks in context.corpora.values()}
    assert shape[1] == 32
