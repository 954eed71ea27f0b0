"""The equations of adapters, stacks, fusions and NICE in their textbook order, each a few lines of plain torch.

`Plain` is a whole BERT with them put in by hand: what the engine is compared with where no golden reaches. It takes the
weights of a `Backbone` and shares no computation with it; every member of a fusion is computed by itself.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertModel

from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.bottleneck import Bottleneck, Form
from xltransfer.engine.fusion import FusionLayer
from xltransfer.engine.invertible import Invertible

ACTIVATIONS = {
    "relu": lambda x: x.clamp(min=0),
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "gelu_new": lambda x: x * 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "swish": lambda x: x / (1 + torch.exp(-x)),
    "tanh": torch.tanh,
    "leakyrelu": lambda x: torch.where(x > 0, x, 0.01 * x),
}


def filled(module: nn.Module, spread: float = 0.4) -> nn.Module:
    """Draw every parameter, in float64; a wide spread makes one member take all the attention."""
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, std=spread)
    return module


def norm(x: Tensor, module: nn.LayerNorm) -> Tensor:
    """LayerNorm from its definition."""
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(dim=-1, keepdim=True) + module.eps) * module.weight + module.bias


def up(bottleneck: Bottleneck, x: Tensor) -> Tensor:
    """up(x) = s · Linear_up(act(Linear_down(x)))."""
    form = bottleneck.form
    x = norm(x, bottleneck.norm_before) if form.ln_before else x
    inside = ACTIVATIONS[form.activation](x @ bottleneck.down.weight.T + bottleneck.down.bias)
    return form.scaling * (inside @ bottleneck.up.weight.T + bottleneck.up.bias)


def reads(form: Form, h: Tensor, a: Tensor, closing: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """Return x, what the adapter reads, and r, its residual."""
    x = norm(h + a, closing) if form.original_ln_before else h
    if form.residual_before_ln == "post_add":
        return x, h + a
    return x, h if form.residual_before_ln else x


def single(bottleneck: Bottleneck, h: Tensor, a: Tensor, closing: nn.LayerNorm) -> Tensor:
    """One adapter with h entering."""
    form = bottleneck.form
    x, r = reads(form, h, a, closing)
    o = up(bottleneck, x)
    if form.adapter_residual_before_ln:
        o = o + r
    if form.ln_after:
        o = norm(o, bottleneck.norm_after)
    return o if form.adapter_residual_before_ln else o + r


def fused(layer: FusionLayer, us: list[Tensor], q: Tensor, r: Tensor, temperature: float = 1.0) -> Tensor:
    """o = Σ a_n Wv u_n + r, a = softmax_n(q · k_n); every key and value is projected by itself."""
    out, _ = attend(layer, us, q, r, temperature)
    return out


def attend(
    layer: FusionLayer,
    us: list[Tensor],
    q: Tensor,
    r: Tensor,
    temperature: float = 1.0,
    on_scores: Any = None,
    on_weights: Any = None,
) -> tuple[Tensor, Tensor]:
    """As `fused`, with the attention; ``on_scores`` and ``on_weights`` act where a dropout may."""
    config = layer.config
    us = [u + r for u in us] if config.residual_before else us
    q = q @ layer.query.weight.T + layer.query.bias if config.query else q
    keys = [u @ layer.key.weight.T + layer.key.bias if config.key else u for u in us]
    scores = torch.stack([(q * k).sum(dim=-1) for k in keys], dim=-1)
    scores = scores if on_scores is None else on_scores(scores)
    exponentials = torch.exp(scores / temperature - (scores / temperature).max(dim=-1, keepdim=True).values)
    attention = exponentials / exponentials.sum(dim=-1, keepdim=True)
    weights = attention if on_weights is None else on_weights(attention)
    if config.value and config.value_before_softmax:
        us = [u @ layer.value.weight.T for u in us]
    out = sum(weights[..., n : n + 1] * u for n, u in enumerate(us))
    if config.value and not config.value_before_softmax:
        out = out @ layer.value.weight.T
    return (out if config.residual_before else out + r), attention


class Plain:
    """A BERT whose layers follow the equations for one composition.

    Parameters
    ----------
    folder
        Of the base model.
    parts
        The backbone whose adapters and fusions are used.
    composition
        What every row goes through.
    entry, stack, invertible
        `Rules.fused_stack_entry`, the rule of stacks and `Rules.fused_invertible`.
    """

    def __init__(
        self,
        folder: Path,
        parts: Backbone,
        composition: Stack | Fuse,
        entry: str = "once",
        stack: str = "adapterhub",
        invertible: str = "mean",
    ) -> None:
        self.parts, self.composition = parts, composition
        self.entry, self.stack, self.nice = entry, stack, invertible
        self.bert = BertModel.from_pretrained(folder, dtype=torch.float64).eval()
        for number, layer in enumerate(self.bert.encoder.layer):
            self._put(layer.output, number, "output")
            self._put(layer.attention.output, number, "attention")
        self.bert.embeddings.register_forward_hook(lambda module, args, out: self.enter(out))

    def _put(self, module: nn.Module, layer: int, place: str) -> None:
        def forward(hidden: Tensor, a: Tensor) -> Tensor:
            f, closing = module.dense(hidden), module.LayerNorm
            if self.stack == "madx_equation":
                h, last = self._madx(f, a, closing, layer, place)
            else:
                h, last = self._behind(self.composition, f, a, closing, layer, place)
            return norm(h + a, closing) if last is None or last.original_ln_after else h

        module.forward = forward

    def states(self, ids: Tensor) -> tuple[Tensor, ...]:
        """Return the embeddings and the result of each layer."""
        return self.bert(ids, output_hidden_states=True).hidden_states

    def _bottleneck(self, name: str, layer: int, place: str) -> Bottleneck | None:
        return self.parts.adapters[name].at(layer, place)

    def _behind(
        self, member: Any, h: Tensor, a: Tensor, closing: nn.LayerNorm, layer: int, place: str
    ) -> tuple[Tensor, Form | None]:
        """Return h behind ``member`` and the form of the last adapter applied."""
        if isinstance(member, str):
            found = self._bottleneck(member, layer, place)
            return (h, None) if found is None else (single(found, h, a, closing), found.form)
        if isinstance(member, Fuse):
            return self._fuse(member, h, a, closing, layer, place)
        last = None
        for inner in member.members:
            h, form = self._behind(inner, h, a, closing, layer, place)
            last = form or last
        return h, last

    def _fuse(
        self, fuse: Fuse, h: Tensor, a: Tensor, closing: nn.LayerNorm, layer: int, place: str
    ) -> tuple[Tensor, Form | None]:
        branches = []
        for member in fuse.members:
            names = [member] if isinstance(member, str) else member.members
            found = [each for name in names if (each := self._bottleneck(name, layer, place)) is not None]
            branches += [found] if found else []
        if not branches:
            return h, None
        last = branches[-1][-1].form
        x, r = reads(last, h, a, closing)
        weights = self.parts.fusions[fuse.fusion].at(layer, place)
        us = [self._value(branch, x, h, a, closing) for branch in branches]
        return fused(weights, us, h if weights.config.query_before_ln else x, r), last

    def _value(self, branch: list[Bottleneck], x: Tensor, h: Tensor, a: Tensor, closing: nn.LayerNorm) -> Tensor:
        """Return the bottleneck output of the branch's last adapter."""
        if len(branch) == 1:
            return up(branch[0], x)
        g = x if self.entry == "twice" else h
        for bottleneck in branch[:-1]:
            g = single(bottleneck, g, a, closing)
        return up(branch[-1], reads(branch[-1].form, g, a, closing)[0])

    def _madx(self, f: Tensor, a: Tensor, closing: nn.LayerNorm, layer: int, place: str) -> tuple[Tensor, Form | None]:
        """madx2020, equation 2: every level's residual is F."""
        h, x, last = f, norm(f + a, closing), None
        for name in self.composition.members:
            found = self._bottleneck(name, layer, place)
            if found is not None:
                h = f + up(found, x)
                x, last = h, found.form
        return h, last

    def _entries(self, member: Any) -> list[Invertible | None]:
        """Return what each branch has at the embeddings."""
        if isinstance(member, str):
            return [self.parts.adapters[member].invertible]
        inner = member.members[:1] if isinstance(member, Stack) else member.members
        return [each for one in inner for each in self._entries(one)]

    def _halves(self) -> tuple[Any, Any]:
        """Return the coupling's F and G."""
        branches = self._entries(self.composition)
        branches = branches[:1] if self.nice == "first" else branches

        def mean(which: str) -> Any:
            # A branch without NICE counts as one whose F and G are 0.
            return lambda x: sum(coupling(getattr(each, which), x) for each in branches if each) / len(branches)

        return mean("F"), mean("G")

    def enter(self, x: Tensor) -> Tensor:
        """y1 = x1 + F(x2), y2 = x2 + G(y1)."""
        f, g = self._halves()
        if not any(self._entries(self.composition)[: 1 if self.nice == "first" else None]):
            return x
        half = x.shape[-1] // 2
        y1 = x[..., :half] + f(x[..., half:])
        return torch.cat((y1, x[..., half:] + g(y1)), dim=-1)


def coupling(part: nn.Sequential, x: Tensor) -> Tensor:
    """Linear, activation, Linear."""
    first, activation, last = part
    return activation(x @ first.weight.T + first.bias) @ last.weight.T + last.bias
