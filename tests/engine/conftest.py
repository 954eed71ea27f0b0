"""A tiny BERT with random weights, on disk and loaded; its weights are well away from zero, LayerNorms included."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForPreTraining

from xltransfer.engine import Backbone
from xltransfer.engine.adapter import AdapterConfig

TINY = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
}


def fill(module: torch.nn.Module, seed: int = 0, spread: float = 0.3) -> None:
    """Draw every parameter, so that a missing bias or a swapped half shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            parameter.copy_(centre + spread * torch.randn(parameter.shape, generator=generator))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved BERT with pooler and masked-LM head."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    model = BertForPreTraining(BertConfig(**TINY))
    fill(model, seed=1)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tiny_folder: Path) -> Backbone:
    """The tiny model, loaded, nothing to be trained."""
    return Backbone.load(tiny_folder).requires_grad_(False)


@pytest.fixture
def ids() -> torch.Tensor:
    """Two rows of eight tokens."""
    return torch.randint(5, 60, (2, 8), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def add_trained() -> Callable[..., None]:
    """Add an adapter whose weights are as if trained: none of them zero."""

    def add(model: Backbone, name: str, seed: int, **config: object) -> None:
        adapter = model.add_adapter(name, AdapterConfig(**{"reduction": 4, **config}))
        fill(adapter, seed, spread=0.5)
        adapter.eval().requires_grad_(False)

    return add
