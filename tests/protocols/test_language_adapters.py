"""Language adapters against a plain training loop; apart from each other, seeded by name, and gone when they fail."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mini_study import MiniStudy
from numpy.typing import NDArray
from torch.nn import functional

from xltransfer.data.blocks import blocks as cut
from xltransfer.data.tokenizer import load_tokenizer
from xltransfer.engine import Backbone, Stack, bank_memory
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.masking import Vocabulary, mask_tokens
from xltransfer.engine.nudge import draw_blocks
from xltransfer.errors import ConfigError, DataError, ModelError
from xltransfer.protocols.language_adapters import (
    CPU_TOKENS,
    FAISAL2024,
    FAISAL2024_CODE,
    MADX2020,
    LanguageAdapterSettings,
    shuffled_passes,
    total_steps,
    train_language_adapters,
)
from xltransfer.protocols.transfer.context import vocabulary_of
from xltransfer.randomness import child_seed

SETTINGS = LanguageAdapterSettings(AdapterConfig(4), batch_size=2, epochs=2, learning_rate=3e-3, mask_share=0.3)
Corpora = dict[str, NDArray[np.int32]]


@pytest.fixture
def double() -> Iterator[None]:
    """Fresh weights in float64, so that rounding cannot hide a difference."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def model(mini_files: MiniStudy) -> Backbone:
    """The miniature study's base model, frozen."""
    return Backbone.load(mini_files.resolved.model).to(torch.get_default_dtype()).requires_grad_(False)


@pytest.fixture
def vocabulary(mini_files: MiniStudy) -> Vocabulary:
    return vocabulary_of(load_tokenizer(mini_files.resolved.model))


@pytest.fixture
def corpora(vocabulary: Vocabulary) -> Corpora:
    """Three languages of few words each, and of different lengths."""
    rng = np.random.default_rng(0)
    sizes = {"aaa": (9, 12), "bbb": (5, 8), "ccc": (7, 12)}
    drawn = {name: rng.integers(10, 10 + 4 * number, size) for number, (name, size) in enumerate(sizes.items(), 1)}
    return {name: array.astype(np.int32) for name, array in drawn.items()}


def weights(model: Backbone, name: str) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.adapters[name].state_dict().items()}


def assert_close(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor], atol: float = 1e-9) -> None:
    for key, value in one.items():
        torch.testing.assert_close(value, two[key], rtol=0, atol=atol)


def by_hand(model: Backbone, name: str, blocks: NDArray[np.int32], vocabulary: Vocabulary, seed: int) -> list[float]:
    """Train one adapter as the docstrings say: named child streams, torch's AdamW, linear decay, whole forward pass."""
    root = child_seed(seed, "language adapter", name)
    torch.manual_seed(child_seed(root, "initial"))
    adapter = model.add_adapter(name, SETTINGS.adapter)
    steps = -(-2 * len(blocks) // 2)
    masks = np.random.default_rng(child_seed(root, "masks"))
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1.0, weight_decay=0.0)
    losses = []
    for step, rows in enumerate(draw_blocks(len(blocks), steps, 2, child_seed(root, "blocks"))):
        batch = mask_tokens(blocks[rows], vocabulary, 0.3, masks)
        logits = model(torch.from_numpy(batch.ids), composition=Stack(name), head="masked_lm").logits.flatten(0, 1)
        loss = functional.cross_entropy(logits[batch.positions], torch.from_numpy(batch.labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_each_language_is_trained_as_by_hand(double, mini_files, model, corpora: Corpora, vocabulary) -> None:
    base = {name: weight.clone() for name, weight in model.base_parameters().items()}
    result = train_language_adapters(model, corpora, vocabulary, SETTINGS, seed=3, at_once=2)
    assert list(result.trained) == list(corpora) and result.at_once == 2
    plain = Backbone.load(mini_files.resolved.model).double().requires_grad_(False)
    for name, blocks in corpora.items():
        losses = by_hand(plain, name, blocks, vocabulary, seed=3)
        assert result.trained[name].losses == pytest.approx(losses, abs=1e-9)
        assert_close(weights(model, name), weights(plain, name))
        assert not any(p.requires_grad for p in model.adapters[name].parameters())
        assert not any(part.training for part in model.adapters[name].modules())
    assert all(torch.equal(weight, base[name]) for name, weight in model.base_parameters().items())


@pytest.mark.parametrize("base_dropout", ["off", "on"])
def test_company_order_and_size_of_the_bank_do_not_matter(
    double, mini_files, model: Backbone, corpora: Corpora, vocabulary: Vocabulary, base_dropout: Any
) -> None:
    settings = replace(SETTINGS, base_dropout=base_dropout)
    train_language_adapters(model, corpora, vocabulary, settings, seed=3, at_once=3)
    other = Backbone.load(mini_files.resolved.model).double().requires_grad_(False)
    turned = dict(reversed(corpora.items()))
    train_language_adapters(other, turned, vocabulary, settings, seed=3, at_once=1)
    for name in corpora:
        assert_close(weights(model, name), weights(other, name))


def test_adapters_are_seeded_by_name_and_seed(model: Backbone, corpora: Corpora, vocabulary: Vocabulary) -> None:
    def trained(name: str, seed: int = 3, **changes: Any) -> dict[str, torch.Tensor]:
        settings = replace(SETTINGS, **changes)
        train_language_adapters(model, {name: corpora["aaa"]}, vocabulary, settings, seed)
        found = weights(model, name)
        del model.adapters[name]
        return found

    first, again, elsewhere = trained("aaa"), trained("aaa"), trained("aaa", base_dropout="on")
    assert all(torch.equal(first[key], again[key]) for key in first)
    for other in (trained("aaa@1"), trained("aaa", seed=4), trained("aaa", initial="bert"), elsewhere):
        assert all((first[key] != other[key]).any() for key in first)


def test_callers_random_state_does_not_matter_and_stays(model: Backbone, corpora: Corpora, vocabulary) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    train_language_adapters(model, {"aaa": corpora["aaa"]}, vocabulary, SETTINGS)
    assert torch.equal(before, torch.random.get_rng_state())


def test_settings_of_the_papers() -> None:
    one = FAISAL2024
    assert (one.batch_size, one.epochs, one.learning_rate, one.block, one.adapter.reduction) == (8, 3, 5e-4, 256, 16)
    assert one.adapter.invertible_reduction is None and one.base_dropout == "off"
    assert (FAISAL2024_CODE.learning_rate, FAISAL2024_CODE.block) == (5e-5, 512)
    two = MADX2020
    assert (two.steps, two.batch_size, two.learning_rate) == (250_000, 64, 1e-4)
    assert (two.adapter.reduction, two.adapter.invertible_reduction) == (2, 2)


@pytest.mark.parametrize(("blocks", "epochs", "steps"), [(16, 3, 6), (17, 3, 7), (1, 3, 1), (1, 0.1, 1), (10, 0.5, 1)])
def test_steps_of_some_epochs(blocks: int, epochs: float, steps: int) -> None:
    assert replace(FAISAL2024, epochs=epochs).descent(blocks).steps == steps


def test_a_bar_hears_of_every_step(model: Backbone, corpora: Corpora, vocabulary: Vocabulary) -> None:
    heard: list[int] = []
    train_language_adapters(model, corpora, vocabulary, SETTINGS, at_once=2, on_steps=heard.append)
    assert sum(heard) == total_steps(corpora, SETTINGS) == 9 + 5 + 7
    assert max(heard) == 2


def test_invertible_adapters_and_decay_settings_run(model: Backbone, corpora: Corpora, vocabulary) -> None:
    settings = replace(MADX2020, steps=3, batch_size=2, warmup=2, weight_decay=0.1, clip=1.0, decay="constant")
    result = train_language_adapters(model, corpora, vocabulary, settings)
    assert all(len(each.losses) == 3 and each.problem is None for each in result.trained.values())
    invertible = model.adapters["bbb"].invertible
    assert invertible is not None and invertible.F[2].weight.any()


def test_second_pass_begins_when_the_first_is_used_up() -> None:
    drawn = np.stack(list(islice(shuffled_passes(5, 3, seed=4), 7)))
    assert (drawn == draw_blocks(5, 7, 3, seed=4)).all()
    assert sorted(drawn.reshape(-1)[:5]) == sorted(drawn.reshape(-1)[5:10]) == list(range(5))


def test_bank_on_a_cpu_is_as_large_as_pays(model: Backbone, corpora: Corpora, vocabulary, monkeypatch) -> None:
    def size(**changes: Any) -> int:
        settings = replace(SETTINGS, steps=1, **changes)
        try:
            return train_language_adapters(model, corpora, vocabulary, settings).at_once
        finally:
            model.adapters.clear()

    assert size() == 3
    assert size(batch_size=CPU_TOKENS // 12 // 2) == 2
    monkeypatch.setattr(bank_memory, "memory_at_hand", lambda device: 10**5)
    with pytest.raises(ConfigError, match=r"training one adapter with 2 x 12 tokens a batch takes about 0\.\d\d GiB"):
        size()
    assert not model.adapters


def test_failed_adapters_are_told_and_not_left_in_the_model(model: Backbone, corpora: Corpora, vocabulary) -> None:
    result = train_language_adapters(model, corpora, vocabulary, replace(SETTINGS, learning_rate=1e30))
    assert all("is not finite; lower the learning rate" in str(each.problem) for each in result.trained.values())
    assert not model.adapters


def test_interrupted_training_leaves_no_adapter(model: Backbone, corpora: Corpora, vocabulary: Vocabulary) -> None:
    def stop(steps: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_language_adapters(model, corpora, vocabulary, SETTINGS, on_steps=stop)
    assert not model.adapters and not any(weight.requires_grad for weight in model.parameters())


def test_arguments_that_cannot_be_meant(model: Backbone, corpora: Corpora, vocabulary: Vocabulary) -> None:
    def refused(match: str, given: Any, error: type[Exception] = ConfigError, **more: Any) -> None:
        with pytest.raises(error, match=match):
            train_language_adapters(model, given, vocabulary, SETTINGS, **more)

    refused("corpora is empty; give at least one language", {})
    refused(r"corpus 'aaa' has shape \(12,\); expected blocks \[block, token\]", {"aaa": corpora["aaa"][0]})
    refused("corpus 'ccc' has no blocks", {**corpora, "ccc": corpora["ccc"][:0]}, DataError)
    refused("at_once=0; expected at least 1", corpora, at_once=0)
    model.add_adapter("bbb", AdapterConfig())
    refused("adapter 'bbb' is already in the model", corpora)
    del model.adapters["bbb"]
    model.masked_lm = None
    refused("the base model's folder holds no masked-LM head", corpora, ModelError)
    with pytest.raises(ConfigError) as caught:
        LanguageAdapterSettings(batch_size=0, epochs=0, mask_share=1)
    assert [problem.split("=")[0] for problem in caught.value.problems] == ["batch_size", "epochs", "mask_share"]
    with pytest.raises(ConfigError, match="learning_rate=-1"):
        LanguageAdapterSettings(learning_rate=-1)


def test_adapter_of_real_text_reads_its_language_better(shared: Path) -> None:
    model = Backbone.load(shared / "models" / "mini-mbert").requires_grad_(False)
    tokenizer = load_tokenizer(str(shared / "models" / "mini-mbert"))
    vocabulary = vocabulary_of(tokenizer)
    lines = {
        name: (shared / "data" / "text" / f"{name}.txt").read_text("utf-8").splitlines() for name in ("wol", "bam")
    }
    texts = {name: cut(part[:1500], tokenizer, 32)[:320] for name, part in lines.items()}
    settings = LanguageAdapterSettings(batch_size=8, steps=30, learning_rate=2e-3)
    train_language_adapters(model, {name: part[64:] for name, part in texts.items()}, vocabulary, settings)

    @torch.no_grad()
    def nll(text: str, adapter: str | None) -> float:
        held_out = mask_tokens(texts[text][:64], vocabulary, 0.15, np.random.default_rng(0))
        composition = None if adapter is None else Stack(adapter)
        positions = torch.from_numpy(held_out.positions)
        out = model(torch.from_numpy(held_out.ids), composition=composition, head="masked_lm", positions=positions)
        return float(functional.cross_entropy(out.logits, torch.from_numpy(held_out.labels)))

    for own, other in (("wol", "bam"), ("bam", "wol")):
        assert nll(own, own) < nll(own, None) - 0.1
        assert nll(own, own) < nll(own, other)
