"""A base model with adapters, fusions and heads that are chosen per forward pass, and per row.

The encoder is Hugging Face's own module, unpatched; adapters act through hooks (`hooks`). What a pass applies is a
plain attribute that `Backbone.encode` sets and clears.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

from torch import Tensor

from xltransfer.engine import hooks
from xltransfer.engine.adapter import Adapter, Place
from xltransfer.engine.composition import Composition, Stack
from xltransfer.engine.fusion import Fusion
from xltransfer.engine.loading import Loaded, load
from xltransfer.engine.passing import Pass, plain_dropout
from xltransfer.engine.readout import Output, Readout
from xltransfer.engine.routing import Parts
from xltransfer.engine.shelf import Shelf
from xltransfer.engine.stacking import StackRule
from xltransfer.errors import ConfigError, near_match
from xltransfer.rules import Rules, rules_of

Compositions = Composition | Sequence[Composition | None] | None
"""One for all rows, or one for each row; None is the untouched model."""


class Backbone(Shelf):
    """An encoder, its masked-LM head, named adapters, fusions and heads.

    Parameters
    ----------
    loaded
        What `loading.load` returns.
    rules
        ``corrected`` (default), ``adapterhub`` (the reference library's numbers, faults included), or single choices,
        see `rules.Rules`.
    stack
        How stacked adapters combine, see `stacking`.

    Attributes
    ----------
    fusion_drop
        Dropout of fusions; training of many adapters at once puts its own here.
    """

    def __init__(self, loaded: Loaded, rules: str | Rules = "corrected", stack: StackRule = "adapterhub") -> None:
        super().__init__(loaded)
        if stack not in get_args(StackRule):
            raise ConfigError(f"stack={stack!r} is no rule of stacks{near_match(stack, get_args(StackRule))}")
        self.rules, self.stack = rules_of(rules), stack
        self.fusion_drop = plain_dropout
        self._pass: Pass | None = None
        hooks.install(self.encoder, self.site, self)

    @classmethod
    def load(
        cls,
        model: str | Path,
        rules: str | Rules = "corrected",
        stack: StackRule = "adapterhub",
        revision: str | None = None,
    ) -> "Backbone":
        """Load a base model from a folder or hub id, in evaluation mode.

        Raises
        ------
        ModelError
            See `loading.load`; nothing is ever initialised silently.
        ConfigError
            Unknown rules, or an unknown rule of stacks.
        """
        return cls(load(str(model), revision), rules, stack).eval()

    def acts(self, layer: int, place: Place) -> bool:
        """Answer the hooks: whether the present pass changes anything there."""
        return self._pass is not None and self._pass.acts(layer, place)

    def act(
        self, layer: int, place: Place, feed: Tensor, residual: Tensor, norm: Callable[[Tensor], Tensor]
    ) -> hooks.Changed:
        """Answer the hooks: what takes the place of F."""
        assert self._pass is not None
        return self._pass.act(layer, place, feed, residual, norm)

    def enter(self, embeddings: Tensor) -> Tensor:
        """Answer the hooks: what takes the place of the embeddings."""
        return embeddings if self._pass is None else self._pass.enter(embeddings)

    def routed(self, compositions: Compositions, rows: int, wants_attention: bool = False) -> Pass:
        """Return the pass of a batch of ``rows`` rows; raises `ConfigError` as `forward` does."""
        if isinstance(compositions, str):
            raise ConfigError(f"composition is the text {compositions!r}; give parse_composition({compositions!r})")
        if compositions is None or isinstance(compositions, Composition):
            each: list[Composition] = [Stack() if compositions is None else compositions] * rows
        else:
            each = [Stack() if composition is None else composition for composition in compositions]
        if len(each) != rows:
            raise ConfigError(
                f"composition names {len(each)} rows, but input_ids has {rows}; give one composition a row"
            )
        parts = Parts(cast(Mapping[str, Adapter], self.adapters), cast(Mapping[str, Fusion], self.fusions))
        parts.check(each)
        return Pass(
            parts,
            parts.routing(each),
            self.rules,
            self.stack,
            self.attention_dropout,
            self.fusion_drop,
            wants_attention,
        )

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        composition: Compositions = None,
        head: str | None = None,
        output_hidden_states: bool = False,
        positions: Tensor | None = None,
        word_starts: Tensor | None = None,
        output_fusion_attention: bool = False,
    ) -> Output:
        """Run the encoder under ``composition`` and, if named, a head.

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids
            [row, token]. Leave the mask out where no row is padded: it costs a device synchronisation.
        composition
            Adapters to apply to all rows, or a sequence with one composition a row; None is the untouched model.
        head
            A loaded head, or ``masked_lm`` for the base model's own.
        positions
            Flat indices (row · token + column) at which a tagging or masked-LM head is asked; None: everywhere.
        word_starts
            For a parser, see `BiaffineHead.words`.

        Raises
        ------
        ConfigError
            An adapter, fusion or head that is not loaded; a fusion of other members; another number of compositions
            than rows; a parser without ``word_starts``; a classifier from a pooler that is not there; ``positions``
            for a head of another kind.
        """
        routed = self.routed(composition, len(input_ids), output_fusion_attention)
        states = self.encode(routed, input_ids, attention_mask, token_type_ids, output_hidden_states)
        return self.score(head, states, routed, positions, word_starts) if head else states

    def encode(
        self,
        routed: Pass,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        output_hidden_states: bool = False,
    ) -> Output:
        """Run the encoder as ``routed`` says; rows come back in the batch's order."""
        self._refuse_checkpointing()
        routing = routed.routing
        if token_type_ids is not None:
            self._refuse_without_token_types()
        inputs = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
        given = {name: routing.sort(value) for name, value in inputs.items() if value is not None}
        self._pass = routed
        try:
            out = self.encoder(routing.sort(input_ids), output_hidden_states=output_hidden_states, **given)
        finally:
            self._pass = None
        pooled, hidden = getattr(out, "pooler_output", None), out.hidden_states
        return Output(
            routing.unsort(out.last_hidden_state),
            None if pooled is None else routing.unsort(pooled),
            None if hidden is None else tuple(routing.unsort(state) for state in hidden),
            fusion_attention=routed.attention() if routed.wants_attention else None,
        )

    def _refuse_without_token_types(self) -> None:
        types = int(getattr(self.encoder.config, "type_vocab_size", None) or 0)
        if not (self.site.token_types and types):
            raise ConfigError(
                f"token_type_ids were given, but this base model ({self.model_type}) has no token types; "
                "leave the argument out"
            )

    def _refuse_checkpointing(self) -> None:
        if self.encoder.training and any(getattr(m, "gradient_checkpointing", False) for m in self.encoder.modules()):
            raise ConfigError(
                "activation checkpointing runs layers again during backward, when the adapters of this pass are no "
                "longer set; switch it off (it would give wrong gradients without a word)"
            )

    def score(
        self,
        name: str,
        states: Output,
        routed: Pass,
        positions: Tensor | None = None,
        word_starts: Tensor | None = None,
    ) -> Output:
        """Return ``states`` with the scores of the head ``name``; see `forward`. Both belong to the same rows."""
        padding = getattr(self.encoder.config, "pad_token_id", None)
        readout = Readout(self.rules, self.word_embeddings, self.masked_lm, padding)
        return readout.read(name, self.head(name), states, routed, positions, word_starts)
