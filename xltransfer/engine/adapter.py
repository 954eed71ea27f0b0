"""One named adapter: bottlenecks for the layers that have one, and perhaps an invertible adapter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import nn

from xltransfer.engine.bottleneck import ACTIVATIONS, Bottleneck, Form
from xltransfer.engine.invertible import Invertible
from xltransfer.errors import ConfigError, ModelError, near_match

Place = Literal["output", "attention"]
"""Behind the feed-forward, or behind the attention, of a layer."""


@dataclass(frozen=True)
class AdapterConfig:
    """Shape of an adapter. Pfeiffer's is the default; Houlsby's: ``attention=True, original_ln_before=False``.

    Attributes
    ----------
    reduction
        Hidden size divided by bottleneck width (16 for tasks, 2 for languages in MAD-X); or a mapping from the layer's
        number, as text, to it, with a key ``default`` for the layers that are not named.
    leave_out
        Layers without a bottleneck, counted from 0 (MAD-X 2.0 leaves out the last).
    invertible_reduction
        Reduction inside the invertible adapter, or None for no such adapter.
    attention, output
        Whether a layer has a bottleneck behind the attention, and behind the feed-forward.
    activation, scaling, ln_before, ln_after, original_ln_before, original_ln_after, residual_before_ln, \
adapter_residual_before_ln
        See `bottleneck.Form`.
    """

    reduction: float | Mapping[str, float] = 16
    activation: str = "relu"
    scaling: float = 1.0
    leave_out: tuple[int, ...] = ()
    invertible_reduction: float | None = None
    attention: bool = False
    output: bool = True
    ln_before: bool = False
    ln_after: bool = False
    original_ln_before: bool = True
    original_ln_after: bool = True
    residual_before_ln: bool | Literal["post_add"] = True
    adapter_residual_before_ln: bool = False

    def form(self, hidden: int, layer: int) -> Form:
        """Return what ``layer``'s bottleneck looks like; raises `ConfigError` where no reduction is given for it."""
        reduction = self.reduction
        if isinstance(reduction, Mapping):
            if str(layer) not in reduction and "default" not in reduction:
                raise ConfigError(f"reduction names neither layer {layer} nor 'default': {dict(reduction)}")
            reduction = reduction.get(str(layer), reduction.get("default", 0))
        return Form(
            hidden=hidden,
            width=max(1, int(hidden // reduction)),
            activation=self.activation,
            scaling=self.scaling,
            ln_before=self.ln_before,
            ln_after=self.ln_after,
            original_ln_before=self.original_ln_before,
            original_ln_after=self.original_ln_after,
            residual_before_ln=self.residual_before_ln,
            adapter_residual_before_ln=self.adapter_residual_before_ln,
        )


class Adapter(nn.Module):
    """Bottlenecks keyed by layer number, ``layers`` behind the feed-forward and ``attention`` behind the attention.

    Raises
    ------
    ModelError
        An unknown activation; ``leave_out`` naming a layer that the model has not.
    ConfigError
        A reduction that is not above 0; an unknown ``residual_before_ln``, or ``post_add`` without
        ``original_ln_before``.
    """

    def __init__(self, config: AdapterConfig, hidden: int, layers: int) -> None:
        super().__init__()
        _check(config, layers)
        self.config = config
        kept = [layer for layer in range(layers) if layer not in config.leave_out]
        self.layers = _bottlenecks(config, hidden, kept if config.output else [])
        self.attention = _bottlenecks(config, hidden, kept if config.attention else [])
        self.forms = tuple(
            (place, layer, config.form(hidden, int(layer)))
            for place, part in (("output", self.layers), ("attention", self.attention))
            for layer in part
        )
        """What adapters must share to be computed together: place, layer and form of every bottleneck."""
        self.invertible = (
            None
            if config.invertible_reduction is None
            else Invertible(hidden, config.invertible_reduction, ACTIVATIONS[config.activation]())
        )

    def at(self, layer: int, place: Place = "output") -> Bottleneck | None:
        """Return the bottleneck of ``layer`` at ``place``, or None where there is none."""
        part = self.layers if place == "output" else self.attention
        key = str(layer)
        return part[key] if key in part else None  # type: ignore[return-value]

    @property
    def places(self) -> tuple[Place, ...]:
        """Where this adapter sits in its layers."""
        sits: dict[Place, bool] = {"output": self.config.output, "attention": self.config.attention}
        return tuple(place for place, here in sits.items() if here)


def _bottlenecks(config: AdapterConfig, hidden: int, layers: list[int]) -> nn.ModuleDict:
    return nn.ModuleDict({str(layer): Bottleneck(config.form(hidden, layer)) for layer in layers})


def _check(config: AdapterConfig, layers: int) -> None:
    if config.activation not in ACTIVATIONS:
        raise ModelError(
            f"adapter activation {config.activation!r} is not known{near_match(config.activation, ACTIVATIONS)}"
        )
    beyond = [layer for layer in config.leave_out if not 0 <= layer < layers]
    if beyond:
        raise ModelError(f"leave_out names layer {beyond[0]}, but the base model has layers 0 to {layers - 1}")
    reductions = list(config.reduction.values()) if isinstance(config.reduction, Mapping) else [config.reduction]
    reductions += [] if config.invertible_reduction is None else [config.invertible_reduction]
    if not all(reduction > 0 for reduction in reductions):
        raise ConfigError(f"reduction {min(reductions)} of an adapter; expected more than 0, such as 16")
    if config.residual_before_ln not in (True, False, "post_add"):
        raise ConfigError(f"residual_before_ln={config.residual_before_ln!r}; expected True, False or 'post_add'")
    if config.residual_before_ln == "post_add" and not config.original_ln_before:
        raise ConfigError("residual_before_ln: post_add needs original_ln_before: true")
