"""The memory that a bank is said to take against the tensors that are alive while one trains."""

from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import BertConfig, BertForPreTraining

from xltransfer.engine import Backbone, Stack, bank_memory
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.bank import Batch, Trainee, View, train_together
from xltransfer.engine.bank_memory import HEADROOM, available, bank_size, footprint
from xltransfer.engine.fit import DescentSettings
from xltransfer.errors import ConfigError

ROWS, TOKENS, VOCABULARY, PREDICTIONS = 4, 32, 300, 20


class Alive(TorchDispatchMode):
    """Follows every storage that torch makes and keeps the largest sum of bytes alive at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._sizes: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self._sizes[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._sizes = {key: (ref, size) for key, (ref, size) in self._sizes.items() if not ref.expired()}
        self.peak = max(self.peak, sum(size for _, size in self._sizes.values()))
        return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of four layers on disk."""
    where = tmp_path_factory.mktemp("memory") / "model"
    sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 128}
    BertForPreTraining(BertConfig(vocab_size=VOCABULARY, max_position_embeddings=64, **sizes)).save_pretrained(where)
    return where


def batch(name: str, tokens: int = TOKENS) -> Batch:
    ids = torch.randint(5, VOCABULARY, (ROWS, tokens), generator=torch.Generator().manual_seed(0))
    return Batch(ids, Stack(name), gold=(torch.arange(PREDICTIONS), torch.arange(PREDICTIONS)))


def loss(view: View, given: Batch) -> tuple[Tensor, int]:
    positions, gold = given.gold
    return functional.cross_entropy(view.ask("masked_lm", positions).logits, gold, reduction="sum"), len(gold)


@pytest.mark.parametrize(
    ("config", "base_dropout", "size"),
    [
        (AdapterConfig(16), "off", 1),
        (AdapterConfig(16), "off", 4),
        (AdapterConfig(2, invertible_reduction=2), "off", 3),
        (AdapterConfig(8, attention=True, original_ln_before=False), "off", 2),
        (AdapterConfig(16), "on", 3),
    ],
    ids=["one", "four", "madx", "houlsby", "dropout"],
)
def test_prediction_is_what_lives_while_training(folder: Path, config: Any, base_dropout: Any, size: int) -> None:
    model = Backbone.load(folder).requires_grad_(False)
    names = [f"l{number}" for number in range(size)]
    settings = DescentSettings(2, 1e-4)
    with Alive() as alive:
        for name in names:
            model.add_adapter(name, config)
        trainees = [Trainee(n, (model.adapters[n],), repeat(batch(n)), loss, settings) for n in names]
        train_together(model, trainees, base_dropout=base_dropout)
    each, once = footprint(model, [model.adapters["l0"]], batch("l0"), PREDICTIONS * VOCABULARY, base_dropout)
    assert 0.8 < alive.peak / (size * each + once) < 1.25


def test_counting_leaves_the_model_alone(folder: Path) -> None:
    model = Backbone.load(folder).requires_grad_(False)
    model.add_adapter("a", AdapterConfig())
    model.adapters["a"].train()
    footprint(model, [model.adapters["a"]], batch("a"), 10)
    assert all(part.training for part in model.adapters["a"].modules())
    assert not any(part.training for part in model.encoder.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.adapters["a"].parameters())
    assert not any(weight.requires_grad for weight in model.base_parameters().values())


def test_as_many_as_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Backbone.load(folder).requires_grad_(False)
    modules: list[nn.Module] = [model.add_adapter("a", AdapterConfig())]
    each, once = footprint(model, modules, batch("a"), 1000)
    for size in (1, 2, 7):
        enough = int(HEADROOM["cpu"] * (size * each + once)) + 3
        assert bank_size(model, modules, batch("a"), 1000, memory=enough) == size
        monkeypatch.setattr(bank_memory, "memory_at_hand", lambda device, enough=enough: enough)
        assert bank_size(model, modules, batch("a"), 1000) == size
    message = r"4 x 32 tokens a batch takes about 0\.00 GiB .* lower the batch size or the tokens of a block"
    with pytest.raises(ConfigError, match=message):
        bank_size(model, modules, batch("a"), 1000, memory=int(HEADROOM["cpu"] * (each + once)) - 3)


def test_more_tokens_take_more_memory(folder: Path) -> None:
    model = Backbone.load(folder).requires_grad_(False)
    modules: list[nn.Module] = [model.add_adapter("a", AdapterConfig())]
    short, long = (footprint(model, modules, batch("a", tokens), 0)[0] for tokens in (16, 64))
    assert 3.5 < long / short < 4.5


def test_memory_of_this_machine_is_read(folder: Path) -> None:
    assert available("MemTotal: 9 kB\nMemFree:   5 kB\nMemAvailable:    7 kB\n") == 7 * 1024
    assert bank_memory.memory_at_hand(torch.device("cpu")) > 2**20


def test_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    with pytest.raises(ConfigError, match="does not tell how much memory is free; say how many"):
        bank_memory.memory_at_hand(torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_prediction_is_what_cuda_allocates(folder: Path) -> None:
    model = Backbone.load(folder).requires_grad_(False).cuda()
    names = [f"l{number}" for number in range(8)]
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    for name in names:
        model.add_adapter(name, AdapterConfig(2))
    trainees = [Trainee(n, (model.adapters[n],), repeat(batch(n)), on_cuda, DescentSettings(2, 1e-4)) for n in names]
    train_together(model, trainees)
    peak = torch.cuda.max_memory_allocated() - before
    each, once = footprint(model, [model.adapters["l0"]], batch("l0"), PREDICTIONS * VOCABULARY)
    assert 0.7 < peak / (8 * each + once) < 1.2


def on_cuda(view: View, given: Batch) -> tuple[Tensor, int]:
    positions, gold = (each.cuda() for each in given.gold)
    return functional.cross_entropy(view.ask("masked_lm", positions).logits, gold, reduction="sum"), len(gold)
