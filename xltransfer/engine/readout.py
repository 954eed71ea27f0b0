"""What a head makes of hidden states: which of them it is asked at, and under which rules."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xltransfer.engine.heads import (
    BiaffineHead,
    ClassificationHead,
    MaskedLMHead,
    QuestionAnsweringHead,
    TaggingHead,
    no_head,
)
from xltransfer.engine.passing import FusionAttention, Pass
from xltransfer.errors import ConfigError
from xltransfer.rules import Rules


@dataclass(frozen=True)
class Output:
    """What a pass returns; what was not asked for is None.

    Attributes
    ----------
    last_hidden_state
        [row, token, hidden].
    pooler_output
        [row, hidden], or None where the base model has no pooler.
    hidden_states
        Embeddings (behind the invertible adapter) and each layer's result, [row, token, hidden] each; the last one of
        a pre-norm model is behind its final norm.
    logits
        Tagging and masked-LM scores [row, token, labels], or [position, labels] where positions were given;
        classification [row, labels].
    start_logits, end_logits
        Question answering: [row, token] each.
    arc_preds, rel_preds
        Parser scores: [row, word, word + 1] and [row, word, word + 1, labels].
    fusion_attention
        See `passing.FusionAttention`.
    """

    last_hidden_state: Tensor
    pooler_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    logits: Tensor | None = None
    start_logits: Tensor | None = None
    end_logits: Tensor | None = None
    arc_preds: Tensor | None = None
    rel_preds: Tensor | None = None
    fusion_attention: FusionAttention | None = None


@dataclass(frozen=True)
class Readout:
    """Asks heads.

    Attributes
    ----------
    rules
        How parsers pad, and what becomes of the base model's own masked-LM head.
    embeddings
        Word embeddings [vocabulary, hidden], the masked-LM decoder.
    own
        The base model's own masked-LM head, or None.
    padding
        The base model's padding id, or None.
    """

    rules: Rules
    embeddings: Tensor
    own: MaskedLMHead | None
    padding: int | None

    def read(
        self,
        name: str,
        head: nn.Module,
        states: Output,
        routed: Pass,
        positions: Tensor | None,
        word_starts: Tensor | None,
    ) -> Output:
        """Return ``states`` with the scores of ``head``; see `Backbone.forward`."""
        hidden = states.last_hidden_state
        if positions is not None and not isinstance(head, TaggingHead | MaskedLMHead):
            raise ConfigError(f"head {name!r} ({type(head).__name__}) is not asked at positions; leave them out")
        if isinstance(head, BiaffineHead):
            if word_starts is None:
                raise ConfigError(f"head {name!r} is a parser and needs word_starts [row, word + 1]")
            arcs, relations = self._parse(head, hidden, word_starts)
            return replace(states, arc_preds=arcs, rel_preds=relations)
        if isinstance(head, ClassificationHead):
            return replace(states, logits=head(_whole(name, head, states)))
        if isinstance(head, QuestionAnsweringHead):
            start, end = head(hidden).unbind(dim=-1)
            return replace(states, start_logits=start, end_logits=end)
        at = hidden if positions is None else hidden.flatten(0, 1).index_select(0, positions)
        if isinstance(head, MaskedLMHead):
            rows = None if positions is None else positions // hidden.shape[1]
            return replace(states, logits=self._masked_lm(head, at, routed, rows))
        return replace(states, logits=head(at))

    def _masked_lm(self, head: MaskedLMHead, at: Tensor, routed: Pass, rows: Tensor | None) -> Tensor:
        z = head.transform(at)
        own = head is self.own
        if not (own and self.rules.masked_lm == "no_inverse"):
            z = routed.leave(z, rows)
        return head.decode(z, self.embeddings, with_bias=not (own and self.rules.masked_lm == "bias_lost"))

    def _parse(self, head: BiaffineHead, hidden: Tensor, word_starts: Tensor) -> tuple[Tensor, Tensor]:
        if self.rules.word_padding == "pad_id" and self.padding is not None and not (word_starts < 0).any():
            word_starts = _without(word_starts, self.padding)
        if self.rules.padded_heads == "kept":
            # The library pads words to the number of subwords, and its padded heads take part with score 0.
            missing = hidden.shape[1] + 1 - word_starts.shape[1]
            word_starts = nn.functional.pad(word_starts, (0, missing), value=-1)
        dependents, heads = head.words(hidden, word_starts)
        arcs = head.arc_scores(dependents, heads)
        if self.rules.padded_heads == "masked":
            arcs = arcs.masked_fill(no_head(word_starts)[:, None], float("-inf"))
        return arcs, head.all_relation_scores(dependents, heads)


def _whole(name: str, head: ClassificationHead, states: Output) -> Tensor:
    if not head.use_pooler:
        return states.last_hidden_state[:, 0]
    if states.pooler_output is None:
        raise ConfigError(
            f"head {name!r} reads the pooler, but the base model's folder holds none; use a head on the first "
            "token, or a base model that was saved with its pooler"
        )
    return states.pooler_output


def _without(word_starts: Tensor, padding: int) -> Tensor:
    """Take every value equal to ``padding`` out of its row, as the library does, and pad the rest with -1."""
    kept = [row[row != padding] for row in word_starts]
    return torch.stack([nn.functional.pad(row, (0, word_starts.shape[1] - len(row)), value=-1) for row in kept])
