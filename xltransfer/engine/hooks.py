"""Hooks by which adapters enter an unpatched encoder.

At each place of a layer they hand out F and A, and put back what takes F's place; at the embeddings they hand out what
the first layer is about to read.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from xltransfer.engine.adapter import Place
from xltransfer.engine.sites import Site, Spot


@dataclass(frozen=True)
class Changed:
    """What follows at a place: ``feed`` in place of F for all rows, and rows whose closing LayerNorm is left out."""

    feed: Tensor
    open_rows: tuple[slice, ...] = ()


class Actor(Protocol):
    """Who decides what happens."""

    def enter(self, embeddings: Tensor) -> Tensor:
        """Return what takes the place of the embeddings; the same tensor where nothing does."""
        ...

    def acts(self, layer: int, place: Place) -> bool:
        """Tell whether anything happens there in this pass."""
        ...

    def act(
        self, layer: int, place: Place, feed: Tensor, residual: Tensor, norm: Callable[[Tensor], Tensor]
    ) -> Changed:
        """Return what takes the place of F."""
        ...


def install(encoder: nn.Module, site: Site, actor: Actor) -> list[RemovableHandle]:
    """Install hooks at the embeddings and at every place of every layer of ``encoder``, and return their handles."""
    handles = [_Embeddings(site.embeddings_mask, actor).install(encoder.get_submodule(site.embeddings))]
    spots: tuple[tuple[Place, Spot], ...] = (("output", site.output), ("attention", site.attention))
    for number, layer in enumerate(encoder.get_submodule(site.layers).children()):
        for place, spot in spots:
            handles += (_PreNorm if spot.norm is None else _PostNorm)(number, place, spot, actor).install(layer)
    return handles


class _Embeddings:
    """What the first layer reads; where the module zeroes padded positions, they stay zero."""

    def __init__(self, mask: str | None, actor: Actor) -> None:
        self.mask, self.actor = mask, actor

    def install(self, module: nn.Module) -> RemovableHandle:
        return module.register_forward_hook(self.behind, with_kwargs=True)

    def behind(self, module: nn.Module, args: tuple[Any, ...], given: dict[str, Any], out: Tensor) -> Tensor:
        entered = self.actor.enter(out)
        mask = None if self.mask is None or entered is out else given.get(self.mask)
        return entered if mask is None else entered * mask[..., None].to(entered.dtype)


class _Hooks:
    """One place of one layer; holds A and F between the hooks of one pass."""

    def __init__(self, layer: int, place: Place, spot: Spot, actor: Actor) -> None:
        self.at: tuple[int, Place] = (layer, place)
        self.spot, self.actor = spot, actor
        self.residual: Tensor | None = None
        self.feed: Tensor | None = None
        self.changed: Changed | None = None

    def watch_residual(self, layer: nn.Module) -> RemovableHandle:
        path, number = self.spot.residual
        module = layer.get_submodule(path)
        name = list(inspect.signature(module.forward).parameters)[number]

        def keep(module: nn.Module, args: tuple[Any, ...], given: dict[str, Any]) -> None:
            if self.actor.acts(*self.at):
                self.residual = args[number] if number < len(args) else given[name]

        return module.register_forward_pre_hook(keep, with_kwargs=True)

    def changes(self, feed: Tensor | None, norm: Callable[[Tensor], Tensor]) -> tuple[Changed, Tensor]:
        residual, self.residual, self.feed = self.residual, None, None
        assert feed is not None and residual is not None
        return self.actor.act(*self.at, feed, residual, norm), residual


class _PostNorm(_Hooks):
    """LN(F + A): the sum that enters LN is replaced."""

    def install(self, layer: nn.Module) -> list[RemovableHandle]:
        assert self.spot.norm is not None
        norm = layer.get_submodule(self.spot.norm)
        return [
            self.watch_residual(layer),
            layer.get_submodule(self.spot.feed).register_forward_hook(self.keep_feed),
            norm.register_forward_pre_hook(self.before_norm),
            norm.register_forward_hook(self.behind_norm),
        ]

    def keep_feed(self, module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        if self.actor.acts(*self.at):
            self.feed = out[0] if isinstance(out, tuple) else out

    def before_norm(self, norm: Any, args: tuple[Tensor, ...]) -> tuple[Tensor] | None:
        # A pass that failed inside this norm may have left something.
        self.changed = None
        if not self.actor.acts(*self.at):
            return None

        def plain(x: Tensor) -> Tensor:
            # Calling the module would enter its own hooks again.
            return functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)

        changed, residual = self.changes(self.feed, plain)
        self.changed = changed if changed.open_rows else None
        return (changed.feed + residual,)

    def behind_norm(self, norm: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor | None:
        changed, self.changed = self.changed, None
        if changed is None:
            return None
        out = out.clone()
        for part in changed.open_rows:
            out[part] = changed.feed[part]
        return out


class _PreNorm(_Hooks):
    """F + A: F is replaced where it leaves its module."""

    def install(self, layer: nn.Module) -> list[RemovableHandle]:
        return [
            self.watch_residual(layer),
            layer.get_submodule(self.spot.feed).register_forward_hook(self.behind_feed),
        ]

    def behind_feed(self, module: nn.Module, args: tuple[Any, ...], out: Any) -> Any:
        if not self.actor.acts(*self.at):
            return None
        changed, residual = self.changes(out[0] if isinstance(out, tuple) else out, lambda x: x)
        feed = changed.feed
        if changed.open_rows:
            # Without the closing sum the layer's result is the adapter's: take away what the layer will add.
            feed = feed.clone()
            for part in changed.open_rows:
                feed[part] = feed[part] - residual[part]
        return (feed, *out[1:]) if isinstance(out, tuple) else feed
