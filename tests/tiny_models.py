"""A tiny random model of every architecture in the sites table, saved as transformers' own classes save it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

VOCABULARY = 60
SIZE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 48,
}
DISTILBERT = {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 24, "vocab_size": 60, "max_position_embeddings": 48}
SPECIAL_IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
MDEBERTA = {
    "relative_attention": True,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
    "layer_norm_eps": 1e-7,
}


@dataclass(frozen=True)
class Tiny:
    """A transformers class with a head, the settings of its config, and where its plain encoder lies in it."""

    name: str
    settings: Mapping[str, Any]
    encoder: str

    @property
    def causal(self) -> bool:
        return "CausalLM" in self.name

    def make(self, **settings: Any) -> Any:
        """Return the model with weights well away from zero, LayerNorms and biases included."""
        made = getattr(transformers, self.name)
        model = made(made.config_class(**{**self.settings, **settings}))
        fill(model)
        return model.eval()

    def save(self, folder: Path, **settings: Any) -> Path:
        self.make(**settings).save_pretrained(folder)
        return folder


TINY = {
    "bert": Tiny("BertForMaskedLM", SIZE, "bert"),
    "roberta": Tiny("RobertaForMaskedLM", {**SIZE, "hidden_act": "relu"}, "roberta"),
    "xlm-roberta": Tiny("XLMRobertaForMaskedLM", SIZE, "roberta"),
    "distilbert": Tiny("DistilBertForMaskedLM", {**DISTILBERT, "activation": "relu"}, "distilbert"),
    "mdeberta": Tiny("DebertaV2ForMaskedLM", {**SIZE, **MDEBERTA, "legacy": False}, "deberta"),
    # The large English ones have a convolution over neighbours behind the first layer.
    "deberta-v2": Tiny("DebertaV2ForMaskedLM", {**SIZE, "conv_kernel_size": 3, "type_vocab_size": 2}, "deberta"),
    "modernbert": Tiny("ModernBertForMaskedLM", {**SIZE, **SPECIAL_IDS, "local_attention": 4}, "model"),
    "llama": Tiny("LlamaForCausalLM", {**SIZE, "num_key_value_heads": 1}, "model"),
    "qwen2": Tiny("Qwen2ForCausalLM", {**SIZE, "num_key_value_heads": 1}, "model"),
    "qwen3": Tiny("Qwen3ForCausalLM", {**SIZE, "num_key_value_heads": 1, "head_dim": 8}, "model"),
}
ENCODERS = [name for name, tiny in TINY.items() if not tiny.causal]
DECODERS = [name for name, tiny in TINY.items() if tiny.causal]


def fill(module: nn.Module, seed: int = 1, spread: float = 0.3) -> None:
    """Draw every parameter, so that a missing bias, a swapped half or a wrong residual shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            parameter.copy_(centre + spread * torch.randn(parameter.shape, generator=generator))
