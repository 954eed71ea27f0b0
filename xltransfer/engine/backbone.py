"""A base model with adapters and heads that are chosen per forward pass.

The encoder is Hugging Face's own module, unpatched; adapters act through hooks (`stacking`). What a pass applies is a
plain attribute that `Backbone.forward` sets and clears.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

from xltransfer.engine import checkpoint, stacking
from xltransfer.engine.adapter import Adapter, AdapterConfig
from xltransfer.engine.bottleneck import Bottleneck
from xltransfer.engine.composition import Stack
from xltransfer.engine.heads import BiaffineHead, MaskedLMHead, TaggingHead
from xltransfer.engine.loading import Loaded, load
from xltransfer.errors import ConfigError, ModelError, near_match

Rules = Literal["corrected", "adapterhub"]
MASKED_LM = "masked_lm"
"""Name of the base model's own masked-LM head."""


@dataclass(frozen=True)
class Output:
    """What a pass returns; what was not asked for is None.

    Attributes
    ----------
    last_hidden_state
        [batch, token, hidden].
    pooler_output
        [batch, hidden], or None where the base model has no pooler.
    hidden_states
        Embeddings (behind the invertible adapter) and each layer's result, [batch, token, hidden] each.
    logits
        Tagging and masked-LM scores: [batch, token, labels], or [position, labels] where positions were given.
    arc_preds, rel_preds
        Parser scores: [batch, word, word + 1] and [batch, word, word + 1, labels].
    """

    last_hidden_state: Tensor
    pooler_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    logits: Tensor | None = None
    arc_preds: Tensor | None = None
    rel_preds: Tensor | None = None


class Backbone(nn.Module):
    """An encoder, its masked-LM head, named adapters and named heads.

    Parameters
    ----------
    loaded
        What `loading.load` returns.
    rules
        ``adapterhub``: the reference library's numbers, padded head columns included. ``corrected`` (default): columns
        that are no word cannot be a head.
    stack
        How stacked adapters combine, see `stacking`.
    """

    def __init__(self, loaded: Loaded, rules: Rules = "corrected", stack: stacking.StackRule = "adapterhub") -> None:
        super().__init__()
        self.encoder = loaded.encoder
        self.masked_lm = loaded.masked_lm
        self.site = loaded.site
        self.rules, self.stack = rules, stack
        self.adapters = nn.ModuleDict()
        self.heads = nn.ModuleDict()
        self._stack: tuple[Adapter, ...] = ()
        stacking.install(self.encoder, self.site, stack, self._active)
        self.encoder.get_submodule(self.site.embeddings).register_forward_hook(self._through_invertible)

    @classmethod
    def load(
        cls,
        model: str | Path,
        rules: Rules = "corrected",
        stack: stacking.StackRule = "adapterhub",
        revision: str | None = None,
    ) -> "Backbone":
        """Load a base model from a folder or hub id, in evaluation mode.

        Raises
        ------
        ModelError
            See `loading.load`; nothing is ever initialised silently.
        """
        return cls(load(str(model), revision), rules, stack).eval()

    @property
    def hidden(self) -> int:
        """Hidden size."""
        return int(self.encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]

    @property
    def depth(self) -> int:
        """Number of layers."""
        return int(self.encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]

    @property
    def head_dropout(self) -> float:
        """Dropout of a fresh head: the model's ``classifier_dropout``, else ``hidden_dropout_prob``."""
        config = self.encoder.config
        own = getattr(config, "classifier_dropout", None)
        return float(own if own is not None else config.hidden_dropout_prob)  # type: ignore[union-attr, arg-type]

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

    def add_adapter(self, name: str, config: AdapterConfig) -> Adapter:
        """Add a fresh adapter, which changes nothing until it is trained."""
        self.adapters[name] = Adapter(config, self.hidden, self.depth).to(self.device)
        return self.adapters[name]  # type: ignore[return-value]

    def add_head(self, name: str, head: nn.Module) -> None:
        """Add a head; its name then goes into ``forward(head=...)``."""
        if name == MASKED_LM:
            raise ConfigError(f"head name {name!r} is taken by the base model's own masked-LM head; choose another")
        self.heads[name] = head.to(self.device)

    def load_adapter(self, folder: str | Path, name: str | None = None) -> None:
        """Load an AdapterHub adapter folder under ``name`` (default: the folder's name)."""
        folder = Path(folder)
        adapter = checkpoint.load_adapter(folder, self.hidden, self.depth, self.site.prefix)
        self.adapters[name or folder.name] = adapter.to(self.device)

    def load_head(self, folder: str | Path, name: str | None = None) -> None:
        """Load an AdapterHub tagging, parsing or masked-LM head folder under ``name`` (default: the folder's name)."""
        folder = Path(folder)
        config, tensors = checkpoint.load_head(folder)
        self.add_head(name or folder.name, self._head_of(folder, config, tensors).eval())

    def _head_of(self, folder: Path, config: dict[str, object], tensors: dict[str, Tensor]) -> nn.Module:
        kind, labels = config["head_type"], int(config.get("num_labels") or 0)  # type: ignore[call-overload]
        head: nn.Module
        if kind == "tagging" and config.get("layers", 1) == 1:
            head = TaggingHead(self.hidden, labels, self.head_dropout)
            names = {"linear.weight": "1.weight", "linear.bias": "1.bias"}
        elif kind == "dependency_parsing":
            head = BiaffineHead(self.hidden, labels, self.head_dropout)
            names = {"arcs": "biaffine_arcs.weight", "relations": "biaffine_rels.weight"}
        elif kind == "masked_lm":
            eps = float(self.encoder.config.layer_norm_eps)  # type: ignore[union-attr, arg-type]
            activation = ACT2FN[str(config["activation_function"])]
            head = MaskedLMHead(self.hidden, len(self.word_embeddings), activation, eps)
            names = {"dense.weight": "0.weight", "dense.bias": "0.bias", "norm.weight": "2.weight"}
            names |= {"norm.bias": "2.bias", "bias": "3.bias"}
            if not torch.equal(tensors["3.weight"].to(self.device), self.word_embeddings):
                raise ModelError(f"head {folder.name!r}: its decoder is not tied to this model's word embeddings")
        else:
            raise ModelError(f"head {folder.name!r} of type {kind!r} with {config.get('layers')} layers is unsupported")
        missing = sorted(set(names.values()) - set(tensors))
        if missing:
            raise ModelError(f"head {folder.name!r} lacks {', '.join(missing)}; nothing is initialised anew")
        head.load_state_dict({ours: tensors[theirs] for ours, theirs in names.items()})
        return head

    def _active(self, layer: int) -> Sequence[Bottleneck]:
        return [member for adapter in self._stack if (member := adapter.at(layer)) is not None]

    def _through_invertible(self, module: nn.Module, args: object, out: Tensor) -> Tensor:
        first = self._stack[0].invertible if self._stack else None
        return out if first is None else first(out)

    def _members(self, composition: Stack) -> tuple[Adapter, ...]:
        unknown = [name for name in composition.members if name not in self.adapters]
        if unknown:
            raise ConfigError(f"adapter {unknown[0]!r} is not loaded{near_match(unknown[0], self.adapters)}")
        return tuple(self.adapters[name] for name in composition.members)  # type: ignore[misc]

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        composition: Stack | None = None,
        head: str | None = None,
        output_hidden_states: bool = False,
        positions: Tensor | None = None,
        word_starts: Tensor | None = None,
    ) -> Output:
        """Run the encoder under ``composition`` and, if named, a head.

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids
            [batch, token]. Leave the mask out where no row is padded: it costs a device synchronisation.
        composition
            Adapters to apply; None is the untouched model.
        head
            A loaded head, or ``masked_lm`` for the base model's own.
        positions
            Flat indices (row · token + column) at which a tagging or masked-LM head is asked; None: everywhere.
        word_starts
            For a parser, see `BiaffineHead.words`.

        Raises
        ------
        ConfigError
            An adapter or head that is not loaded; a parser without ``word_starts``.
        """
        self._stack = self._members(composition or Stack())
        try:
            out = self.encoder(
                input_ids,
                attention_mask=attention_mask,
                token_type_ids=token_type_ids,
                output_hidden_states=output_hidden_states,
            )
            scores = self._scores(head, out.last_hidden_state, positions, word_starts)
        finally:
            self._stack = ()
        return Output(out.last_hidden_state, out.pooler_output, out.hidden_states, **scores)

    def _scores(
        self, name: str | None, hidden: Tensor, positions: Tensor | None, word_starts: Tensor | None
    ) -> dict[str, Tensor]:
        if name is None:
            return {}
        head = self.head(name)
        if isinstance(head, BiaffineHead):
            if word_starts is None:
                raise ConfigError(f"head {name!r} is a parser and needs word_starts [batch, word + 1]")
            return self._parse(head, hidden, word_starts)
        at = hidden if positions is None else hidden.reshape(-1, hidden.shape[-1]).index_select(0, positions)
        if isinstance(head, MaskedLMHead):
            invertible = self._stack[0].invertible if self._stack else None
            return {"logits": head(at, self.word_embeddings, invertible)}
        return {"logits": head(at)}

    def head(self, name: str) -> nn.Module:
        """Return a head by name, or raise `ConfigError` with the near match."""
        if name == MASKED_LM and self.masked_lm is not None:
            return self.masked_lm
        if name not in self.heads:
            known = [*self.heads, *([MASKED_LM] if self.masked_lm is not None else [])]
            raise ConfigError(f"head {name!r} is not loaded{near_match(name, known)}")
        return self.heads[name]

    def _parse(self, head: BiaffineHead, hidden: Tensor, word_starts: Tensor) -> dict[str, Tensor]:
        if self.rules == "adapterhub":
            # The library pads words to the number of subwords, and its padded heads take part with score 0.
            missing = hidden.shape[1] + 1 - word_starts.shape[1]
            word_starts = nn.functional.pad(word_starts, (0, missing), value=-1)
        dependents, heads = head.words(hidden, word_starts)
        arcs = head.arc_scores(dependents, heads)
        if self.rules == "corrected":
            arcs = arcs.masked_fill(no_head(word_starts)[:, None], float("-inf"))
        return {"arc_preds": arcs, "rel_preds": head.all_relation_scores(dependents, heads)}


def no_head(word_starts: Tensor) -> Tensor:
    """Return [batch, word + 1]: True where a column of arc scores is neither the root nor a word."""
    padded = word_starts[:, 1:] < 0
    return nn.functional.pad(padded, (1, 0), value=False)
