"""Dropout in a joint forward pass: every trainee's masks come from its own generator, for its own rows and length.

Plain dropout draws one mask over the whole batch, so what a row loses depends on which rows stand beside it, and
training many at once would be another training than one after another. Here a mask of a trainee is drawn as if its rows
were alone. `RowDropout` catches every dropout of the base model while it is active, inside attention too, whatever
module or function asks for it; nothing is installed in the model and nothing has to be taken out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from xltransfer.errors import ModelError

_OTHER_DRAWS = frozenset(
    [
        functional.alpha_dropout,
        functional.dropout1d,
        functional.dropout2d,
        functional.dropout3d,
        functional.feature_alpha_dropout,
        torch.bernoulli,
        torch.dropout,
        torch.native_dropout,
        torch.rand,
        torch.rand_like,
        torch.randn,
        torch.randn_like,
        Tensor.bernoulli_,
        Tensor.uniform_,
    ]
)
"""Ways to draw from the process's stream that no supported base model uses; their rows could not be told apart."""


@dataclass(frozen=True)
class Part:
    """One trainee's rows in the sorted batch.

    Attributes
    ----------
    rows, tokens
        How many rows, and their own length before the joint padding.
    generator
        Where its masks come from.
    fusion
        Whether its fusions drop: those that it trains do, frozen ones do not.
    """

    rows: int
    tokens: int
    generator: torch.Generator
    fusion: bool = False


class RowDropout(TorchFunctionMode):
    """While active, drops part by part; `fusion` is for ``Backbone.fusion_drop``.

    Attributes
    ----------
    parts
        The present batch, first row first; who runs a batch sets it before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts: Sequence[Part] = ()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Answer torch: its dropouts are replaced, all else is done as asked."""
        kwargs = kwargs or {}
        if func is functional.dropout:
            return self._dropout(*args, **kwargs)
        if func is functional.scaled_dot_product_attention and kwargs.get("dropout_p"):
            return self._attention(*args, **kwargs)
        if func in _OTHER_DRAWS and kwargs.get("generator") is None:
            name = getattr(func, "__name__", str(func))
            raise ModelError(f"base_dropout: on cannot give each row its own draws of {name}; use base_dropout: off")
        return func(*args, **kwargs)

    def fusion(self, x: Tensor, probability: float, rows: slice) -> Tensor:
        """Drop from ``x`` [row, token, member], the given ``rows`` of the sorted batch, where a fusion is trained."""
        keep = torch.ones_like(x)
        start = 0
        for part in self.parts:
            if part.fusion and rows.start <= start < rows.stop:
                own = keep[start - rows.start :][: part.rows, : part.tokens]
                own.copy_(_draw(own, probability, part.generator))
            start += part.rows
        return x * keep

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return x * self._keep(x, p) if training and p else x

    def _keep(self, x: Tensor, probability: float) -> Tensor:
        """Return what [row, token, ..] or [row, head, query, key] is multiplied by; 0 at joint padding."""
        rows = sum(part.rows for part in self.parts)
        longest = max((part.tokens for part in self.parts), default=0)
        tokens = (1,) if x.dim() == 3 else (2, 3)
        if x.dim() not in (3, 4) or len(x) != rows or any(x.shape[axis] != longest for axis in tokens):
            raise ModelError(
                f"base_dropout: on: the base model drops from a tensor of shape {tuple(x.shape)}, which holds no "
                f"{rows} rows of {longest} tokens, so its rows cannot be told apart; use base_dropout: off"
            )
        keep, start = torch.zeros_like(x), 0
        for part in self.parts:
            own = keep[start : start + part.rows]
            for axis in tokens:
                own = own.narrow(axis, 0, part.tokens)
            own.copy_(_draw(own, probability, part.generator))
            start += part.rows
        return keep

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Compute attention over [row, head, token, size] in the open, with `_keep` on its weights."""
        if enable_gqa:
            key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value))
        scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if is_causal:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, float("-inf"))
        elif attn_mask is not None:
            scores = scores + attn_mask
        weights = scores.softmax(dim=-1)
        return (weights * self._keep(weights, dropout_p)) @ value


def _draw(like: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Return 0 with ``probability``, else 1 / (1 - probability), in the shape of ``like``."""
    if probability >= 1:
        return torch.zeros_like(like)
    return torch.empty_like(like).bernoulli_(1 - probability, generator=generator).div_(1 - probability)


ATTENTION = ("sdpa", "eager")
"""Implementations of attention whose dropout can be caught; the others draw inside a kernel."""


def refuse_hidden_draws(encoder: Any) -> None:
    """Raise `ModelError` for a base model whose attention drops inside a kernel."""
    chosen = encoder.config._attn_implementation
    if chosen not in ATTENTION:
        raise ModelError(
            f"base_dropout: on cannot draw each row's masks inside attention {chosen!r}; load the base model with "
            f"{' or '.join(ATTENTION)}, or use base_dropout: off"
        )
