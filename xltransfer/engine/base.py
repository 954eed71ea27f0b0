"""The base model B: an encoder and its masked-LM head, and the facts about them that others ask for."""

import torch
from torch import nn

from xltransfer.engine.loading import Loaded
from xltransfer.errors import ModelError

MASKED_LM = "masked_lm"
"""Name of the base model's own masked-LM head."""


class BaseModel(nn.Module):
    """What `loading.load` returns, as a module: ``encoder``, ``masked_lm`` (or None) and ``site``."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__()
        self.encoder = loaded.encoder
        self.masked_lm = loaded.masked_lm
        self.site = loaded.site

    @property
    def hidden(self) -> int:
        """Hidden size."""
        return int(self.encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]

    @property
    def model_type(self) -> str:
        """Architecture, as the config names it."""
        return str(self.encoder.config.model_type)  # type: ignore[union-attr]

    @property
    def depth(self) -> int:
        """Number of layers."""
        return int(self.encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]

    @property
    def head_dropout(self) -> float:
        """Dropout of a fresh head: what the base model's config says (`Site.head_dropout`), 0 where it says nothing."""
        return self._setting(self.site.head_dropout, default=0.0)

    @property
    def attention_dropout(self) -> float:
        """The model's dropout of attention weights, which fusions take where they have none of their own."""
        return self._setting((self.site.attention_dropout,))

    def _setting(self, names: tuple[str, ...], default: float | None = None) -> float:
        values = (getattr(self.encoder.config, name, None) for name in names)
        found = next((value for value in values if value is not None), default)
        if found is None:
            raise ModelError(f"the base model's config has none of {', '.join(names)}")
        return float(found)

    @property
    def word_embeddings(self) -> nn.Parameter:
        """Input embeddings [vocabulary, hidden], tied to the masked-LM decoder."""
        return self.encoder.get_submodule(self.site.word_embeddings).weight  # type: ignore[return-value]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.word_embeddings.device

    def base_parameters(self) -> dict[str, nn.Parameter]:
        """Return all weights of the base model B by name: encoder, pooler and masked-LM head, tied ones once."""
        parts: list[tuple[str, nn.Module | None]] = [("encoder", self.encoder), (MASKED_LM, self.masked_lm)]
        return {
            f"{part}.{name}": parameter
            for part, module in parts
            if module is not None
            for name, parameter in module.named_parameters()
        }
