"""How a composition changes F at one place of one layer: the published rules of stacks and fusions.

With h what enters a member (F for the first), A the residual, LN the transformer's LayerNorm (the identity in a
pre-norm layer) and up_n the n-th bottleneck:

``adapterhub`` (the reference library; published adapters were trained with it)
    x = LN(h + A),  h <- h + up_n(x)            and at the end LN(h + A)
    Options of the adapter change what is x, what is added, and whether the closing LN is there, see `bottleneck.Form`.
``madx_equation`` (madx2020, equation 2, whose residual is F at every level)
    h_1 = F + up_1(LN(F + A)),  h_n = F + up_n(h_{n-1})

A fusion reads like a single adapter, x = LN(h + A), and its branches' bottlenecks are weighed per token (`fusion`); a
branch that is a stack gives the bottleneck output of its last member, so its lower members count through their input
to that one only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from xltransfer.engine import rows
from xltransfer.engine.bottleneck import Bottleneck, Form
from xltransfer.engine.fusion import FusionLayer, Inside, fuse
from xltransfer.errors import ConfigError
from xltransfer.rules import Rules

StackRule = Literal["adapterhub", "madx_equation"]


@dataclass(frozen=True)
class Leaf:
    """One adapter of each composition: bottlenecks of one form."""

    bottlenecks: tuple[Bottleneck, ...]

    @property
    def form(self) -> Form:
        """What they share."""
        return self.bottlenecks[0].form


@dataclass(frozen=True)
class Fused:
    """One fusion of each composition: branches of leaves, first to last, and the fusions' names and weights."""

    branches: tuple[tuple[Leaf, ...], ...]
    names: tuple[str, ...]
    layers: tuple[FusionLayer, ...]

    @property
    def form(self) -> Form:
        """Of the last leaf, which decides what the fusion reads."""
        return self.branches[-1][-1].form


Program = tuple[Leaf | Fused, ...]


@dataclass(frozen=True)
class Scene:
    """What surrounds the members at one place.

    Attributes
    ----------
    counts
        Rows of each composition.
    residual
        A [row, token, hidden].
    norm
        LN.
    stack, rules
        Which of the published ways.
    drop
        Dropout of a fusion, for a given layer's configuration.
    report
        Takes the attention of each fusion, [row, token, member].
    """

    counts: tuple[int, ...]
    residual: Tensor
    norm: Callable[[Tensor], Tensor]
    stack: StackRule
    rules: Rules
    drop: Callable[[FusionLayer, Tensor], Tensor]
    report: Callable[[Fused, Tensor], None]


def apply(program: Program, feed: Tensor, scene: Scene) -> Tensor:
    """Return what takes the place of F [row, token, hidden]; the closing LN is left to the caller."""
    if scene.stack == "madx_equation":
        return _madx_equation(program, feed, scene)
    h = feed
    for node in program:
        h = _leaf(node, h, scene) if isinstance(node, Leaf) else _fused(node, h, scene)
    return h


def closes(program: Program) -> bool:
    """Tell whether the transformer's own LN(F + A) follows."""
    return program[-1].form.original_ln_after


def _reads(form: Form, h: Tensor, scene: Scene) -> tuple[Tensor, Tensor]:
    """Return x, what the down-projection reads, and the residual."""
    if not form.original_ln_before:
        return h, h
    total = h + scene.residual
    x = scene.norm(total)
    if form.residual_before_ln == "post_add":
        return x, total
    return x, h if form.residual_before_ln else x


def _lower(leaf: Leaf, x: Tensor, scene: Scene) -> Tensor:
    bottlenecks = leaf.bottlenecks
    if leaf.form.ln_before:
        x = rows.each(x, scene.counts, [each.norm_before for each in bottlenecks if each.norm_before is not None])
    lowered: Tensor = bottlenecks[0].activation(rows.linear(x, scene.counts, [each.down for each in bottlenecks]))
    return lowered


def _leaf(leaf: Leaf, h: Tensor, scene: Scene) -> Tensor:
    form = leaf.form
    x, residual = _reads(form, h, scene)
    out = rows.linear(_lower(leaf, x, scene), scene.counts, [each.up for each in leaf.bottlenecks])
    if form.scaling != 1.0:
        out = form.scaling * out
    if form.adapter_residual_before_ln:
        out = out + residual
    if form.ln_after:
        out = rows.each(
            out, scene.counts, [each.norm_after for each in leaf.bottlenecks if each.norm_after is not None]
        )
    return out if form.adapter_residual_before_ln else out + residual


def _fused(fused: Fused, h: Tensor, scene: Scene) -> Tensor:
    x, residual = _reads(fused.form, h, scene)
    first = fused.layers[0]
    members = [_inside(branch, x, h, scene) for branch in fused.branches]
    query = h if first.config.query_before_ln else x
    out, attention = fuse(
        fused.layers, scene.counts, members, query, residual, scene.rules, lambda scores: scene.drop(first, scores)
    )
    scene.report(fused, attention)
    return out


def _inside(branch: Sequence[Leaf], x: Tensor, h: Tensor, scene: Scene) -> Inside:
    *below, last = branch
    if below:
        g = x if scene.rules.fused_stack_entry == "twice" else h
        for leaf in below:
            g = _leaf(leaf, g, scene)
        x, _ = _reads(last.form, g, scene)
    return Inside(_lower(last, x, scene), last.bottlenecks)


def _is_pfeiffer(form: Form) -> bool:
    plain = form.original_ln_before and form.original_ln_after and form.residual_before_ln is True
    return plain and not (form.ln_before or form.ln_after)


def _madx_equation(program: Program, feed: Tensor, scene: Scene) -> Tensor:
    x, h = scene.norm(feed + scene.residual), feed
    for node in program:
        if isinstance(node, Fused) or not _is_pfeiffer(node.form):
            raise ConfigError("stack: madx_equation is defined for stacks of Pfeiffer adapters only; use adapterhub")
        out = rows.linear(_lower(node, x, scene), scene.counts, [each.up for each in node.bottlenecks])
        h = feed + (out if node.form.scaling == 1.0 else node.form.scaling * out)
        x = h
    return h
