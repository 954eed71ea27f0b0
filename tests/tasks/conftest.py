"""A letter-by-letter tokenizer, a tiny BERT over it with random weights, and task declarations."""

from collections.abc import Callable
from string import ascii_lowercase
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from xltransfer.config.task import TaskSpec
from xltransfer.engine import Backbone
from xltransfer.engine.heads import MaskedLMHead
from xltransfer.engine.loading import Loaded
from xltransfer.engine.sites import site_of

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Every letter is a subword: a word of n letters has n."""
    pieces = [*SPECIAL, *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    backend = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = WhitespaceSplit()
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


def randomise(module: nn.Module, seed: int, spread: float = 0.3) -> None:
    """Draw every parameter from one seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))


@pytest.fixture
def model() -> Backbone:
    """A BERT of two layers, 16 wide, for the 57 subwords of `tokenizer`."""
    config = BertConfig(
        vocab_size=57,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
    )
    backbone = Backbone(Loaded(BertModel(config), site_of("bert"), MaskedLMHead(16, 57, nn.GELU(), 1e-12)))
    randomise(backbone, seed=1)
    return backbone.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def declare() -> Callable[..., TaskSpec]:
    """Return a task declaration of a shape, with some entries that nothing reads."""

    def make(shape: str, **more: Any) -> TaskSpec:
        trained = {} if shape == "mlm" else {"train": [{"dataset": "any"}]}
        return TaskSpec(**{"name": shape, "shape": shape, "targets": [{"dataset": "any"}], **trained, **more})

    return make
