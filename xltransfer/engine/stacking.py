"""The two published rules by which stacked adapters change a layer, as hooks on unpatched encoders.

With F the feed-forward output, A its input, LN the layer's closing LayerNorm (LN(F + A) ends the plain layer) and
up_n the n-th adapter of the stack:

``adapterhub`` (the reference library; published adapters were trained with it)
    h_0 = F,  h_n = h_{n-1} + up_n(LN(h_{n-1} + A)),  out = LN(h_N + A).
    Only S = h + A is needed: S <- S + up_n(LN(S)).
``madx_equation`` (madx2020, equation 2, whose residual is F at every level)
    h_1 = F + up_1(LN(F + A)),  h_n = F + up_n(h_{n-1}),  out = LN(h_N + A).
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from xltransfer.engine.bottleneck import Bottleneck
from xltransfer.engine.sites import Site

StackRule = Literal["adapterhub", "madx_equation"]
Active = Callable[[int], Sequence[Bottleneck]]
"""Gives the bottlenecks that a layer applies now, first member first."""


def _norm(layer_norm: nn.LayerNorm, x: Tensor) -> Tensor:
    # Calling the module would enter its own hook again.
    return functional.layer_norm(x, layer_norm.normalized_shape, layer_norm.weight, layer_norm.bias, layer_norm.eps)


def _adapterhub_hook(layer: int, active: Active) -> Callable[[nn.LayerNorm, tuple[Tensor, ...]], tuple[Tensor] | None]:
    def hook(norm: nn.LayerNorm, args: tuple[Tensor, ...]) -> tuple[Tensor] | None:
        members = active(layer)
        if not members:
            return None
        (total,) = args
        for member in members:
            total = total + member(_norm(norm, total))
        return (total,)

    return hook


def _madx_hooks(layer: nn.Module, index: int, site: Site, active: Active) -> list[RemovableHandle]:
    seen: dict[str, Tensor] = {}

    def keep_residual(module: nn.Module, args: tuple[Any, ...]) -> None:
        seen["A"] = args[1]

    def keep_feed_forward(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
        seen["F"] = out

    def apply(norm: nn.LayerNorm, args: tuple[Tensor, ...]) -> tuple[Tensor] | None:
        members = active(index)
        residual, feed_forward = seen.pop("A"), seen.pop("F")
        if not members:
            return None
        x = _norm(norm, args[0])
        for member in members:
            x = feed_forward + member(x)
        return (x + residual,)

    return [
        layer.get_submodule(site.output).register_forward_pre_hook(keep_residual),
        layer.get_submodule(site.dropout).register_forward_hook(keep_feed_forward),
        layer.get_submodule(site.closing_norm).register_forward_pre_hook(apply),
    ]


def install(encoder: nn.Module, site: Site, rule: StackRule, active: Active) -> list[RemovableHandle]:
    """Install the hooks of ``rule`` on every layer of ``encoder`` and return their handles."""
    layers = encoder.get_submodule(site.layers)
    handles: list[RemovableHandle] = []
    for index, layer in enumerate(layers.children()):
        if rule == "madx_equation":
            handles += _madx_hooks(layer, index, site, active)
        else:
            norm = layer.get_submodule(site.closing_norm)
            handles.append(norm.register_forward_pre_hook(_adapterhub_hook(index, active)))
    return handles
